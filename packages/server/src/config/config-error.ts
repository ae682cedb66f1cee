/** What is wrong with a configuration, in sentences that name the key, where it comes from and what is accepted. */

import { codeOf, messageOf } from "../domain/thrown.ts";

/** One line for each problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(problems: string | readonly string[]) {
    super(typeof problems === "string" ? problems : [...new Set(problems)].join("\n"));
  }
}

/** The value that was given, shortened, and without showing a secret. */
export function describeValue(value: unknown, isSecret = false): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "an object";
  if (value === "") return "empty";
  if (isSecret) return `a ${typeof value === "string" ? "text" : typeof value} (not shown)`;
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === "number") return `the number ${value}`;
  return typeof value === "boolean" ? String(value) : `a ${typeof value}`;
}

/** Ends a message with the source to look at. */
export function withSource(message: string, source: string | undefined): string {
  return source ? `${message} (from ${source})` : message;
}

/** "a, b and c" */
export function enumerate(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** Why a file could not be used, in words. */
export function errorReason(error: unknown): string {
  const known = ERROR_CODES.get(codeOf(error));
  if (known !== undefined) return known;
  return firstLine(messageOf(error));
}

const ERROR_CODES: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such file"],
  ["EACCES", "permission denied"],
  ["EPERM", "permission denied"],
  ["EISDIR", "it is a folder"],
  ["ENOTDIR", "a part of its path is not a folder"],
  ["EROFS", "the file system is read-only"],
  ["ENOSPC", "no space left"],
]);

export function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

/** The name most like the given one, where one is similar enough to be what was meant. */
export function closestName(name: string, known: readonly string[]): string | undefined {
  let closest: string | undefined;
  let least = Math.max(1, Math.ceil(name.length * 0.4)) + 1;
  for (const candidate of known) {
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits >= least) continue;
    closest = candidate;
    least = edits;
  }
  return closest;
}

/** Edits that turn one text into the other (Levenshtein); swapping neighbours counts as two. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
