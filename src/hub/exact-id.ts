/** A user id as its author wrote it. Numbers beyond 2^53 lose digits when they are parsed, and two users become one. */

/** `text` is the JSON object that `id` was parsed from, under `key`. */
export function exactId(text: string, key: string, id: string | number): string {
  if (typeof id === "string" || Number.isSafeInteger(id)) return String(id);
  const written = new Map<unknown, string>();
  const object: unknown = JSON.parse(text, function (this: unknown, name: string, value: unknown, context?: Source) {
    if (name === key && context?.source !== undefined) written.set(this, context.source);
    return value;
  });
  return written.get(object) ?? String(id);
}

/** What a reviver is told of a primitive value, where the runtime tells it. */
interface Source {
  readonly source?: string;
}
