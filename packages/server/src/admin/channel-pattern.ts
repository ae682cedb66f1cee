/** Channels whose names differ only in what looks like an id, or in their last part, are listed together under a pattern. */

const PREFIX = /^(?:private-(?:encrypted-)?|presence-)?(?:cache-)?/;
const UUID = /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/gi;
const SEPARATORS = /([-_.:/|@,;=]+)/;

/** `private-orders.*` of `private-orders.8841`, `chat.*` of `chat.en`; the name itself where it has one part only. */
export function patternOf(name: string): string {
  const prefix = PREFIX.exec(name)?.[0] ?? "";
  const parts = name.slice(prefix.length).replace(UUID, "*").split(SEPARATORS);
  if (parts.length < 2) return parts[0] === "*" ? `${prefix}*` : name;
  const hidden = parts.map((part, at) => (at % 2 === 0 && (part === "*" || (at > 0 && /\d/.test(part))) ? "*" : part));
  if (!hidden.includes("*")) hidden[hidden.length - 1] = "*";
  return prefix + hidden.join("").replace(/\*(?:[-_.:/|@,;=]+\*)+/g, "*");
}
