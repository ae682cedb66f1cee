/** One chart: lines over time, or values on top of each other, with what they are at the pointer beside their names. */

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { type Around, drawAbove, drawBelow, resolved } from "./chart-around.ts";
import { ChartTable, timeText, valueText } from "./chart-table.tsx";

export interface Line {
  readonly label: string;
  /** A custom property of the style sheet, such as `--line-1`. */
  readonly color: string;
  readonly values: readonly (number | null)[];
  /** To compare with: beside what is stacked, and dashed. */
  readonly isBeside?: boolean | undefined;
}

/** What stands at the right of a title: the numbers, and what they are of. */
export type ChartHead = (values: readonly (number | null)[]) => readonly [value: string, unit: string];

interface ChartProps {
  readonly title: string;
  /** Unix seconds, rising, one for each value. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  /** From and to, in Unix seconds. */
  readonly range: readonly [number, number];
  readonly show: (value: number) => string;
  /** How far apart the lines behind it may be: round numbers are others for bytes than for things that are counted. */
  readonly steps: readonly number[];
  /** Changes when the colours of the page do. */
  readonly theme: string;
  /** On top of each other; lines beside each other where it is absent. */
  readonly stacked?: "areas" | "bars" | undefined;
  /** What the numbers are: "per second". */
  readonly unit?: string | undefined;
  /** What stands at the right of the title, of the pointed at or the last values; else each line's value is beside its name. */
  readonly head?: ChartHead | undefined;
  /** Without an area below them. */
  readonly isBare?: boolean | undefined;
  readonly height?: number | undefined;
  /** What is around the lines. */
  readonly around?: Around | undefined;
  /** Charts of the same name show the same time at the pointer. */
  readonly group?: string | undefined;
  readonly isWide?: boolean | undefined;
}

const HEIGHT = 190;
const NOTHING_AROUND: Around = {};

/** For rates, which may be small. */
export const RATE_STEPS = Array.from(
  { length: 42 },
  (_, at) => ([1, 2, 5][at % 3] ?? 1) * 10 ** (Math.floor(at / 3) - 3),
);
export const COUNT_STEPS = Array.from({ length: 33 }, (_, at) => ([1, 2, 5][at % 3] ?? 1) * 10 ** Math.floor(at / 3));
export const SIZE_STEPS = Array.from({ length: 44 }, (_, at) => 2 ** at);

export function Chart(props: ChartProps) {
  const { title, times, lines, range, show, unit, head, around = NOTHING_AROUND, height = HEIGHT } = props;
  const place = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<At>();
  const [isTable, setTable] = useState(false);
  usePlot(place, { ...props, around, height }, setAt);
  const index = Math.min(at?.index ?? Number.POSITIVE_INFINITY, times.length - 1);
  const timeS = times[index];
  const isPointedAt = at !== undefined && timeS !== undefined;
  const values = lines.map((line) => (at ? (line.values[index] ?? null) : lastOf(line)));
  const [value, of] = head?.(lines.flatMap(({ isBeside }, line) => (isBeside ? [] : [values[line] ?? null]))) ?? [];
  return (
    <figure class={props.isWide ? "card chart wide-chart" : "card chart"}>
      <figcaption>
        <h2>{title}</h2>
        <span class="chart-value">
          <strong>{value}</strong>
          {of}
        </span>
        <Legend {...{ lines, unit }} values={head ? undefined : values.map((one) => valueText(one, show))} />
        <span class="chart-more">
          <button type="button" class="quiet as-table" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
            <span class="unseen">{title}: </span>
            {isTable ? "Hide table" : "Show as table"}
          </button>
          <span class="soft chart-time">{isPointedAt ? timeText(timeS * 1000, range) : ""}</span>
        </span>
      </figcaption>
      <div class="plot-box">
        <div ref={place} class="plot" role="img" aria-label={summary(title, lines, show)} />
        {isPointedAt && at.isHere && head && (
          <div class={at.part > 0.6 ? "plot-tip left" : "plot-tip"} style={{ left: `${at.leftPx}px` }}>
            <span class="soft">{timeText(timeS * 1000, range)}</span>
            {lines.map(({ label, color }, line) => (
              <span key={label}>
                <Key color={color} />
                {label} <strong>{valueText(values[line], show)}</strong>
              </span>
            ))}
          </div>
        )}
      </div>
      {isTable && <ChartTable {...{ title, times, lines, range, show }} />}
    </figure>
  );
}

/** Where the pointer is. */
interface At {
  /** Not over a chart that shows the same time. */
  readonly isHere: boolean;
  readonly index: number;
  readonly leftPx: number;
  /** Of the width. */
  readonly part: number;
}

function Legend({
  lines,
  unit,
  values,
}: Pick<ChartProps, "lines" | "unit"> & { values: readonly string[] | undefined }) {
  if (values === undefined && lines.length === 1) return <small class="legend">{unit}</small>;
  return (
    <ul class="legend">
      {lines.map(({ label, color }, at) => (
        <li key={label}>
          <Key color={color} />
          {label} {values && <strong>{values[at]}</strong>}
        </li>
      ))}
    </ul>
  );
}

function Key({ color }: { color: string }) {
  return <span class="swatch" style={{ background: `var(${color})` }} aria-hidden="true" />;
}

function lastOf({ values }: Line): number | null {
  return values.findLast((value) => value !== null) ?? null;
}

type Plotted = Omit<ChartProps, "around" | "height"> & { readonly around: Around; readonly height: number };

function usePlot(place: RefObject<HTMLDivElement | null>, props: Plotted, setAt: (at: At | undefined) => void): void {
  const { times, lines, range, theme, stacked, around, height } = props;
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const names = lines.map(({ label, isBeside }) => `${label}${isBeside ? " beside" : ""}`).join();
  useEffect(() => {
    const box = place.current;
    if (!box) return;
    let isOver = false;
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: box.clientWidth, height }));
    // Half of what the first load would weigh with it.
    void import("uplot").then(({ default: Plot }) => {
      if (isOver) return;
      const data = dataOf(latest.current.times, latest.current.lines, stacked);
      plot.current = new Plot(options(box, { ...latest.current, paths: Plot.paths }, latest, setAt), data, box);
      observer.observe(box);
    });
    return () => {
      isOver = true;
      observer.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names, theme, stacked, height]);
  useEffect(() => plot.current?.setData(dataOf(times, lines, stacked)), [times, lines, around, range[0], range[1]]);
}

type Drawn = Pick<Plotted, "lines" | "stacked" | "group" | "isBare" | "height"> & {
  readonly paths: typeof uPlot.paths;
};
type Latest = { readonly current: Plotted };

function options(
  box: HTMLElement,
  { lines, stacked, group, paths, isBare, height }: Drawn,
  latest: Latest,
  setAt: (at: At | undefined) => void,
): uPlot.Options {
  const color = (name: string) => resolved(box, `var(${name})`);
  const axis = { stroke: color("--soft"), font: `11px ${getComputedStyle(box).fontFamily}`, ticks: { show: false } };
  const grid = { stroke: color("--line"), width: 1 };
  const highest = (max: number | null) => Math.max(max ?? 0, latest.current.around.limit?.value ?? 0) * 1.1 || 1;
  return {
    width: Math.max(200, box.clientWidth),
    height,
    legend: { show: false },
    padding: [8, 6, 0, 0],
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 6, show: stacked === undefined },
      ...(group !== undefined && { sync: { key: group } }),
    },
    scales: { x: { range: () => [...latest.current.range] }, y: { range: (_, __, max) => [0, highest(max)] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 70,
        size: 26,
        values: (_, splits) => splits.map((it) => tick(it * 1000, latest.current.range)),
      },
      {
        ...axis,
        grid,
        size: (_, values) => 14 + 6 * Math.max(2, ...(values ?? []).map((value) => value.length)),
        values: (_, splits) => splits.map((it) => latest.current.show(it)),
        space: 28,
        incrs: () => [...latest.current.steps],
      },
    ],
    series: [{}, ...inOrder(lines, stacked).map((line) => seriesOf(box, line, { stacked, paths, isBare }))],
    hooks: {
      setCursor: [(plot) => setAt(pointedAt(plot, box))],
      drawClear: [(plot) => drawBelow(plot, box, latest.current.around)],
      draw: [(plot) => drawAbove(plot, box, latest.current.around)],
    },
  };
}

function pointedAt({ cursor: { idx, left = -1 }, bbox }: uPlot, box: HTMLElement): At | undefined {
  if (typeof idx !== "number" || left < 0) return undefined;
  const leftPx = bbox.left / devicePixelRatio + left;
  return { isHere: box.matches(":hover"), index: idx, leftPx, part: leftPx / Math.max(1, box.clientWidth) };
}

type Ways = Pick<Drawn, "stacked" | "paths" | "isBare">;

function seriesOf(box: HTMLElement, line: Line, { stacked, paths, isBare }: Ways): uPlot.Series {
  const { label, color, isBeside } = line;
  const stroke = resolved(box, `var(${color})`);
  if (isBeside) return { label, stroke, width: 1.5, dash: [4, 4], points: { show: false } };
  const mixed = (part: number) => resolved(box, `color-mix(in srgb, var(${color}) ${part}%, var(--card))`);
  const bars = stacked === "bars" && paths.bars?.({ size: [0.85, 24] });
  if (bars) return { label, fill: stroke, width: 0, paths: bars, points: { show: false } };
  const points = { show: true, size: 7, fill: stroke, filter: alone };
  const below = stacked ? mixed(45) : resolved(box, `color-mix(in srgb, var(${color}) 10%, transparent)`);
  return { label, stroke, width: 1.75, points, ...(isBare ? {} : { fill: below }) };
}

/** What is on top is drawn first, down to the ground, and those below over it; what is compared with over all. */
function inOrder(lines: readonly Line[], stacked: ChartProps["stacked"]): readonly Line[] {
  if (!stacked) return lines;
  return [...lines.filter((line) => !line.isBeside).toReversed(), ...lines.filter((line) => line.isBeside)];
}

/** No line leads to them or away from them, and without a mark of their own they would not be seen. */
function alone({ data }: uPlot, series: number): number[] {
  const values = data[series] ?? [];
  const isThere = (at: number) => values[at] !== null && values[at] !== undefined;
  return Array.from(values.keys()).filter((at) => isThere(at) && !isThere(at - 1) && !isThere(at + 1));
}

function dataOf(times: readonly number[], lines: readonly Line[], stacked: ChartProps["stacked"]): uPlot.AlignedData {
  if (!stacked) return [[...times], ...lines.map(({ values }) => [...values])];
  let below: readonly (number | null)[] = times.map(() => 0);
  const sums = new Map<Line, (number | null)[]>();
  for (const line of lines) {
    if (line.isBeside) continue;
    below = line.values.map((value, at) => (value === null ? null : value + (below[at] ?? 0)));
    sums.set(line, [...below]);
  }
  return [[...times], ...inOrder(lines, stacked).map((line) => sums.get(line) ?? [...line.values])];
}

const HOURS = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const DAYS = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const DAY_S = 86_400;

function tick(ms: number, [from, to]: readonly [number, number]): string {
  return to - from > DAY_S ? DAYS.format(ms) : HOURS.format(ms);
}

/** For those who do not see it. */
function summary(title: string, lines: readonly Line[], show: (value: number) => string): string {
  const parts = lines.map(({ label, values }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `${label}: nothing`;
    return `${label}: last ${show(known.at(-1) ?? 0)}, highest ${show(known.reduce((a, b) => Math.max(a, b), 0))}`;
  });
  return `${title}. ${parts.join("; ")}.`;
}
