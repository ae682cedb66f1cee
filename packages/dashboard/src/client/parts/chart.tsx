/** One chart: lines over time, or values on top of each other, with what they are at the pointer beside their names. */

import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { clock, dateAndTime } from "../show.ts";
import { type Around, drawAbove, drawBelow, resolved } from "./chart-around.ts";

export interface Line {
  readonly label: string;
  /** A custom property of the style sheet, such as `--line-1`. */
  readonly color: string;
  readonly values: readonly (number | null)[];
}

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
  const { title, times, lines, range, show, steps, theme, stacked, unit, around = NOTHING_AROUND, group } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [at, setAt] = useState<number | null>(null);
  const [isTable, setTable] = useState(false);
  const latest = useRef({ range, show, steps, around, times, lines });
  latest.current = { range, show, steps, around, times, lines };
  const names = lines.map(({ label }) => label).join();
  useEffect(() => {
    const box = place.current;
    if (!box) return;
    let isOver = false;
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: box.clientWidth, height: HEIGHT }));
    // Half of what the first load would weigh with it.
    void import("uplot").then(({ default: Plot }) => {
      if (isOver) return;
      plot.current = new Plot(
        options(box, { lines, stacked, group, paths: Plot.paths }, latest, setAt),
        dataOf(latest.current.times, latest.current.lines, stacked),
        box,
      );
      observer.observe(box);
    });
    return () => {
      isOver = true;
      observer.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names, theme, stacked]);
  useEffect(() => plot.current?.setData(dataOf(times, lines, stacked)), [times, lines, around, range[0], range[1]]);
  const index = at ?? times.length - 1;
  const timeS = times[index];
  return (
    <figure class={props.isWide ? "card chart wide-chart" : "card chart"}>
      <figcaption>
        <h2>
          {title} {unit && <small>{unit}</small>}
        </h2>
        <span class="soft chart-time">{at !== null && timeS !== undefined ? timeText(timeS * 1000, range) : ""}</span>
        <button type="button" class="quiet as-table" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          <span class="unseen">{title}: </span>
          {isTable ? "Hide table" : "Show as table"}
        </button>
        <ul class="legend">
          {lines.map(({ label, color, values }) => (
            <li key={label}>
              <span class="swatch" style={{ background: `var(${color})` }} aria-hidden="true" />
              {label} <strong>{valueText(values[index], show)}</strong>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={place} class="plot" role="img" aria-label={summary(title, lines, show)} />
      {isTable && <ChartTable title={title} times={times} lines={lines} range={range} show={show} />}
    </figure>
  );
}

/** Newest first. */
const MOST_ROWS = 300;

function ChartTable({
  title,
  times,
  lines,
  range,
  show,
}: Pick<ChartProps, "title" | "times" | "lines" | "range" | "show">) {
  const rows = times.flatMap((timeS, index) => {
    const values = lines.map((line) => line.values[index] ?? null);
    return timeS >= range[0] && values.some((value) => value !== null) ? [{ timeS, values }] : [];
  });
  return (
    <div class="table chart-table">
      <table aria-label={title}>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {lines.map(({ label }) => (
              <th key={label} scope="col" class="number">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows
            .toReversed()
            .slice(0, MOST_ROWS)
            .map(({ timeS, values }) => (
              <tr key={timeS}>
                <th scope="row">{timeText(timeS * 1000, range)}</th>
                {values.map((value, at) => (
                  <td key={lines[at]?.label} class="number">
                    {valueText(value, show)}
                  </td>
                ))}
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}

type Drawn = Pick<ChartProps, "lines" | "stacked" | "group"> & { readonly paths: typeof uPlot.paths };
type Latest = { readonly current: Pick<ChartProps, "range" | "show" | "steps"> & { readonly around: Around } };

function options(
  box: HTMLElement,
  { lines, stacked, group, paths }: Drawn,
  latest: Latest,
  setAt: (at: number | null) => void,
): uPlot.Options {
  const color = (name: string) => resolved(box, `var(${name})`);
  const axis = { stroke: color("--soft"), font: `11px ${getComputedStyle(box).fontFamily}`, ticks: { show: false } };
  const grid = { stroke: color("--line"), width: 1 };
  const highest = (max: number | null) => Math.max(max ?? 0, latest.current.around.limit?.value ?? 0) * 1.1 || 1;
  return {
    width: Math.max(200, box.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: {
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
        size: 52,
        values: (_, splits) => splits.map((it) => latest.current.show(it)),
        space: 36,
        incrs: () => [...latest.current.steps],
      },
    ],
    series: [{}, ...inOrder(lines, stacked).map((line) => seriesOf(box, line, { stacked, paths }))],
    hooks: {
      setCursor: [({ cursor }) => setAt(cursor.idx ?? null)],
      drawClear: [(plot) => drawBelow(plot, box, latest.current.around)],
      draw: [(plot) => drawAbove(plot, box, latest.current.around)],
    },
  };
}

type Ways = Pick<Drawn, "stacked" | "paths">;

function seriesOf(box: HTMLElement, { label, color }: Line, { stacked, paths }: Ways): uPlot.Series {
  const stroke = resolved(box, `var(${color})`);
  const mixed = (part: number) => resolved(box, `color-mix(in srgb, var(${color}) ${part}%, var(--card))`);
  const bars = stacked === "bars" && paths.bars?.({ size: [0.8, 24] });
  if (bars) return { label, fill: stroke, width: 0, paths: bars, points: { show: false } };
  const points = { show: true, size: 7, fill: stroke, filter: alone };
  return {
    label,
    stroke,
    width: 1.5,
    points,
    fill: stacked ? mixed(45) : resolved(box, `color-mix(in srgb, var(${color}) 9%, transparent)`),
  };
}

/** What is on top is drawn first, down to the ground, and those below over it. */
function inOrder(lines: readonly Line[], stacked: ChartProps["stacked"]): readonly Line[] {
  return stacked ? lines.toReversed() : lines;
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
  const sums = lines.map(({ values }) => {
    below = values.map((value, at) => (value === null ? null : value + (below[at] ?? 0)));
    return [...below];
  });
  return [[...times], ...sums.toReversed()];
}

function valueText(value: number | null | undefined, show: (value: number) => string): string {
  return value === null || value === undefined ? "–" : show(value);
}

function timeText(ms: number, [from, to]: readonly [number, number]): string {
  return to - from <= 3_600 ? clock(ms).slice(0, 8) : dateAndTime(ms);
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
