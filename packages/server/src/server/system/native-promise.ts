/** What a program's function returned, where that may be a promise of another making: a query, say, that runs only when it is waited for. */

export function nativePromise(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Promise) return value;
  return "then" in value && typeof value.then === "function" ? Promise.resolve(value) : value;
}
