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
  return name !== undefined && Object.hasOwn(RANGES, name);
}

/** A time that somebody chose; without an end until now. */
export interface ChosenTime {
  readonly fromMs: number;
  readonly toMs: number | undefined;
}

/** Of an address's parameters; undefined where they say none. */
export function chosenTime({ from = "", to = "" }: Readonly<Record<string, string>>): ChosenTime | undefined {
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
  if (Number.isNaN(fromMs) || toMs <= fromMs) return undefined;
  return { fromMs, toMs: Number.isNaN(toMs) ? undefined : toMs };
}

/** How long the server keeps them: see docs/configuration.md. */
const KEEP_INTERVALS_MS = 2 * DAY_MS;
const KEEP_HOURS_MS = 31 * DAY_MS;
const MOST_HOURS_MS = 14 * DAY_MS;

/** As closely as it is still known, and as there is room for. */
export function rangeOf({ fromMs, toMs }: ChosenTime, nowMs: number): Range {
  const [lengthMs, ageMs] = [(toMs ?? nowMs) - fromMs, nowMs - fromMs];
  const everyMs = toMs === undefined || toMs > nowMs ? 5 * MINUTE_MS : 0;
  const isClose = ageMs < KEEP_INTERVALS_MS;
  const isByHour = ageMs < KEEP_HOURS_MS && lengthMs <= MOST_HOURS_MS;
  return { name: "Custom", span: isClose ? "interval" : isByHour ? "hour" : "day", lengthMs, everyMs };
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

  /** Without the newest, which not every node has told of; of one node alone, where its id is given. */
  points(node?: string): readonly Point[] {
    return this.#sorted().map(([atMs, its]) => {
      const wanted = [...its].filter(([id]) => node === undefined || id === node);
      return wanted.map(([, point]) => point).reduce(addPoints, { ...noStatistics(), atMs });
    });
  }

  /** Of each of those points, by the id of the node. */
  connections(): ReadonlyMap<string, readonly number[]> {
    const sorted = this.#sorted();
    const nodes = new Set(sorted.flatMap(([, its]) => [...its.keys()]));
    return new Map(Array.from(nodes, (node) => [node, sorted.map(([, its]) => its.get(node)?.connections ?? 0)]));
  }

  #sorted() {
    return [...this.#byTime].sort(([one], [other]) => one - other).slice(0, -1);
  }
}
