/** Rounds and tables: what was measured several times, put beside each other. */

/** Rows of cells; the first row is the head. */
export interface Table {
  readonly title: string;
  /** What one needs to know to read it. */
  readonly note: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** How much work to do. */
export interface Effort {
  readonly rounds: number;
  readonly forMs: number;
  readonly subscribers: readonly number[];
  readonly connections: readonly number[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? upper)) / 2 : upper;
}

/**
 * Measures each contender in turn, round after round, so that what else the machine does meets all of them alike.
 * What comes back is one list of rounds for each contender.
 */
export async function alternate<T, R>(rounds: number, contenders: readonly T[], measure: (one: T) => Promise<R>) {
  const results = contenders.map((): R[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) results[index]?.push(await measure(contender));
  }
  return results;
}

/** The median of the ratios of each round to the same round of the first contender. */
export function ratio(mine: readonly number[], bare: readonly number[]): number {
  return median(mine.map((value, round) => value / (bare[round] ?? Number.NaN)));
}

export function whole(value: number): string {
  return Math.round(value)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, " ");
}

export function fixed(value: number, digits: number): string {
  return value.toFixed(digits);
}

/** What too little work leaves without a meaning is a dash. */
export function times(value: number): string {
  return value > 0 && Number.isFinite(value) ? `${value.toFixed(2)} ×` : "–";
}

export function markdown({ title, note, head, rows }: Table): string {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [`## ${title}`, "", note, "", line(head), rule, ...rows.map(line), ""].join("\n");
}
