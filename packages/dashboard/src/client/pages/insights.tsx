/** Insights: how much there was, of what kind, on which node, and what failed, from the last seconds to the last ninety days. */

import type { AuditEntry, Insights as Wire } from "fanfare/wire/admin";
import { useEffect, useMemo, useState } from "preact/hooks";
import { call, path, type Refused, refusedBy } from "../api.ts";
import { has, overview } from "../overview.ts";
import { useAnswer } from "../parts/answer.ts";
import { Icon } from "../parts/icon.tsx";
import { Empty, Failure, Waiting } from "../parts/notes.tsx";
import { useSeconds } from "../parts/seconds.ts";
import { Head, useNow } from "../parts/small.tsx";
import { change, chosenApp, place } from "../route.ts";
import { may, metricsAddress } from "../session.ts";
import { dateAndTime, lasting } from "../show.ts";
import { csvPartsOf, InsightCharts, type InsightChartsProps } from "./insight-charts.tsx";
import { csvOf, download } from "./insight-csv.ts";
import { insightsOf } from "./insight-lines.ts";
import { CustomRange } from "./insight-range.tsx";
import { type ChosenTime, chosenTime, isRange, RANGES, type Range, rangeOf } from "./series.ts";

const DAY_MS = 86_400_000;

/** A range by name, or a time that somebody chose. */
interface Asked extends Range {
  readonly key: string;
  readonly chosen?: ChosenTime;
}

function asked(): Asked {
  const { range, ...params } = place.value.params;
  const chosen = range === "custom" ? chosenTime(params) : undefined;
  if (chosen) return { ...rangeOf(chosen, Date.now()), key: `custom ${params.from} ${params.to}`, chosen };
  const name = isRange(range) ? range : has("statistics") ? "day" : "live";
  return { ...RANGES[name], key: name };
}

export function Insights() {
  const it = asked();
  const [shown, show] = useState<InsightChartsProps>();
  const isLive = it.key === "live";
  // Who reads the file has what is on the page.
  const { key } = it;
  useEffect(() => show(undefined), [key, chosenApp.value]);
  return (
    <>
      <Tools asked={it} shown={shown} />
      {isLive ? <LiveInsights show={show} /> : <StoredInsights key={it.key} asked={it} show={show} />}
    </>
  );
}

function Tools({ asked, shown }: { asked: Asked; shown: InsightChartsProps | undefined }) {
  const [isChoosing, choose] = useState(false);
  const save = () => {
    if (shown) download(`fanfare-${new Date(shown.nowMs).toISOString().slice(0, 16)}.csv`, csvOf(csvPartsOf(shown)));
  };
  return (
    <Head title="Insights">
      <fieldset class="segment" aria-label="How long">
        {Object.keys(RANGES)
          .filter(isRange)
          .map((it) => (
            <button
              key={it}
              type="button"
              aria-pressed={it === asked.key}
              onClick={() => change({ range: it, since: undefined, from: undefined, to: undefined })}
            >
              {RANGES[it].name}
            </button>
          ))}
      </fieldset>
      <button type="button" aria-pressed={asked.chosen !== undefined} onClick={() => choose(true)}>
        <Icon name="clock" isSmall />
        {asked.chosen ? chosenWords(asked.chosen) : "Custom"}
      </button>
      <Scopes nodes={shown?.insights.nodes ?? []} />
      {asked.key !== "live" && (
        <label class="check">
          <input
            type="checkbox"
            checked={place.value.params.compare !== undefined}
            onChange={(event) => change({ compare: event.currentTarget.checked ? "before" : undefined })}
          />
          Compare with {beforeOf(asked).words}
        </label>
      )}
      <span class="grow" />
      <button type="button" class="quiet" disabled={!shown} onClick={save}>
        <Icon name="dn" isSmall />
        CSV
      </button>
      {has("metrics") && (
        <a
          class="quiet-link wide"
          href={metricsAddress()}
          target="_blank"
          rel="noreferrer"
          title="/metrics, for Prometheus"
        >
          <Icon name="ext" isSmall />
          Prometheus
        </a>
      )}
      {isChoosing && <CustomRange onClose={() => choose(false)} />}
    </Head>
  );
}

function chosenWords({ fromMs, toMs }: ChosenTime): string {
  return `${SHORT_TIME.format(fromMs)} – ${toMs === undefined ? "now" : SHORT_TIME.format(toMs)}`;
}

const SHORT_TIME = new Intl.DateTimeFormat(undefined, {
  ...{ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false },
});

/** The app is the one that is chosen for all pages; the node is of this page. */
function Scopes({ nodes }: { nodes: readonly string[] }) {
  const { node = "" } = place.value.params;
  const apps = overview.value?.apps ?? [];
  const names = [...new Set([...nodes, ...(node === "" ? [] : [node])])];
  return (
    <>
      <select
        class="short-select"
        aria-label="App of the charts"
        value={chosenApp.value ?? ""}
        onChange={(event) => change({ app: event.currentTarget.value || undefined })}
      >
        <option value="">All apps</option>
        {apps.map(({ id, name }) => (
          <option key={id} value={id}>
            {name || id}
          </option>
        ))}
      </select>
      <select
        class="short-select"
        aria-label="Node"
        value={node}
        onChange={(event) => change({ node: event.currentTarget.value || undefined })}
      >
        <option value="">All nodes</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </>
  );
}

type Showing = { readonly show: (shown: InsightChartsProps | undefined) => void };

function LiveInsights({ show }: Showing) {
  const { points: all, seconds, error } = useSeconds(chosenApp.value);
  const { node } = place.value.params;
  const insights = useMemo(() => {
    const nameOf = (id: string) => overview.peek()?.nodes.find((it) => it.id === id)?.name || id.slice(0, 8);
    const named = Array.from(seconds.connections(), ([id, values]) => ({ id, name: nameOf(id), values }));
    const id = named.find(({ name }) => name === node)?.id;
    const points = node === undefined ? all : seconds.points(id ?? "");
    const connections = named.filter(({ name }) => node === undefined || name === node);
    return { ...insightsOf(points, connections), nodes: named.map(({ name }) => name) };
  }, [all, node]);
  useNow(1_000);
  const nowMs = (all.at(-1)?.atMs ?? Date.now()) + 1000;
  const shown = useMemo(
    () => ({ insights, before: undefined, fromMs: nowMs - RANGES.live.lengthMs, nowMs, changes: [] }),
    [insights, nowMs],
  );
  useEffect(() => show(shown), [shown]);
  if (!has("seconds"))
    return <Empty title="Live numbers are off">The server is configured not to count by the second.</Empty>;
  return (
    <>
      <Failure error={error} />
      <InsightCharts {...shown} />
      <p class="more">
        By the second, of all nodes. Connections by protocol, webhooks, reconnects, lag and memory are stored: from one
        hour on.
      </p>
    </>
  );
}

function StoredInsights({ asked, show }: { asked: Asked } & Showing) {
  const isThere = has("statistics");
  const { insights, before, nowMs, error, reload } = useStored(isThere, asked);
  const { data: changes = NO_CHANGES } = useAnswer<readonly AuditEntry[]>(
    isThere && may("operate") ? path(["audit"], { limit: 200 }) : undefined,
    asked.everyMs || undefined,
  );
  const { sinceMs } = insights ?? {};
  const wholeMs = nowMs - asked.lengthMs;
  const isFirstDay = sinceMs !== undefined && sinceMs > wholeMs && sinceMs < nowMs;
  const fromMs = isFirstDay && place.value.params.since ? sinceMs : wholeMs;
  const shown = useMemo(
    () => insights && { insights, before: before && { ...beforeOf(asked), insights: before }, fromMs, nowMs, changes },
    [insights, before, fromMs, nowMs, changes],
  );
  useEffect(() => show(shown), [shown]);
  if (!isThere) {
    return (
      <Empty title="No statistics are kept here">
        With a database they are: set <code>database.url</code>. The last five minutes need none.
      </Empty>
    );
  }
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
      {shown && shown.insights.times.length > 0 && <InsightCharts {...shown} />}
    </>
  );
}

const NO_CHANGES: readonly AuditEntry[] = [];

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

/** As long before as is comparable: the same hours of a day, the same days of a week. */
function beforeOf({ lengthMs }: Asked): { readonly words: string; readonly shiftMs: number } {
  if (lengthMs <= DAY_MS) return { words: "the day before", shiftMs: DAY_MS };
  if (lengthMs <= 7 * DAY_MS) return { words: "the week before", shiftMs: 7 * DAY_MS };
  return { words: "the time before", shiftMs: lengthMs };
}

interface Stored {
  readonly insights?: Wire;
  readonly before?: Wire | undefined;
  readonly nowMs: number;
}

function useStored(isThere: boolean, asked: Asked) {
  const [got, put] = useState<Stored>({ nowMs: asked.chosen?.toMs ?? Date.now() });
  const [error, setError] = useState<Refused>();
  const [turn, setTurn] = useState(0);
  const app = chosenApp.value;
  const { node, compare } = place.value.params;
  useEffect(() => {
    if (!isThere) return;
    const abort = new AbortController();
    const { span, lengthMs, everyMs, chosen } = asked;
    const part = (to: number) => {
      const query = { app, node, span, from: Math.round(to - lengthMs), to: Math.round(to) };
      return call<Wire>("GET", path(["insights"], query), undefined, abort.signal);
    };
    const ask = async () => {
      const nowMs = Math.min(chosen?.toMs ?? Number.POSITIVE_INFINITY, Date.now());
      try {
        const [insights, before] = await Promise.all([
          part(nowMs),
          compare === undefined ? undefined : part(nowMs - beforeOf(asked).shiftMs),
        ]);
        put({ insights, before, nowMs });
        setError(undefined);
      } catch (thrown) {
        if (!abort.signal.aborted) setError(refusedBy(thrown));
      }
    };
    void ask();
    const timer = everyMs > 0 ? setInterval(ask, everyMs) : undefined;
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [app, node, compare, asked.key, isThere, turn]);
  return { ...got, error, reload: () => setTurn(turn + 1) };
}
