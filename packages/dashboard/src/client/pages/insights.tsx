/** Insights: how much there was, of what kind, on which node, and what failed, from the last seconds to the last ninety days. */

import { type AuditEntry, OVERLOADED_LAG_MS, type Insights as Wire } from "fanfare/wire/admin";
import { useEffect, useMemo, useState } from "preact/hooks";
import { call, path, type Refused, refusedBy } from "../api.ts";
import { appName, has } from "../overview.ts";
import { useAnswer } from "../parts/answer.ts";
import { Chart, COUNT_STEPS, RATE_STEPS, SIZE_STEPS } from "../parts/chart.tsx";
import { Empty, Failure, Waiting } from "../parts/notes.tsx";
import { useSeconds } from "../parts/seconds.ts";
import { Head, useNow } from "../parts/small.tsx";
import { change, chosenApp, place } from "../route.ts";
import { may } from "../session.ts";
import { dateAndTime, lasting, rateText, short, size } from "../show.ts";
import { themeKey } from "../theme.ts";
import { type ChartMark, type ChartName, insightsOf, marksOf, picturesOf } from "./insight-lines.ts";
import { isRange, RANGES, type RangeName } from "./series.ts";

interface Picture {
  readonly name: ChartName;
  readonly title: string;
  readonly unit: string;
  readonly show: (value: number) => string;
  readonly steps: readonly number[];
  readonly stacked?: "areas" | "bars";
  /** Of the custom properties `--line-1` and so on: by the line's place, or by its label. */
  readonly colors?: readonly number[] | Readonly<Record<string, number>>;
  /** Of the server, whatever app is chosen. */
  readonly isOfServer?: boolean;
}

const PER_S = { unit: "per second", show: rateText, steps: RATE_STEPS };
const PER_MIN = { unit: "per minute", show: rateText, steps: RATE_STEPS, stacked: "bars" } as const;
const COUNTED = { show: short, steps: COUNT_STEPS };
const PICTURES: readonly Picture[] = [
  { name: "out", title: "Messages out", ...PER_S, colors: [2] },
  {
    ...{ name: "latency", title: "Delivery latency", unit: "milliseconds", show: rateText, steps: RATE_STEPS },
    ...{ colors: [4, 3, 1], isOfServer: true },
  },
  { name: "in", title: "Messages in", ...PER_S, stacked: "areas", colors: [2, 1] },
  { name: "transports", title: "Connections by protocol, transport", unit: "", ...COUNTED, stacked: "areas" },
  { name: "nodes", title: "Connections by node", unit: "", ...COUNTED, stacked: "areas" },
  { name: "refused", title: "Refused by reason", ...PER_MIN, colors: [5, 2, 4, 1, 3, 6] },
  { name: "webhooks", title: "Webhooks", ...PER_MIN, colors: { delivered: 3, retried: 2, failed: 5 } },
  { name: "resumed", title: "Resumed subscriptions", ...PER_MIN, colors: { recovered: 3, lost: 5 } },
  {
    ...{ name: "lag", title: "Event loop lag", unit: "milliseconds, the highest", ...COUNTED },
    isOfServer: true,
  },
  { name: "memory", title: "Memory", unit: "the highest", show: size, steps: SIZE_STEPS, isOfServer: true },
  { name: "traffic", title: "Traffic", unit: "per second", show: size, steps: SIZE_STEPS, colors: [2, 1] },
];

export function Insights() {
  const { range } = place.value.params;
  const name = isRange(range) ? range : has("statistics") ? "day" : "live";
  return (
    <>
      <Head title="Insights" lead={chosenApp.value ? appName(chosenApp.value) : "All apps"}>
        <fieldset class="segment" aria-label="How long">
          {Object.keys(RANGES)
            .filter(isRange)
            .map((it) => (
              <button
                key={it}
                type="button"
                aria-pressed={it === name}
                onClick={() => change({ range: it, since: undefined })}
              >
                {RANGES[it].name}
              </button>
            ))}
        </fieldset>
      </Head>
      {name === "live" ? <LiveInsights /> : <StoredInsights key={name} name={name} />}
    </>
  );
}

function LiveInsights() {
  const { points, error } = useSeconds(chosenApp.value);
  const insights = useMemo(() => insightsOf(points), [points]);
  useNow(1_000);
  if (!has("seconds"))
    return <Empty title="Live numbers are off">The server is configured not to count by the second.</Empty>;
  const nowMs = (points.at(-1)?.atMs ?? Date.now()) + 1000;
  return (
    <>
      <Failure error={error} />
      <Pictures insights={insights} fromMs={nowMs - RANGES.live.lengthMs} nowMs={nowMs} changes={[]} />
      <p class="more">
        By the second, of all nodes. Connections by kind and node, webhooks, lag and memory are stored.
      </p>
    </>
  );
}

function StoredInsights({ name }: { name: Exclude<RangeName, "live"> }) {
  const isThere = has("statistics");
  const { insights, nowMs, error, reload } = useStored(isThere, name);
  const { data: changes = [] } = useAnswer<readonly AuditEntry[]>(
    isThere && may("operate") ? path(["audit"], { limit: 200 }) : undefined,
    RANGES[name].everyMs,
  );
  if (!isThere) {
    return (
      <Empty title="No statistics are kept here">
        With a database they are: set <code>database.url</code>. The last five minutes need none.
      </Empty>
    );
  }
  const { sinceMs } = insights ?? {};
  const wholeMs = nowMs - RANGES[name].lengthMs;
  const isFirstDay = sinceMs !== undefined && sinceMs > wholeMs;
  const fromMs = isFirstDay && place.value.params.since ? sinceMs : wholeMs;
  return (
    <>
      <Failure error={error} retry={reload} />
      {!insights && !error && <Waiting />}
      {isFirstDay && <FirstDay sinceMs={sinceMs} nowMs={nowMs} />}
      {insights && insights.times.length === 0 && (
        <Empty title="Nothing was counted in this time">
          What happens now is counted, and is here after the first interval.
        </Empty>
      )}
      {insights && insights.times.length > 0 && (
        <Pictures insights={insights} fromMs={fromMs} nowMs={nowMs} changes={changes} />
      )}
    </>
  );
}

/** What is older than the server is not zero. */
function FirstDay({ sinceMs, nowMs }: { sinceMs: number; nowMs: number }) {
  const isShort = place.value.params.since !== undefined;
  return (
    <div class="banner first-day" role="status">
      <span>
        This server counts since {dateAndTime(sinceMs)}, {lasting(nowMs - sinceMs)} ago. What is before is hatched, not
        zero.
      </span>
      <button type="button" onClick={() => change({ since: isShort ? undefined : "start" })}>
        {isShort ? "Show the whole time" : "Show only since then"}
      </button>
    </div>
  );
}

function useStored(isThere: boolean, name: Exclude<RangeName, "live">) {
  const [got, put] = useState<{ readonly insights?: Wire; readonly nowMs: number }>({ nowMs: Date.now() });
  const [error, setError] = useState<Refused>();
  const [turn, setTurn] = useState(0);
  const app = chosenApp.value;
  useEffect(() => {
    if (!isThere) return;
    const abort = new AbortController();
    const { span, lengthMs, everyMs } = RANGES[name];
    const ask = async () => {
      const to = Date.now();
      const wanted = path(["insights"], { app, span, from: to - lengthMs, to });
      try {
        put({ insights: await call<Wire>("GET", wanted, undefined, abort.signal), nowMs: to });
        setError(undefined);
      } catch (thrown) {
        if (!abort.signal.aborted) setError(refusedBy(thrown));
      }
    };
    void ask();
    const timer = setInterval(ask, everyMs);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [app, name, isThere, turn]);
  return { ...got, error, reload: () => setTurn(turn + 1) };
}

interface PicturesProps {
  readonly insights: Wire;
  readonly fromMs: number;
  readonly nowMs: number;
  readonly changes: readonly AuditEntry[];
}

function Pictures({ insights, fromMs, nowMs, changes }: PicturesProps) {
  const pictures = useMemo(() => picturesOf(insights, { fromMs, nowMs }), [insights, fromMs, nowMs]);
  const marks = useMemo(() => marksOf(insights, changes), [insights, changes]);
  const times = useMemo(() => pictures.timesMs.map((ms) => ms / 1000), [pictures]);
  const arounds = useMemo(() => {
    const around = { missing: pictures.missing.map(inSeconds), marks: marks.map(markInSeconds) };
    const limit = { value: OVERLOADED_LAG_MS, label: `overloaded above ${OVERLOADED_LAG_MS} ms` };
    return { plain: around, lag: { ...around, limit } };
  }, [pictures, marks]);
  const drawn = useMemo(
    () =>
      PICTURES.flatMap((picture) => {
        const lines = pictures.lines[picture.name] ?? [];
        const colored = lines.map((line, at) => ({ ...line, color: colorOf(picture, line.label, at) }));
        return lines.length > 0 ? [{ picture, lines: colored }] : [];
      }),
    [pictures],
  );
  return (
    <div class="charts insights">
      {drawn.map(({ picture: { name, title, unit, show, steps, stacked, isOfServer }, lines }) => (
        <Chart
          key={name}
          {...{ title, times, lines, show, steps, stacked }}
          unit={[unit, isOfServer && chosenApp.value !== undefined && "all apps"].filter(Boolean).join(", ")}
          range={[fromMs / 1000, nowMs / 1000]}
          theme={themeKey.value}
          around={name === "lag" ? arounds.lag : arounds.plain}
          group="insights"
          isWide={name === "out"}
        />
      ))}
    </div>
  );
}

function colorOf({ colors = [] }: Picture, label: string, at: number): string {
  const found =
    "length" in colors ? (colors as readonly number[])[at] : (colors as Readonly<Record<string, number>>)[label];
  return `--line-${found ?? (at % 6) + 1}`;
}

function inSeconds([from, to]: readonly [number, number]): readonly [number, number] {
  return [from / 1000, to / 1000];
}

function markInSeconds({ atMs, label }: ChartMark) {
  return { atS: atMs / 1000, label };
}
