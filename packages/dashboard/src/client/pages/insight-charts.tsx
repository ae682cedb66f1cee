/** The charts of Insights: what each is called, how its numbers are written, and what is drawn around its lines. */

import { type AuditEntry, OVERLOADED_LAG_MS, type Insights as Wire } from "fanfare/wire/admin";
import { useMemo } from "preact/hooks";
import { Chart, type ChartHead, COUNT_STEPS, RATE_STEPS, SIZE_STEPS } from "../parts/chart.tsx";
import { chosenApp } from "../route.ts";
import { count, percent, rateText, short, size } from "../show.ts";
import { themeKey } from "../theme.ts";
import type { CsvPart } from "./insight-csv.ts";
import { type ChartLine, type ChartMark, type ChartName, compared, marksOf, picturesOf } from "./insight-lines.ts";

interface Picture {
  readonly name: ChartName;
  readonly title: string;
  /** What one line is of; of several the legend says it. */
  readonly unit?: string;
  readonly head: ChartHead;
  readonly show: (value: number) => string;
  readonly steps: readonly number[];
  readonly stacked?: "areas" | "bars";
  readonly isBare?: boolean;
  /** Of the custom properties `--line-1` and so on: by the line's place, or by its label. */
  readonly colors?: readonly number[] | Readonly<Record<string, number>>;
  /** Of the server, whatever app is chosen. */
  readonly isOfServer?: boolean;
  /** Where it shows that a node started, or somebody changed something. */
  readonly isMarked?: boolean;
}

const LINES = 150;
const BARS = 36;
const TOP_HEIGHT = 190;
const HEIGHT = 160;

const PER_S = { show: rateText, steps: RATE_STEPS, head: sumOf(rateText, "/s") };
const PER_MIN = { show: rateText, steps: RATE_STEPS, stacked: "bars", head: sumOf(rateText, "/min") } as const;
const PRESENT = { show: short, steps: COUNT_STEPS, stacked: "areas", head: sumOf(count, "") } as const;
const OF_NODES = { isBare: true, isOfServer: true, colors: [1, 3, 4, 2, 5, 6] } as const;
const PICTURES: readonly Picture[] = [
  { name: "out", title: "Messages out", unit: "per second", ...PER_S, colors: [2], isMarked: true },
  {
    ...{ name: "latency", title: "Delivery latency", show: rateText, steps: RATE_STEPS, head: eachOf(rateText, true) },
    ...{ isBare: true, colors: [4, 3, 1], isOfServer: true },
  },
  { name: "in", title: "Messages in", ...PER_S, stacked: "areas", colors: [2, 1] },
  { name: "transports", title: "Connections by protocol, transport", ...PRESENT },
  { name: "nodes", title: "Connections by node", ...PRESENT, colors: [1, 3, 4, 2, 5, 6] },
  { name: "refused", title: "Refused, by reason", ...PER_MIN, colors: [5, 2, 4, 1, 3, 6] },
  { name: "webhooks", title: "Webhooks", ...PER_MIN, colors: { Delivered: 3, Retried: 2, Failed: 5 } },
  {
    ...{ name: "resumed", title: "Reconnects", ...PER_MIN, unit: "subscriptions that came back, per minute" },
    ...{ colors: { Recovered: 3, "Lost events": 5 }, isMarked: true, head: recoveredOf },
  },
  {
    ...{ name: "lag", title: "Event loop lag", unit: "the highest", show: short, steps: COUNT_STEPS },
    ...{ ...OF_NODES, head: eachOf(short, false) },
  },
  {
    ...{ name: "memory", title: "Memory", unit: "the highest", show: size, steps: SIZE_STEPS, ...OF_NODES },
    ...{ head: sumOf(size, ""), isMarked: true },
  },
  {
    ...{ name: "traffic", title: "Traffic", show: size, steps: SIZE_STEPS, colors: [2, 1] },
    head: ([out]) => [size(out ?? 0), "/s out"],
  },
];

export interface InsightChartsProps {
  readonly insights: Wire;
  /** The same length of time before, to compare with. */
  readonly before: { readonly insights: Wire; readonly words: string; readonly shiftMs: number } | undefined;
  readonly fromMs: number;
  readonly nowMs: number;
  readonly changes: readonly AuditEntry[];
}

export function InsightCharts(props: InsightChartsProps) {
  const { insights, changes, fromMs, nowMs } = props;
  const drawn = useMemo(() => drawnOf(props), [insights, props.before, fromMs, nowMs]);
  const marks = useMemo(() => marksOf(insights, changes), [insights, changes]);
  const charts = useMemo(
    () =>
      drawn.map(({ picture, missing, timesMs, ...rest }) => {
        const words = picture.name === "out" ? "label" : "short";
        const its = picture.isMarked ? marks.map((mark) => markInSeconds(mark, words)) : [];
        const limit = picture.name === "lag" ? { limit: LAG_LIMIT } : {};
        const around = { missing: missing.map(inSeconds), marks: its, ...limit };
        return { ...rest, picture, around, times: timesMs.map((ms) => ms / 1000) };
      }),
    [drawn, marks],
  );
  return (
    <div class="charts insights">
      {charts.map(({ picture, lines, times, around, averagedMs }) => (
        <Chart
          key={picture.name}
          {...{ times, lines, around, group: "insights", theme: themeKey.value }}
          {...{ title: picture.title, head: picture.head, show: picture.show, steps: picture.steps }}
          {...{ stacked: picture.stacked, isBare: picture.isBare, isWide: picture.name === "out" }}
          unit={noteOf(picture, averagedMs)}
          range={[fromMs / 1000, nowMs / 1000]}
          height={picture.name === "out" || picture.name === "latency" ? TOP_HEIGHT : HEIGHT}
        />
      ))}
    </div>
  );
}

/** Lines and bars of what is shown, for a spreadsheet. */
export function csvPartsOf(props: InsightChartsProps): readonly CsvPart[] {
  return drawnOf(props).map(({ picture, timesMs, lines }) => ({ title: picture.title, timesMs, lines }));
}

const LAG_LIMIT = { value: OVERLOADED_LAG_MS, label: `overloaded above ${OVERLOADED_LAG_MS} ms` };
/** A sum of them says nothing. */
const UNCOMPARED: readonly ChartName[] = ["latency", "lag"];

interface DrawnLine extends ChartLine {
  readonly color: string;
}

function drawnOf({ insights, before, fromMs, nowMs }: InsightChartsProps) {
  const [fine, coarse] = [LINES, BARS].map((most) => {
    const shape = { fromMs, nowMs, most };
    const earlier = before && { fromMs: fromMs - before.shiftMs, nowMs: nowMs - before.shiftMs, most };
    return { now: picturesOf(insights, shape), was: before && earlier && picturesOf(before.insights, earlier) };
  });
  return PICTURES.flatMap((picture) => {
    const { now, was } = (picture.stacked === "bars" ? coarse : fine) ?? {};
    const all = now?.lines[picture.name] ?? [];
    if (!now || all.length === 0) return [];
    const lines: DrawnLine[] = all.map((line, at) => ({ ...line, color: colorOf(picture, line.label, at) }));
    const earlier = was?.lines[picture.name] ?? [];
    if (before && was && earlier.length > 0 && !UNCOMPARED.includes(picture.name)) {
      const of = picture.stacked ? earlier : earlier.slice(0, 1);
      const values = compared({ ...was, lines: of, shiftMs: before.shiftMs }, now);
      lines.push({ label: before.words, values, isBeside: true, color: "--line-6" });
    }
    const { timesMs, missing, pointMs } = now;
    return [{ picture, lines, timesMs, missing, averagedMs: pointMs > insights.stepMs ? pointMs : undefined }];
  });
}

function noteOf({ unit, isOfServer }: Picture, averagedMs: number | undefined): string {
  const averages = averagedMs === undefined ? undefined : `averages of ${shortLasting(averagedMs)}`;
  return [unit, averages, isOfServer && chosenApp.value !== undefined && "all apps"].filter(Boolean).join(", ");
}

function shortLasting(ms: number): string {
  if (ms < 60_000) return `${count(ms / 1_000)} s`;
  return ms < 3_600_000 ? `${count(ms / 60_000)} min` : `${count(ms / 3_600_000)} h`;
}

function sumOf(show: (value: number) => string, unit: string): ChartHead {
  return (values) => (values.some((value) => value !== null) ? [show(total(values)), unit] : ["–", ""]);
}

/** In milliseconds, of each line; of quantiles the lowest first. */
function eachOf(show: (value: number) => string, isRising: boolean): ChartHead {
  return (values) => {
    const known = values.flatMap((value) => (value === null ? [] : [show(value)]));
    return known.length > 0 ? [(isRising ? known.toReversed() : known).join(" · "), " ms"] : ["–", ""];
  };
}

function recoveredOf(values: readonly (number | null)[]): readonly [string, string] {
  const all = total(values);
  // The lines are sorted by how much there is of them, and those that recovered are all but always the most.
  return all > 0 ? [rateText(all), `/min, ${percent((values[0] ?? 0) / all)} recovered`] : ["0", "/min"];
}

function total(values: readonly (number | null)[]): number {
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}

function colorOf({ colors = [] }: Picture, label: string, at: number): string {
  const found =
    "length" in colors ? (colors as readonly number[])[at] : (colors as Readonly<Record<string, number>>)[label];
  return `--line-${found ?? (at % 6) + 1}`;
}

function inSeconds([from, to]: readonly [number, number]): readonly [number, number] {
  return [from / 1000, to / 1000];
}

function markInSeconds(mark: ChartMark, words: "label" | "short") {
  return { atS: mark.atMs / 1000, label: mark[words] };
}
