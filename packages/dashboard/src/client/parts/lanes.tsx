/** Connections of one user over the last hour: one lane each, from when it was opened until it ended. */

import type { EndedConnection, FeedEntry, PersonConnection } from "fanfare/wire/admin";
import { clock, lasting } from "../show.ts";
import { useNow } from "./small.tsx";

const HOUR_MS = 3_600_000;
const MOST_LANES = 12;
const MARKS = 20;

interface Lane {
  readonly id: string;
  readonly words: string;
  readonly fromMs: number;
  /** Absent while it is open. */
  readonly toMs?: number;
  /** It was not the client that ended it. */
  readonly isBroken: boolean;
}

interface LanesProps {
  readonly open: readonly PersonConnection[];
  readonly ended: readonly EndedConnection[];
  readonly events: readonly FeedEntry[];
}

export function Lanes({ open, ended, events }: LanesProps) {
  const nowMs = useNow(5_000);
  const lanes = [...open.map(openLane), ...ended.map(endedLane)]
    .filter(({ toMs = nowMs }) => toMs >= nowMs - HOUR_MS)
    .sort((one, other) => (other.toMs ?? nowMs) - (one.toMs ?? nowMs) || one.fromMs - other.fromMs);
  const shown = lanes.slice(0, MOST_LANES);
  return (
    <section class="card lanes" aria-labelledby="lanes">
      <h2 id="lanes">
        Connections over the last hour
        <span class="legend">
          <span class="key open">open</span>
          <span class="key ended">ended</span>
          <span class="key broken">refused or lost</span>
        </span>
      </h2>
      {shown.length === 0 && <p class="soft">None that a node remembers.</p>}
      <ol>
        {shown.map((lane) => (
          <li key={`${lane.id}-${lane.fromMs}`}>
            <span class="what" title={lane.id}>
              {lane.words}
            </span>
            <LaneBar lane={lane} nowMs={nowMs} events={events} />
          </li>
        ))}
      </ol>
      {shown.length > 0 && (
        <div class="lane-axis" aria-hidden="true">
          {["−60 min", "−45 min", "−30 min", "−15 min", "now"].map((words) => (
            <span key={words}>
              <span>{words}</span>
            </span>
          ))}
        </div>
      )}
      {lanes.length > shown.length && <p class="more">{lanes.length - shown.length} older ones are not shown.</p>}
    </section>
  );
}

function LaneBar({ lane, nowMs, events }: { lane: Lane; nowMs: number; events: readonly FeedEntry[] }) {
  const at = (ms: number) => Math.max(0, Math.min(100, ((ms - nowMs + HOUR_MS) / HOUR_MS) * 100));
  const { fromMs, toMs = nowMs, isBroken } = lane;
  const from = at(fromMs);
  const width = Math.max(0.6, at(toMs) - from);
  const marks = events.filter(({ connection, atMs }) => connection === lane.id && atMs >= nowMs - HOUR_MS);
  const state = lane.toMs === undefined ? "open" : "ended";
  return (
    <svg
      class={`lane ${state}`}
      role="img"
      aria-label={`${lane.words}: ${state}, from ${clock(fromMs).slice(0, 8)}, for ${lasting(toMs - fromMs)}`}
    >
      {[0, 25, 50, 75, 100].map((part) => (
        <line key={part} x1={`${part}%`} x2={`${part}%`} y1="-4" y2="20" />
      ))}
      <rect x={`${from}%`} y="4" width={`${width}%`} height="8" rx="4" />
      {marks.slice(0, MARKS).map(({ id, type, atMs }) => (
        <circle key={id} cx={`${at(atMs)}%`} cy="8" r="3.5" class={type === "refused" ? "bad" : ""} />
      ))}
      {isBroken && <circle cx={`${at(toMs)}%`} cy="8" r="5" class="bad" />}
    </svg>
  );
}

function openLane({ id, openedAtMs, protocol, library, agent }: PersonConnection): Lane {
  return { id, words: clientWords(library ?? protocol, agent), fromMs: openedAtMs, isBroken: false };
}

/** Codes of clients that left, and of servers that stop: https://www.rfc-editor.org/rfc/rfc6455#section-7.4 */
const LEFT = /^(1000|1001|1005) /;

function endedLane({ id, openedAtMs, endedAtMs, why }: EndedConnection): Lane {
  return { id, words: endWords(why), fromMs: openedAtMs, toMs: endedAtMs, isBroken: !LEFT.test(why) };
}

/** `1000 the client left` as "left: 1000", `4201 no pong` as "no pong: 4201": the words first, as of those that are open. */
function endWords(why: string): string {
  const [, code, words = ""] = /^(\d{4}) ?(.*)$/.exec(why) ?? [];
  if (code === undefined) return why;
  return `${words === "" || words === "the client left" ? "left" : words}: ${code}`;
}

/** `pusher-js 8.4 · Chrome 142, macOS`. */
export function clientWords(library: string, agent: string | undefined): string {
  const device = agent === undefined ? undefined : deviceIn(agent);
  return device === undefined ? library : `${library} · ${device}`;
}

/** Those that name others as well come first. */
const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/Edg\w*\/(\d+)/, "Edge"],
  [/OPR\/(\d+)/, "Opera"],
  [/Firefox\/(\d+)/, "Firefox"],
  [/Chrome\/(\d+)/, "Chrome"],
  [/Version\/(\d+).* Safari/, "Safari"],
];
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/iPhone|iPad/, "iOS"],
  [/Android/, "Android"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux|X11/, "Linux"],
];

function deviceIn(agent: string): string {
  const browser = BROWSERS.find(([pattern]) => pattern.test(agent));
  const system = SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1];
  // Of others the first word is their name and version: `okhttp/4.12`.
  if (!browser) return agent.split(" ", 1).join().slice(0, 40);
  const [pattern, name] = browser;
  return [`${name} ${pattern.exec(agent)?.[1]}`, system].filter(Boolean).join(", ");
}
