/** The first page: is something wrong, how much is going on, what was refused, and what changed. */

import { addPoints, type FeedFilter, latencyQuantileMs, noStatistics, type Point } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { Feed, fitter } from "../feed.ts";
import { has, overview } from "../overview.ts";
import { Card } from "../parts/card.tsx";
import { Chart, COUNT_STEPS } from "../parts/chart.tsx";
import { Icon } from "../parts/icon.tsx";
import { useSeconds } from "../parts/seconds.ts";
import { Head, Since, Time, TypeMark, useNow } from "../parts/small.tsx";
import { Spark } from "../parts/spark.tsx";
import { useWatch } from "../parts/watch.ts";
import { grouped, type Refusal, TROUBLES, titleOfCode } from "../refusals.ts";
import { chosenApp, to } from "../route.ts";
import { may } from "../session.ts";
import { count, plural, rateText, short, size } from "../show.ts";
import { themeKey } from "../theme.ts";
import { Alerts } from "./alerts.tsx";
import { Busiest } from "./busiest.tsx";
import { FirstSteps } from "./first-steps.tsx";
import { Changes, NodeTable, Receivers } from "./overview-cards.tsx";
import { RANGES } from "./series.ts";

const MINUTES_MS = RANGES.live.lengthMs;
const MINUTES = MINUTES_MS / 60_000;
const SHOWN = { refusals: 6, reasons: 4, events: 8 };

/** They outlive the page, so that what was seen is still there when one comes back to it. */
const [troubles, events] = [new Feed(), new Feed()];

export function OverviewPage() {
  const { points } = useSeconds(chosenApp.value);
  useFeed(troubles, { type: "feed", ...ofApp(), types: TROUBLES });
  useFeed(events, { type: "feed", ...ofApp() });
  const it = overview.value;
  if (!it) return <Head title="Overview" />;
  const isUnused = it.connections === 0 && points.every(isQuiet) && events.total === 0;
  const showsNumbers = has("seconds") && !isUnused;
  return (
    <>
      <Head title="Overview" lead={`${plural(it.nodes.length || 1, "node")} · the last 5 minutes, second by second`} />
      <Alerts />
      {isUnused && <FirstSteps />}
      {showsNumbers && <Numbers points={points} />}
      <div class="halves">
        <div class="stack">
          {showsNumbers && <Messages points={points} />}
          {showsNumbers && <Busiest />}
          <HappeningNow />
        </div>
        <div class="stack">
          <Refusals points={points} />
          {it.nodes.length > 0 && <NodeTable nodes={it.nodes} />}
          <Receivers />
          {may("operate") && <Changes />}
        </div>
      </div>
    </>
  );
}

/** The chosen app's, or all. */
function ofApp(): FeedFilter {
  const app = chosenApp.value;
  return app === undefined ? {} : { app };
}

function useFeed(feed: Feed, watch: Parameters<typeof useWatch>[0]): void {
  useWatch(watch, "feed", (batch) => feed.add(batch));
}

function isQuiet({ messagesIn, messagesOut, apiMessages }: Point): boolean {
  return messagesIn + messagesOut + apiMessages === 0;
}

// ---- how much

function Numbers({ points }: { points: readonly Point[] }) {
  const lately = points.slice(-10);
  const average = (of: (point: Point) => number) =>
    lately.reduce((sum, point) => sum + of(point), 0) / Math.max(1, lately.length);
  const fromClients = average(({ messagesIn }) => messagesIn);
  const fromBackends = average(({ apiMessages }) => apiMessages);
  const out = average(({ messagesOut }) => messagesOut);
  const refused = points.reduce((sum, point) => sum + refusedIn(point), 0);
  const connections = points.at(-1)?.connections ?? overview.value?.connections ?? 0;
  const peak = Math.max(connections, ...points.map(({ peakConnections }) => peakConnections));
  return (
    <ul class="numbers" aria-label="Numbers of the last 5 minutes">
      <Tile
        page="people"
        name="Connections"
        value={count(connections)}
        context={`at most ${count(peak)}`}
        values={points.map((point) => point.connections)}
        color="--line-3"
      />
      <Tile
        page="insights"
        name="Messages in"
        value={rateText(fromClients + fromBackends)}
        unit="/s"
        context={`${rateText(fromBackends)} from API · ${rateText(fromClients)} from clients`}
        values={points.map(({ messagesIn, apiMessages }) => messagesIn + apiMessages)}
        color="--line-1"
      />
      <Tile
        page="insights"
        name="Messages out"
        value={rateText(out)}
        unit="/s"
        context={`${size(average(({ bytesOut }) => bytesOut))}/s`}
        values={points.map(({ messagesOut }) => messagesOut)}
        color="--line-2"
      />
      <LatencyTile />
      <Tile
        page="console"
        params={{ show: "errors" }}
        name="Refused"
        value={rateText(refused / MINUTES)}
        unit="/min"
        context={`${count(refused)} in 5 min, for ${plural(reasonsOf(points).length, "reason")}`}
        values={points.map(refusedIn)}
        color="--line-5"
      />
    </ul>
  );
}

function refusedIn({ refused = {} }: Point): number {
  return Object.values(refused).reduce((sum, times) => sum + times, 0);
}

/** From publishing to this node's sockets. It is timed for all apps together. */
function LatencyTile() {
  const { points } = useSeconds(undefined);
  const lastMinute = points.slice(-60).reduce(addPoints, { ...noStatistics(), atMs: 0 });
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((part) => latencyQuantileMs(lastMinute.latency ?? [], part));
  const scope = chosenApp.value === undefined ? "sampled" : "sampled, all apps";
  const each = points.flatMap(({ latency = [] }) => latencyQuantileMs(latency, 0.99) ?? []);
  return (
    <Tile
      page="insights"
      name="Delivery latency"
      value={
        p50 === undefined || p99 === undefined ? (
          "–"
        ) : (
          <>
            {milliseconds(p50)}
            <small>ms p50</small> {milliseconds(p99)}
            <small>ms p99</small>
          </>
        )
      }
      context={[p95 === undefined ? "publish to socket" : `p95 ${milliseconds(p95)} ms`, scope].join(" · ")}
      values={each}
      color="--line-4"
    />
  );
}

function milliseconds(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : count(Math.round(ms));
}

interface TileProps {
  readonly page: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly name: string;
  readonly value: ComponentChildren;
  readonly unit?: string;
  readonly context: string;
  readonly values: readonly number[];
  readonly color: string;
}

function Tile({ page, params, name, value, unit, context, values, color }: TileProps) {
  return (
    <li>
      <a class="number-tile" href={to(page, params)}>
        <span class="soft">{name}</span>
        <span class="big">
          {value}
          {unit && <small>{unit}</small>}
        </span>
        <small>{context}</small>
        <Spark values={values} color={color} />
      </a>
    </li>
  );
}

function Messages({ points }: { points: readonly Point[] }) {
  const lines = useMemo(
    () => [
      { label: "out", color: "--line-2", values: points.map(({ messagesOut }) => messagesOut) },
      {
        label: "in",
        color: "--line-1",
        values: points.map(({ messagesIn, apiMessages }) => messagesIn + apiMessages),
      },
    ],
    [points],
  );
  const times = useMemo(() => points.map(({ atMs }) => atMs / 1000), [points]);
  const endS = times.at(-1) ?? Date.now() / 1000;
  return (
    <Chart
      title="Messages per second"
      times={times}
      lines={lines}
      range={[endS - MINUTES_MS / 1000, endS]}
      show={short}
      steps={COUNT_STEPS}
      theme={themeKey.value}
    />
  );
}

// ---- what was refused, and what happens

function Refusals({ points }: { points: readonly Point[] }) {
  void troubles.version.value;
  const sinceMs = useNow(5_000) - MINUTES_MS;
  const fits = fitter(ofApp());
  const lately = troubles.matching((entry) => entry.atMs >= sinceMs && fits(entry));
  const refusals = grouped(lately, SHOWN.refusals);
  const times = points.reduce((sum, point) => sum + refusedIn(point), 0);
  return (
    <Card title="Recent refusals" link={<a href={to("console", { show: "errors" })}>All in console</a>} count={times}>
      {refusals.length === 0 && <p class="soft">Nothing was refused in the last 5 minutes.</p>}
      <Reasons points={points} />
      <ul class="refusals">
        {refusals.map((refusal) => (
          <RefusalRow key={refusal.latest.id} refusal={refusal} />
        ))}
      </ul>
    </Card>
  );
}

/** Codes of what was refused and how often, the most frequent first. */
function reasonsOf(points: readonly Point[]): readonly (readonly [string, number])[] {
  const { refused = {} } = points.reduce(addPoints, { ...noStatistics(), atMs: 0 });
  return Object.entries(refused).sort(([, one], [, other]) => other - one);
}

function Reasons({ points }: { points: readonly Point[] }) {
  const reasons = reasonsOf(points).slice(0, SHOWN.reasons);
  if (reasons.length === 0) return null;
  return (
    <ul class="reasons" aria-label="Refusals by reason">
      {reasons.map(([code, times]) => (
        <li key={code}>
          <span class="what">{titleOfCode(code)}</span>
          <span class="spark-cell">
            <Spark values={points.map(({ refused }) => refused?.[code] ?? 0)} color="--line-5" />
          </span>
          <span class="number">×{count(times)}</span>
        </li>
      ))}
    </ul>
  );
}

function RefusalRow({ refusal: { title, place, count: times, latest } }: { refusal: Refusal }) {
  const { app, connection, signed, channel, why } = latest;
  const canExplain = signed && app !== undefined && may("operate");
  const filter = connection === undefined ? { channel } : { connection };
  return (
    <li class="refusal" title={why}>
      <p>
        <Icon name="err" isSmall />
        <strong class="breakable">{title}</strong>
        <span class="grow" />
        {canExplain ? (
          <a href={to("explain", { app, ...signed })}>Explain</a>
        ) : (
          <a href={to("console", { app, show: "errors", ...filter })}>Show</a>
        )}
      </p>
      <p class="soft">
        <span class="what">{place}</span>
        <span class="grow" />
        <span class="when">
          ×{count(times)} · <Since atMs={latest.atMs} /> ago
        </span>
      </p>
    </li>
  );
}

function HappeningNow() {
  void events.version.value;
  const newest = events.matching(fitter(ofApp())).slice(0, SHOWN.events);
  return (
    <Card title="Happening now" link={<a href={to("console")}>Open console</a>}>
      {newest.length === 0 && <p class="soft">No events yet. They show up here at once.</p>}
      <ul class="lines happening">
        {newest.map(({ id, atMs, type, app, channel, event, payload, why, user, address }) => (
          <li key={id}>
            <span class="soft mono">
              <Time atMs={atMs} />
            </span>
            <TypeMark type={type} />
            {channel === undefined ? (
              <span />
            ) : (
              <a class="what" href={to("channel", { app, name: channel })}>
                {channel}
              </a>
            )}
            <span class="what soft">{[event, payload?.text ?? why ?? user ?? address].filter(Boolean).join(" ")}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
