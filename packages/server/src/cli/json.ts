/** Reads JSON that may be anything, or none. */

/** Undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What is wrong with data that was clearly meant to be JSON, and is none. Other text is a value by itself. */
export function brokenJson(text: string): string | undefined {
  if (!/^\s*[[{]/.test(text) || parseJson(text) !== undefined) return undefined;
  return `the data looks like JSON but does not parse: ${text.length > 80 ? `${text.slice(0, 79)}…` : text}`;
}

/** What an object has under this key. */
export function fieldOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}
