/** What the charts of Insights draw, made of what the server stored or of the last seconds: rates, stacks, and where nothing is known. */

import {
  type AuditEntry,
  type InsightLine,
  type Insights,
  latencyQuantileMs,
  noStatistics,
  type Point,
} from "fanfare/wire/admin";

export interface ChartLine {
  readonly label: string;
  /** Null where nothing is known. */
  readonly values: readonly (number | null)[];
}

/** A change, or a beginning, drawn as a line from top to bottom. */
export interface ChartMark {
  readonly atMs: number;
  readonly label: string;
}

/** The lines of every chart that there is something for; all values go with the times. */
export interface Pictures {
  readonly timesMs: readonly number[];
  /** From and to, in Unix milliseconds: the server did not run, or counted nothing. */
  readonly missing: readonly (readonly [number, number])[];
  readonly lines: Readonly<Partial<Record<ChartName, readonly ChartLine[]>>>;
}

export type ChartName =
  | ("out" | "latency" | "in" | "transports" | "nodes" | "refused")
  | ("webhooks" | "resumed" | "lag" | "memory" | "traffic");

interface Shape {
  readonly fromMs: number;
  readonly nowMs: number;
}

/** As many lines as there are colours; the others are one. */
const MOST_LINES = 5;
/** Timers run late, and a span without a row between two is no proof that nobody counted. */
const GAP_STEPS = 2.5;
const LATENCIES = [
  ["p99", 0.99],
  ["p95", 0.95],
  ["p50", 0.5],
] as const;
const OUTCOMES: Readonly<Record<string, string>> = { sent: "delivered", retried: "retried", dead: "failed" };

export function picturesOf(given: Insights, { fromMs, nowMs }: Shape): Pictures {
  const { times, stepMs, totals } = given;
  const { places, timesMs, missing } = withGaps(times, stepMs, fromMs, nowMs);
  const spread = (values: readonly number[]) =>
    places.map((place) => (place === undefined ? null : (values[place] ?? 0)));
  // A span of hours or days that is not over yet is as long as it has lasted.
  const lengthS = (place: number) => Math.max(1, Math.min(stepMs, nowMs - (times[place] ?? 0))) / 1000;
  const per = (values: readonly number[], seconds: number) =>
    spread(
      values.map((value, place) => (value / (given.span === "interval" ? stepMs / 1000 : lengthS(place))) * seconds),
    );
  const of = (measure: InsightLine["measure"]) => given.measures.filter((line) => line.measure === measure);
  const counted = (measure: InsightLine["measure"], names: Readonly<Record<string, string>> = {}) =>
    most(of(measure)).map(({ label, values }) => ({ label: names[label] ?? label, values: per(values, 60) }));
  const present = (measure: InsightLine["measure"]) =>
    most(of(measure)).map(({ label, values }) => ({ label, values: spread(values) }));
  const lines = {
    out: [{ label: "to clients", values: per(totals.messagesOut, 1) }],
    in: [
      { label: "from back ends", values: per(totals.apiMessages, 1) },
      { label: "from clients", values: per(totals.messagesIn, 1) },
    ],
    traffic: [
      { label: "out", values: per(totals.bytesOut, 1) },
      { label: "in", values: per(totals.bytesIn, 1) },
    ],
    latency: latencyLines(of("latency"), times.length).map(({ label, values }) => {
      return { label, values: places.map((place) => (place === undefined ? null : (values[place] ?? null))) };
    }),
    transports: present("connections"),
    nodes: present("nodes"),
    refused: counted("refused"),
    webhooks: counted("webhooks", OUTCOMES),
    resumed: counted("resumed"),
    lag: ofNodes(of("lag"), of("memory"), places),
    memory: ofNodes(of("memory"), of("memory"), places),
  };
  return { timesMs, missing, lines };
}

/** The last seconds in the same shape. */
export function insightsOf(points: readonly Point[]): Insights {
  const names = Object.keys(noStatistics()) as (keyof Insights["totals"])[];
  const totals = Object.fromEntries(names.map((name) => [name, points.map((point) => point[name])]));
  const codes = [...new Set(points.flatMap(({ refused = {} }) => Object.keys(refused)))];
  const classes = Math.max(0, ...points.map(({ latency = [] }) => latency.length));
  return {
    ...{ span: "interval", stepMs: 1000, times: points.map(({ atMs }) => atMs) },
    ...{ nodes: [], starts: [] },
    totals: totals as unknown as Insights["totals"],
    measures: [
      ...codes.map((label) => {
        return { measure: "refused", label, values: points.map(({ refused }) => refused?.[label] ?? 0) } as const;
      }),
      ...Array.from({ length: classes }, (_, label) => {
        return {
          measure: "latency",
          label: String(label),
          values: points.map(({ latency }) => latency?.[label] ?? 0),
        } as const;
      }),
    ],
  };
}

/** Nodes that were not there from the beginning, and what somebody changed. */
export function marksOf({ times, measures }: Insights, changes: readonly AuditEntry[]): readonly ChartMark[] {
  const starts = measures.flatMap(({ measure, label, values }) => {
    const first = measure === "memory" ? values.findIndex((bytes) => bytes > 0) : 0;
    return first > 0 ? [{ atMs: times[first] ?? 0, label: `${label} started` }] : [];
  });
  const marks = changes.flatMap(({ what, atMs }) =>
    Object.hasOwn(CHANGES, what) ? [{ atMs, label: CHANGES[what] ?? what }] : [],
  );
  const all = [...starts, ...marks].sort((one, other) => one.atMs - other.atMs);
  return all.slice(-MOST_MARKS);
}

const MOST_MARKS = 8;
const CHANGES: Readonly<Record<string, string>> = {
  "app.create": "app created",
  "app.edit": "app edited",
  "app.rotate": "secret rotated",
  "app.remove": "app removed",
  "node.drain": "node drained",
  "node.drain.end": "drain ended",
  "cluster.rebalance": "spread evenly",
};

/** Of each place what of the times it is; undefined in the middle of a gap, so that no line is drawn over it. */
function withGaps(times: readonly number[], stepMs: number, fromMs: number, nowMs: number) {
  const places: (number | undefined)[] = [];
  const timesMs: number[] = [];
  const missing: (readonly [number, number])[] = [];
  let beforeMs = fromMs;
  for (const [place, atMs] of times.entries()) {
    if (atMs - beforeMs > GAP_STEPS * stepMs) {
      missing.push([beforeMs, atMs]);
      places.push(undefined);
      timesMs.push((beforeMs + atMs) / 2);
    }
    places.push(place);
    timesMs.push(atMs);
    beforeMs = atMs + stepMs;
  }
  if (nowMs - beforeMs > GAP_STEPS * stepMs) missing.push([beforeMs, nowMs]);
  return { places, timesMs, missing };
}

function latencyLines(classes: readonly InsightLine[], length: number) {
  if (classes.length === 0) return [];
  const countsAt = (place: number) => {
    const counts: number[] = Array.from({ length: 16 }, () => 0);
    for (const { label, values } of classes) counts[Number(label)] = values[place] ?? 0;
    return counts;
  };
  return LATENCIES.map(([label, part]) => {
    return { label, values: Array.from({ length }, (_, place) => latencyQuantileMs(countsAt(place), part) ?? null) };
  });
}

/** A node is there where it says how much memory it has. Of those that came and went, the latest. */
function ofNodes(
  lines: readonly InsightLine[],
  memory: readonly InsightLine[],
  places: readonly (number | undefined)[],
): readonly ChartLine[] {
  const lastOf = ({ values }: InsightLine) => values.findLastIndex((value) => value > 0);
  const latest = memory.toSorted((one, other) => lastOf(other) - lastOf(one)).slice(0, MOST_LINES + 1);
  return latest.flatMap((node) => {
    const line = lines.find(({ label }) => label === node.label);
    const valueAt = (place: number) => ((node.values[place] ?? 0) > 0 ? (line?.values[place] ?? null) : null);
    if (!line) return [];
    return [{ label: node.label, values: places.map((place) => (place === undefined ? null : valueAt(place))) }];
  });
}

/** Those with most of it, and the others together. */
function most(lines: readonly InsightLine[]): readonly Pick<InsightLine, "label" | "values">[] {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const sorted = lines.toSorted((one, other) => sum(other.values) - sum(one.values));
  if (sorted.length <= MOST_LINES + 1) return sorted;
  const rest = sorted.slice(MOST_LINES);
  const together = (sorted[0]?.values ?? []).map((_, place) => sum(rest.map(({ values }) => values[place] ?? 0)));
  return [...sorted.slice(0, MOST_LINES), { label: "other", values: together }];
}
