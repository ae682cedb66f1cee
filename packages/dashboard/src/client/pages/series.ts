/** The points of the charts: those that the server kept, those that come by the second, and the ones in between. */

import {
  addPoints,
  addStatistics,
  noStatistics,
  type Point,
  type SecondReport,
  type Series,
  type Span,
} from "fanfare/wire/admin";

export interface Range {
  readonly name: string;
  readonly span: Span;
  readonly lengthMs: number;
  /** What is asked again, and how often. */
  readonly everyMs: number;
}

const MOST_POINTS = 2_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const RANGES = {
  live: { name: "Live", span: "second", lengthMs: 5 * MINUTE_MS, everyMs: 0 },
  hour: { name: "Hour", span: "interval", lengthMs: HOUR_MS, everyMs: 15_000 },
  day: { name: "Day", span: "interval", lengthMs: DAY_MS, everyMs: MINUTE_MS },
  week: { name: "Week", span: "hour", lengthMs: 7 * DAY_MS, everyMs: 5 * MINUTE_MS },
  quarter: { name: "90 days", span: "day", lengthMs: 90 * DAY_MS, everyMs: 10 * MINUTE_MS },
} as const satisfies Readonly<Record<string, Range>>;

export type RangeName = keyof typeof RANGES;

export function isRange(name: string | undefined): name is RangeName {
  return name !== undefined && name in RANGES;
}

/** Longest that a span which is over may take to be written down. */
const LATE_MS = 15 * MINUTE_MS;

/** Nothing was counted where a span is missing between two that are there, and in those that are over since the last one. */
export function filled({ points, stepMs }: Pick<Series, "points" | "stepMs">, nowMs: number): readonly Point[] {
  const all = [...between(points, stepMs)];
  const last = all.at(-1);
  if (!last) return all;
  const spans = Math.floor((nowMs - stepMs - Math.min(stepMs, LATE_MS) - last.atMs) / stepMs);
  if (spans > 0) all.push(...nothingBetween(last.atMs, last.atMs + (spans + 1) * stepMs, stepMs, spans + 1));
  return all;
}

function between(points: readonly Point[], stepMs: number): readonly Point[] {
  const all: Point[] = [];
  for (const point of points) {
    const last = all.at(-1);
    const gap = last ? Math.round((point.atMs - last.atMs) / stepMs) : 1;
    if (last && gap > 1) all.push(...nothingBetween(last.atMs, point.atMs, stepMs, gap));
    all.push(point);
  }
  return all;
}

/** A gap of more points than a screen has is drawn by its two ends. */
function nothingBetween(fromMs: number, toMs: number, stepMs: number, gap: number): Point[] {
  if (gap > MOST_POINTS) return [fromMs + stepMs, toMs - stepMs].map((atMs) => ({ ...noStatistics(), atMs }));
  return Array.from({ length: gap - 1 }, (_, at) => ({ ...noStatistics(), atMs: fromMs + (at + 1) * stepMs }));
}

/** The numbers of several apps at the same time, added up. */
export function added(series: readonly Series[]): Series {
  const [first] = series;
  const byTime = new Map<number, Point>();
  for (const { points } of series) {
    for (const point of points)
      byTime.set(point.atMs, { ...addStatistics(byTime.get(point.atMs) ?? noStatistics(), point), atMs: point.atMs });
  }
  const points = [...byTime.values()].sort((a, b) => a.atMs - b.atMs);
  return { span: first?.span ?? "interval", stepMs: first?.stepMs ?? MINUTE_MS, points };
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
