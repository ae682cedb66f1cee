/** The same JSON as other programs write it: what was signed and what was sent often differ in nothing else. */

import { distinct, type Variant } from "./mistakes.ts";

type Part = "channel data" | "user data" | "body_md5";

/** The text as it is, and as it would be after having been parsed and written again. */
export function jsonVariants(text: string, part: Part, what: string): Variant<string>[] {
  const wrong = (value: string, says: string): Variant<string> => ({ value, mistake: { part, says } });
  const spelled = `${what} was signed in another spelling than it was sent:`;
  const advice = "sign the very text that is sent, do not write it again";
  const variants: Variant<string>[] = [{ value: text }, ...textual(text, wrong, what)];
  const parsed = parse(text);
  if (parsed === undefined) return variants;
  for (const [shape, value] of shapesOf(parsed.value)) {
    for (const [style, written] of writingsOf(value)) {
      const says = [shape, style].filter((word) => word !== "").join(", ") || "without white space";
      variants.push(wrong(written, `${spelled} ${says}; ${advice}`));
    }
  }
  return distinct(variants);
}

function textual(text: string, wrong: (value: string, says: string) => Variant<string>, what: string) {
  return [
    wrong(text.trim(), `${what} was signed without the white space round it`),
    wrong(`${text}\n`, `${what} was signed with a line break at its end`),
    wrong(encodeURIComponent(text), `${what} was signed URL-escaped: sign it as it is`),
    wrong(encodeURIComponent(text).replaceAll("%20", "+"), `${what} was signed URL-escaped: sign it as it is`),
    wrong(decoded(text), `${what} was sent URL-escaped, but signed as it was before`),
    wrong(JSON.stringify(text), `${what} was turned into JSON twice before it was signed`),
    wrong(slashes(JSON.stringify(text)), `${what} was turned into JSON twice before it was signed`),
    wrong(Buffer.from(text).toString("base64"), `${what} was signed in base64: sign it as it is`),
    wrong(unwrapped(text), `${what} was sent as JSON within JSON, but signed as the text inside`),
  ];
}

/** Changes of the value that programs make unasked. */
function shapesOf(value: unknown): [string, unknown][] {
  return [
    ["", value],
    ["keys sorted", sorted(value)],
    ["keys in reverse order", reversed(value)],
    ["ids as text", ids(value, (id) => (typeof id === "number" ? String(id) : id))],
    ["ids as numbers", ids(value, (id) => (typeof id === "string" && /^\d{1,15}$/.test(id) ? Number(id) : id))],
    ["without user_info", without(value, "user_info")],
    ["with an empty user_info", isObject(value) ? { ...value, user_info: {} } : value],
  ];
}

/** Ways to write one value. */
function writingsOf(value: unknown): [string, string][] {
  const compact = JSON.stringify(value);
  const spaced = withSpaces(value);
  return [
    ["", compact],
    ["a space after each comma and colon", spaced],
    ["a space after each colon", withSpaces(value, ",")],
    ["slashes escaped as \\/", slashes(compact)],
    ["letters beyond ASCII escaped as \\u…", ascii(compact)],
    ["slashes and letters beyond ASCII escaped", slashes(ascii(compact))],
    ["spaces, and letters beyond ASCII escaped", ascii(spaced)],
    ["<, > and & escaped as \\u…", html(compact)],
    ["indented by 2", JSON.stringify(value, undefined, 2)],
    ["indented by 4", JSON.stringify(value, undefined, 4)],
    ["indented by 4, slashes and letters beyond ASCII escaped", slashes(ascii(JSON.stringify(value, undefined, 4)))],
  ];
}

/** As Python's json.dumps does. */
function withSpaces(value: unknown, comma = ", "): string {
  if (Array.isArray(value)) return `[${value.map((item) => withSpaces(item, comma)).join(comma)}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const fields = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${withSpaces(inner, comma)}`);
  return `{${fields.join(comma)}}`;
}

/** As PHP's json_encode does. */
function slashes(text: string): string {
  return text.replaceAll("/", "\\/");
}

function ascii(text: string): string {
  return text.replaceAll(/[\u007f-\uffff]/g, escaped);
}

/** As Go and Rails do. */
function html(text: string): string {
  return text.replaceAll(/[<>&\u2028\u2029]/g, escaped);
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function unwrapped(text: string): string {
  const parsed = parse(text);
  return typeof parsed?.value === "string" ? parsed.value : text;
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function rearranged(value: unknown, order: (entries: [string, unknown][]) => [string, unknown][]): unknown {
  if (Array.isArray(value)) return value.map((item) => rearranged(item, order));
  if (!isObject(value)) return value;
  return Object.fromEntries(order(Object.entries(value)).map(([key, inner]) => [key, rearranged(inner, order)]));
}

function sorted(value: unknown): unknown {
  return rearranged(value, (entries) => entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function reversed(value: unknown): unknown {
  return rearranged(value, (entries) => entries.reverse());
}

function ids(value: unknown, change: (id: unknown) => unknown): unknown {
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, /^(user_)?id$/.test(key) ? change(inner) : inner]);
  return Object.fromEntries(entries);
}

function without(value: unknown, key: string): unknown {
  return isObject(value) ? Object.fromEntries(Object.entries(value).filter(([name]) => name !== key)) : value;
}
