/** How far back charts go, and the points that come by the second. */

import { addPoints, noStatistics, type Point, type SecondReport, type Span } from "fanfare/wire/admin";

export interface Range {
  readonly name: string;
  readonly span: Span;
  readonly lengthMs: number;
  /** What is asked again, and how often. */
  readonly everyMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const RANGES = {
  live: { name: "5 min", span: "second", lengthMs: 5 * MINUTE_MS, everyMs: 0 },
  hour: { name: "1 h", span: "interval", lengthMs: HOUR_MS, everyMs: 15_000 },
  day: { name: "24 h", span: "interval", lengthMs: DAY_MS, everyMs: MINUTE_MS },
  week: { name: "7 d", span: "hour", lengthMs: 7 * DAY_MS, everyMs: 5 * MINUTE_MS },
  quarter: { name: "90 d", span: "day", lengthMs: 90 * DAY_MS, everyMs: 10 * MINUTE_MS },
} as const satisfies Readonly<Record<string, Range>>;

export type RangeName = keyof typeof RANGES;

export function isRange(name: string | undefined): name is RangeName {
  return name !== undefined && name in RANGES;
}

/** The last minutes by the second, of every node. Nodes' clocks differ a little: a second is the one it says it is. */
export class Seconds {
  readonly #byTime = new Map<number, Map<string, Point>>();
  readonly #lengthMs: number;

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs;
  }

  add({ node, point }: Pick<SecondReport, "node" | "point">): void {
    const second = Math.floor(point.atMs / 1000) * 1000;
    const its = this.#byTime.get(second) ?? new Map<string, Point>();
    this.#byTime.set(second, its.set(node, point));
    for (const atMs of this.#byTime.keys()) if (atMs < second - this.#lengthMs) this.#byTime.delete(atMs);
  }

  /** Without the newest, which not every node has told of. */
  points(): readonly Point[] {
    const all = Array.from(this.#byTime, ([atMs, its]) =>
      [...its.values()].reduce(addPoints, { ...noStatistics(), atMs }),
    );
    return all.sort((a, b) => a.atMs - b.atMs).slice(0, -1);
  }
}
