/** The numbers of the overview: five that one sees from afar, and how many messages came and went by the second. */

import { addPoints, latencyQuantileMs, noStatistics, type Point } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { overview } from "../overview.ts";
import { Plot } from "../parts/plot.tsx";
import { useSeconds } from "../parts/seconds.ts";
import { Spark } from "../parts/spark.tsx";
import { chosenApp, to } from "../route.ts";
import { count, plural, rateText } from "../show.ts";
import { RANGES } from "./series.ts";

const LENGTH_MS = RANGES.live.lengthMs;
const MINUTES = LENGTH_MS / 60_000;

export function Numbers({ points }: { points: readonly Point[] }) {
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
        context={
          <>
            {changeWords(connections - (points[0]?.connections ?? connections))} · peak {count(peak)}
          </>
        }
        values={points.map((point) => point.connections)}
        color="--line-3"
      />
      <Tile
        page="insights"
        name="Messages in"
        value={rateText(fromClients + fromBackends)}
        unit="/s"
        context={`${rateText(fromBackends)} from API · ${rateText(fromClients)} from clients`}
        values={points.map(inOf)}
        color="--line-1"
      />
      <Tile
        page="insights"
        name="Messages out"
        value={rateText(out)}
        unit="/s"
        context={deliveries(out, fromClients + fromBackends)}
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
        context={`${count(refused)} in 5 min, for ${plural(reasonsIn(points), "reason")}`}
        values={points.map(refusedIn)}
        color="--line-5"
      />
    </ul>
  );
}

export function refusedIn({ refused = {} }: Point): number {
  return Object.values(refused).reduce((sum, times) => sum + times, 0);
}

/** How many different ones. */
function reasonsIn(points: readonly Point[]): number {
  return new Set(points.flatMap(({ refused = {} }) => Object.keys(refused))).size;
}

/** From publishing to this node's sockets. It is timed for all apps together. */
function LatencyTile() {
  const { points } = useSeconds(undefined);
  const lastMinute = points.slice(-60).reduce(addPoints, { ...noStatistics(), atMs: 0 });
  const [p50, p99] = [0.5, 0.99].map((part) => latencyQuantileMs(lastMinute.latency ?? [], part));
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
      context={`publish to socket, ${scope}`}
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
  readonly context: ComponentChildren;
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

/** Each by a scale of its own: out may be a hundred times in. */
export function Messages({ points }: { points: readonly Point[] }) {
  const panels = [
    { label: "Out", color: "--line-2", height: 150, values: points.map(({ messagesOut }) => messagesOut) },
    { label: "In", color: "--line-1", height: 84, values: points.map(inOf) },
  ];
  return (
    <Plot
      title="Messages per second"
      times={points.map(({ atMs }) => atMs)}
      panels={panels}
      endMs={points.at(-1)?.atMs ?? Date.now()}
      lengthMs={LENGTH_MS}
      link={<a href={to("insights")}>Insights</a>}
    />
  );
}

function inOf({ messagesIn, apiMessages }: Point): number {
  return messagesIn + apiMessages;
}

function deliveries(out: number, into: number): string {
  return into > 0 ? `${rateText(out / into)} deliveries per message` : "to subscribers";
}

function changeWords(change: number): ComponentChildren {
  if (change === 0) return "as many as 5 min ago";
  return (
    <>
      <span class={change > 0 ? "good-text" : "warn-text"}>
        {change > 0 ? "▲" : "▼"} {count(Math.abs(change))}
      </span>{" "}
      in 5 min
    </>
  );
}
