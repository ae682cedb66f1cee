/** Says what is wrong with a configuration, in sentences that name the key, the place it came from and what is accepted. */

/** A sentence, and the setting that it is about where only that one suffers. */
export interface Problem {
  readonly message: string;
  readonly path?: string;
}

/** One line for each problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(problems: string | readonly string[]) {
    super(typeof problems === "string" ? problems : [...new Set(problems)].join("\n"));
  }
}

/** What was got, without giving away more of it than a message should hold. */
export function describeValue(value: unknown, secret = false): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "an object";
  if (secret) return value === "" ? "empty" : `a ${typeof value === "string" ? "text" : typeof value} (not shown)`;
  if (typeof value === "string") return value === "" ? "empty" : JSON.stringify(shorten(value));
  if (typeof value === "number") return `the number ${value}`;
  return typeof value === "boolean" ? String(value) : `a ${typeof value}`;
}

function shorten(value: string): string {
  return value.length > 60 ? `${value.slice(0, 57)}…` : value;
}

/** The name most like the given one, where one is alike enough to be what was meant. */
export function closestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.ceil(name.length * 0.4)) + 1;
  for (const candidate of known) {
    const steps = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (steps < least) {
      best = candidate;
      least = steps;
    }
  }
  return best;
}

/** Edits that turn one text into the other (Levenshtein); a swap of neighbours counts as two. */
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
