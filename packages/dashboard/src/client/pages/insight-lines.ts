/** What the charts of Insights draw, made of what the server stored or of the last seconds: rates, stacks, and where nothing is known. */

import {
  type AuditEntry,
  type InsightLine,
  type Insights,
  latencyQuantileMs,
  noStatistics,
  type Point,
} from "fanfare/wire/admin";
import { coarser, pointMs } from "./insight-spans.ts";
import { OTHER, reasonWords, transportWords } from "./insight-words.ts";

export interface ChartLine {
  readonly label: string;
  /** Null where nothing is known. */
  readonly values: readonly (number | null)[];
  /** To compare with: not a part of what is stacked. */
  readonly isBeside?: boolean;
}

/** A change, or a beginning, drawn as a line from top to bottom. */
export interface ChartMark {
  readonly atMs: number;
  readonly label: string;
  /** Where there is little room. */
  readonly short: string;
}

/** The lines of every chart that there is something for; all values go with the times. */
export interface Pictures {
  readonly timesMs: readonly number[];
  /** How long a point is. */
  readonly pointMs: number;
  /** From and to, in Unix milliseconds: the server did not run, or counted nothing. */
  readonly missing: readonly (readonly [number, number])[];
  readonly lines: Readonly<Partial<Record<ChartName, readonly ChartLine[]>>>;
}

export type ChartName =
  | ("out" | "latency" | "in" | "transports" | "nodes" | "refused")
  | ("webhooks" | "resumed" | "lag" | "memory" | "traffic");

/** Of each second, as many as there are points. */
export interface NodeConnections {
  readonly name: string;
  readonly values: readonly number[];
}

interface Shape {
  readonly fromMs: number;
  readonly nowMs: number;
  /** About as many points as there is room for: several spans become one. */
  readonly most?: number;
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
const OUTCOMES: Readonly<Record<string, string>> = { sent: "Delivered", retried: "Retried", dead: "Failed" };
const RESUMED: Readonly<Record<string, string>> = { recovered: "Recovered", lost: "Lost events" };

export function picturesOf(
  exact: Insights,
  { fromMs, nowMs, most: mostPoints = Number.POSITIVE_INFINITY }: Shape,
): Pictures {
  const given = coarser(exact, pointMs(exact.stepMs, (nowMs - fromMs) / mostPoints), nowMs);
  const { times, stepMs, totals, lengthsMs } = given;
  const { places, timesMs, missing } = withGaps(times, stepMs, fromMs, nowMs);
  const spread = (values: readonly number[]) =>
    places.map((place) => (place === undefined ? null : (values[place] ?? 0)));
  const per = (values: readonly number[], seconds: number) =>
    spread(values.map((value, place) => (value / (lengthsMs[place] ?? stepMs)) * 1000 * seconds));
  const of = (measure: InsightLine["measure"]) => given.measures.filter((line) => line.measure === measure);
  const counted = (measure: InsightLine["measure"], nameOf: (label: string) => string) =>
    most(of(measure)).map(({ label, values }) => ({ label: nameOf(label), values: per(values, 60) }));
  /** All of them, as soon as there is one: in this order, so that each has its place. */
  const named = (measure: InsightLine["measure"], names: Readonly<Record<string, string>>) => {
    const all = of(measure);
    const valuesOf = (name: string) => all.find(({ label }) => label === name)?.values ?? times.map(() => 0);
    if (all.length === 0) return [];
    return Object.entries(names).map(([name, label]) => ({ label, values: per(valuesOf(name), 60) }));
  };
  const present = (measure: InsightLine["measure"], nameOf: (label: string) => string) =>
    most(of(measure)).map(({ label, values }) => ({ label: nameOf(label), values: spread(values) }));
  const lines = {
    out: [{ label: "To clients", values: per(totals.messagesOut, 1) }],
    in: [
      { label: "From back ends", values: per(totals.apiMessages, 1) },
      { label: "From clients", values: per(totals.messagesIn, 1) },
    ],
    traffic: [
      { label: "Out", values: per(totals.bytesOut, 1) },
      { label: "In", values: per(totals.bytesIn, 1) },
    ],
    latency: latencyLines(of("latency"), times.length).map(({ label, values }) => {
      return { label, values: places.map((place) => (place === undefined ? null : (values[place] ?? null))) };
    }),
    transports: present("connections", transportWords),
    nodes: present("nodes", asIs).toSorted(byName),
    refused: counted("refused", reasonWords),
    webhooks: named("webhooks", OUTCOMES),
    resumed: named("resumed", RESUMED),
    lag: ofNodes(of("lag"), of("memory"), places),
    memory: ofNodes(of("memory"), of("memory"), places),
  };
  return { timesMs, pointMs: stepMs, missing, lines };
}

interface Earlier extends Pick<Pictures, "timesMs" | "pointMs"> {
  readonly lines: readonly ChartLine[];
  readonly shiftMs: number;
}

/** What earlier lines were in sum, at the times of the later ones; null where nothing is known of it. */
export function compared(earlier: Earlier, { timesMs }: Pick<Pictures, "timesMs">): readonly (number | null)[] {
  const sums = earlier.timesMs.map((_, place) => {
    const known = earlier.lines.flatMap(({ values }) => values[place] ?? []);
    return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) : null;
  });
  let place = 0;
  return timesMs.map((atMs) => {
    const wantedMs = atMs - earlier.shiftMs;
    const distanceAt = (at: number) => Math.abs((earlier.timesMs[at] ?? Number.POSITIVE_INFINITY) - wantedMs);
    while (place + 1 < sums.length && distanceAt(place + 1) <= distanceAt(place)) place++;
    return distanceAt(place) <= earlier.pointMs ? (sums[place] ?? null) : null;
  });
}

/** The last seconds in the same shape. */
export function insightsOf(points: readonly Point[], connections: readonly NodeConnections[] = []): Insights {
  const names = Object.keys(noStatistics()) as (keyof Insights["totals"])[];
  const totals = Object.fromEntries(names.map((name) => [name, points.map((point) => point[name])]));
  const codes = [...new Set(points.flatMap(({ refused = {} }) => Object.keys(refused)))];
  const classes = Math.max(0, ...points.map(({ latency = [] }) => latency.length));
  return {
    ...{ span: "interval", stepMs: 1000, times: points.map(({ atMs }) => atMs) },
    ...{ nodes: connections.map(({ name }) => name), starts: [] },
    totals: totals as unknown as Insights["totals"],
    measures: [
      ...connections.map(({ name, values }) => ({ measure: "nodes", label: name, values }) as const),
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
export function marksOf(given: Pick<Insights, "starts">, changes: readonly AuditEntry[]): readonly ChartMark[] {
  const starts = given.starts.map(({ node, atMs, isAgain }) => {
    const what = isAgain ? "restarted" : "started";
    return { atMs, label: `${node} ${what}`, short: what };
  });
  const marks = changes.flatMap(({ what, atMs }) =>
    Object.hasOwn(CHANGES, what) ? [{ atMs, label: CHANGES[what] ?? what, short: CHANGES[what] ?? what }] : [],
  );
  const all = [...starts, ...marks].sort((one, other) => one.atMs - other.atMs);
  return all.slice(-MOST_MARKS);
}

/** A node has the same colour in every chart. */
function byName({ label: one }: Pick<ChartLine, "label">, { label: other }: Pick<ChartLine, "label">): number {
  return Number(one === OTHER) - Number(other === OTHER) || one.localeCompare(other, undefined, { numeric: true });
}

function asIs(label: string): string {
  return label;
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
  return latest.toSorted(byName).flatMap((node) => {
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
  return [...sorted.slice(0, MOST_LINES), { label: OTHER, values: together }];
}
