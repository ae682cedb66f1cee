/** Lines over the last minutes, each in a panel of its own scale below the other, with what they were at the pointer beside their names. */

import { useEffect, useRef, useState } from "preact/hooks";
import { clock, short } from "../show.ts";
import { ValuesTable } from "./chart-table.tsx";

export interface Panel {
  readonly label: string;
  /** A custom property of the style sheet, such as `--line-1`. */
  readonly color: string;
  readonly values: readonly number[];
  readonly height: number;
}

interface PlotProps {
  readonly title: string;
  /** Unix milliseconds, rising, one for each value. */
  readonly times: readonly number[];
  readonly panels: readonly Panel[];
  readonly endMs: number;
  readonly lengthMs: number;
  readonly link?: preact.ComponentChildren;
}

const LEFT = 44;
const RIGHT = 12;
const BELOW = 20;
/** Above the highest line, so that half a letter has room. */
const ABOVE = 8;
/** One line behind it for so many pixels. */
const PER_LINE = 36;
const NARROW = 420;

export function Plot({ title, times, panels, endMs, lengthMs, link }: PlotProps) {
  const [at, point] = useState<number | undefined>(undefined);
  const [isTable, setTable] = useState(false);
  const { ref, width } = useWidth();
  const startMs = endMs - lengthMs;
  const x = (ms: number) => LEFT + ((ms - startMs) / lengthMs) * Math.max(1, width - LEFT - RIGHT);
  const index = at ?? times.length - 1;
  const move = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const ms = startMs + ((event.clientX - box.left - LEFT) / Math.max(1, width - LEFT - RIGHT)) * lengthMs;
    point(nearest(times, ms));
  };
  return (
    <figure class="card chart plot-card">
      <figcaption>
        <h2>{title}</h2>
        <ul class="legend">
          {panels.map(({ label, color, values }) => (
            <li key={label}>
              <span class="swatch line" style={{ background: `var(${color})` }} aria-hidden="true" />
              {label} <strong>{values[index] === undefined ? "–" : short(values[index])}</strong>
            </li>
          ))}
        </ul>
        <span class="soft chart-time">{at === undefined ? "" : clock(times[at] ?? 0).slice(0, 8)}</span>
        <span class="grow" />
        <button type="button" class="quiet as-table" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          <span class="unseen">{title}: </span>
          {isTable ? "Hide table" : "Show as table"}
        </button>
        {link && <small>{link}</small>}
      </figcaption>
      <div ref={ref} class="panels" role="img" aria-label={summary(title, panels)}>
        {width > 0 &&
          panels.map((panel) => (
            <PanelView
              key={panel.label}
              panel={panel}
              {...{ times, width, x, startMs, lengthMs }}
              at={at}
              move={move}
              leave={() => point(undefined)}
            />
          ))}
      </div>
      {isTable && <PlotTable title={title} times={times} panels={panels} />}
    </figure>
  );
}

interface PanelProps {
  readonly panel: Panel;
  readonly times: readonly number[];
  readonly width: number;
  readonly x: (ms: number) => number;
  readonly startMs: number;
  readonly lengthMs: number;
  readonly at: number | undefined;
  readonly move: (event: PointerEvent) => void;
  readonly leave: () => void;
}

function PanelView({ panel, times, width, x, startMs, lengthMs, at, move, leave }: PanelProps) {
  const { color, values, height } = panel;
  const step = stepOf(Math.max(1, ...values), height / PER_LINE);
  const top = Math.max(1, Math.ceil(Math.max(...values, 0) / step)) * step;
  const y = (value: number) => ABOVE + (1 - value / top) * height;
  const rules = Array.from({ length: Math.round(top / step) + 1 }, (_, rule) => rule * step);
  const line = times
    .map((ms, index) => `${index === 0 ? "M" : "L"}${x(ms).toFixed(1)} ${y(values[index] ?? 0).toFixed(1)}`)
    .join("");
  const [first = startMs, last = startMs] = [times[0], times.at(-1)];
  const ground = y(0);
  const known = Math.min(width - RIGHT, Math.max(LEFT, x(first)));
  return (
    <svg
      width={width}
      height={ABOVE + height + BELOW}
      aria-hidden="true"
      onPointerMove={move}
      onPointerLeave={leave}
      class="panel"
    >
      <defs>
        <pattern id="unknown" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <path d="M0 0v6" />
        </pattern>
      </defs>
      {rules.map((rule) => (
        <g key={rule}>
          <path class="rule" d={`M${LEFT} ${Math.round(y(rule)) + 0.5}H${width - RIGHT}`} />
          <text x={LEFT - 8} y={y(rule) + 4} text-anchor="end">
            {short(rule)}
          </text>
        </g>
      ))}
      {/* Of before the first nothing is known, which is neither zero nor blank. */}
      {known > LEFT + 4 && <rect class="unknown" x={LEFT} y={ABOVE} width={known - LEFT} height={height} />}
      {times.length > 1 && (
        <>
          <path d={`${line}L${x(last)} ${ground}L${x(first)} ${ground}Z`} fill={`var(${color})`} opacity="0.1" />
          <path d={line} fill="none" stroke={`var(${color})`} stroke-width="1.75" stroke-linejoin="round" />
        </>
      )}
      {at !== undefined && times[at] !== undefined && (
        <>
          <path class="cross" d={`M${x(times[at])} ${ABOVE}v${height}`} />
          <circle cx={x(times[at])} cy={y(values[at] ?? 0)} r="3.5" fill={`var(${color})`} />
        </>
      )}
      {labels(lengthMs, width).map(([text, part], place, all) => (
        <text
          key={text}
          x={LEFT + part * (width - LEFT - RIGHT)}
          y={ABOVE + height + 15}
          text-anchor={place === 0 ? "start" : place === all.length - 1 ? "end" : "middle"}
        >
          {text}
        </text>
      ))}
    </svg>
  );
}

/** Of the time below it: "−5 min" at the start, "now" at the end. */
function labels(lengthMs: number, width: number): readonly (readonly [string, number])[] {
  const minutes = lengthMs / 60_000;
  const parts = width < NARROW ? 2 : Math.round(minutes);
  return Array.from({ length: parts + 1 }, (_, at) => {
    const left = Number((minutes - (minutes * at) / parts).toFixed(1));
    return [left === 0 ? "now" : `−${left} min`, at / parts] as const;
  });
}

/** 1, 2 or 5 and noughts: so that there are about so many lines up to the highest value. */
function stepOf(most: number, lines: number): number {
  const least = most / Math.max(1, lines);
  const power = 10 ** Math.floor(Math.log10(least));
  return Math.max(1, [1, 2, 5, 10].map((times) => times * power).find((step) => step >= least) ?? least);
}

function nearest(times: readonly number[], ms: number): number | undefined {
  if (times.length === 0) return undefined;
  return times.reduce((best, time, at) => (Math.abs(time - ms) < Math.abs((times[best] ?? 0) - ms) ? at : best), 0);
}

function PlotTable({ title, times, panels }: Pick<PlotProps, "title" | "times" | "panels">) {
  const rows = times.map((ms, at) => ({
    key: ms,
    time: clock(ms).slice(0, 8),
    values: panels.map(({ values }) => short(values[at] ?? 0)),
  }));
  return <ValuesTable title={title} labels={panels.map(({ label }) => label)} rows={rows.reverse()} />;
}

function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const [width, set] = useState(0);
  useEffect(() => {
    const box = ref.current;
    if (!box) return;
    const observer = new ResizeObserver(() => set(box.clientWidth));
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  return { ref, width };
}

/** For those who do not see it. */
function summary(title: string, panels: readonly Panel[]): string {
  const parts = panels.map(({ label, values }) =>
    values.length === 0
      ? `${label}: nothing`
      : `${label}: last ${short(values.at(-1) ?? 0)}, highest ${short(Math.max(...values))}`,
  );
  return `${title}. ${parts.join("; ")}.`;
}
