/** One chart: lines over time, with what they are at the pointer beside their names. */

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { clock, dateAndTime } from "../show.ts";

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
}

const HEIGHT = 190;

export const COUNT_STEPS = Array.from({ length: 33 }, (_, at) => ([1, 2, 5][at % 3] ?? 1) * 10 ** Math.floor(at / 3));
export const SIZE_STEPS = Array.from({ length: 44 }, (_, at) => 2 ** at);

export function Chart({ title, times, lines, range, show, steps, theme }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [at, setAt] = useState<number | null>(null);
  const latest = useRef({ range, show, steps });
  latest.current = { range, show, steps };
  const names = lines.map(({ label }) => label).join();
  useEffect(() => {
    const box = place.current;
    if (!box) return;
    const made = new uPlot(options(box, lines, latest, setAt), dataOf(times, lines), box);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: box.clientWidth, height: HEIGHT }));
    observer.observe(box);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [names, theme]);
  useEffect(() => plot.current?.setData(dataOf(times, lines)), [times, lines, range[0], range[1]]);
  const index = at ?? times.length - 1;
  const timeS = times[index];
  return (
    <figure class="card chart">
      <figcaption>
        <h2>{title}</h2>
        <span class="soft chart-time">{at !== null && timeS !== undefined ? timeText(timeS * 1000, range) : ""}</span>
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
    </figure>
  );
}

type Latest = { readonly current: Pick<ChartProps, "range" | "show" | "steps"> };

function options(
  box: HTMLElement,
  lines: readonly Line[],
  latest: Latest,
  setAt: (at: number | null) => void,
): uPlot.Options {
  const color = (name: string) => resolved(box, name);
  const axis = { stroke: color("--soft"), font: `11px ${getComputedStyle(box).fontFamily}`, ticks: { show: false } };
  const grid = { stroke: color("--line"), width: 1 };
  return {
    width: Math.max(200, box.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { range: () => [...latest.current.range] },
      y: { range: (_, __, max) => [0, Math.max(1, (max ?? 0) * 1.1)] },
    },
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
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        fill: color(line.color).replace(")", " / 9%)").replaceAll(",", ""),
        width: 1.5,
        points: { show: true, size: 7, fill: color(line.color), filter: alone },
      })),
    ],
    hooks: { setCursor: [({ cursor }) => setAt(cursor.idx ?? null)] },
  };
}

/** No line leads to them or away from them, and without a mark of their own they would not be seen. */
function alone({ data }: uPlot, series: number): number[] {
  const values = data[series] ?? [];
  const isThere = (at: number) => values[at] !== null && values[at] !== undefined;
  return Array.from(values.keys()).filter((at) => isThere(at) && !isThere(at - 1) && !isThere(at + 1));
}

/** `rgb(…)`: a canvas knows no custom properties. */
function resolved(box: HTMLElement, name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  box.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function dataOf(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])];
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
