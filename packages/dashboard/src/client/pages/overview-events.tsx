/** What was refused lately, the same once and how often; and what happens at the moment, a few events of many. */

import type { FeedFilter, Point } from "fanfare/wire/admin";
import { useMemo } from "preact/hooks";
import { type ConsoleEntry, type Feed, fitter } from "../feed.ts";
import { Card } from "../parts/card.tsx";
import { Icon } from "../parts/icon.tsx";
import { Since, Time, TypeMark, useNow } from "../parts/small.tsx";
import { Who } from "../parts/who.tsx";
import { grouped, type Refusal } from "../refusals.ts";
import { to } from "../route.ts";
import { may } from "../session.ts";
import { count, rateText } from "../show.ts";
import { refusedIn } from "./overview-numbers.tsx";
import { RANGES } from "./series.ts";

const SHOWN = { refusals: 5, events: 7 };
/** Of so long ago at most what is shown of what happens is chosen. */
const SAMPLED_MS = 10_000;

interface EventsProps {
  readonly feed: Feed;
  readonly points: readonly Point[];
  readonly filter: FeedFilter;
}

export function Refusals({ feed, points, filter }: EventsProps) {
  void feed.version.value;
  const sinceMs = useNow(5_000) - RANGES.live.lengthMs;
  const fits = fitter(filter);
  const lately = feed.matching((entry) => entry.atMs >= sinceMs && fits(entry));
  const refusals = grouped(lately, SHOWN.refusals);
  const times = points.reduce((sum, point) => sum + refusedIn(point), 0);
  return (
    <Card title="Recent refusals" link={<a href={to("console", { show: "errors" })}>All in console</a>} count={times}>
      {refusals.length === 0 && <p class="soft">Nothing was refused in the last 5 minutes.</p>}
      <ul class="refusals">
        {refusals.map((refusal) => (
          <RefusalRow key={refusal.latest.id} refusal={refusal} />
        ))}
      </ul>
    </Card>
  );
}

function RefusalRow({ refusal: { title, place, count: times, latest } }: { refusal: Refusal }) {
  const [href, verb] = whereTo(latest);
  return (
    <li class="refusal" title={latest.why}>
      <Icon name="err" isSmall />
      <div>
        <p>
          <strong class="breakable">{title}</strong>
          <span class="grow" />
          <a href={href}>{verb}</a>
        </p>
        <p class="soft">
          <span class="what">{place}</span>
          <span class="grow" />
          <span class="when">
            <b>×{count(times)}</b> · <Since atMs={latest.atMs} /> ago
          </span>
        </p>
      </div>
    </li>
  );
}

/** Codes of what a limit of the app refused. */
const LIMITS: ReadonlySet<string> = new Set(["rate_limited", "quota_exceeded", "over_capacity", "too_many_channels"]);

/** Where somebody sees what to do about it. */
function whereTo({ app, connection, signed, channel, code = "" }: Refusal["latest"]): readonly [string, string] {
  if (signed && app !== undefined && may("operate")) return [to("explain", { app, ...signed }), "Explain"];
  if (LIMITS.has(code) && app !== undefined) return [to("app", { app }), "See limit"];
  if (code === "channel_full" && channel !== undefined) return [to("channel", { app, name: channel }), "See channel"];
  const filter = connection === undefined ? { channel } : { connection };
  return [to("console", { app, show: "errors", ...filter }), "Show"];
}

export function HappeningNow({ feed, points, filter }: EventsProps) {
  // Once a second: what changes faster cannot be read.
  const nowMs = useNow(1_000);
  const isNew = feed.version.value > 0;
  const entries = useMemo(
    () => sampleOf(feed.matching(fitter(filter)), nowMs),
    [nowMs, isNew, filter.app, feed.total === 0],
  );
  const lately = points.slice(-5);
  const perS =
    lately.reduce((sum, { messagesIn, apiMessages }) => sum + messagesIn + apiMessages, 0) / (lately.length || 1);
  return (
    <section class="card" aria-label="Happening now">
      <h2>
        Happening now {perS > 0 && <small>{rateText(perS)} messages/s, a sample of what happens</small>}
        <span class="grow" />
        <small>
          <a href={to("console")}>Open console</a>
        </small>
      </h2>
      {entries.length === 0 && <p class="soft">No events yet. They show up here at once.</p>}
      <ul class="lines happening">
        {entries.map((entry) => (
          <Happened key={entry.id} entry={entry} />
        ))}
      </ul>
    </section>
  );
}

function Happened({ entry }: { entry: ConsoleEntry }) {
  const { atMs, type, app, channel, event, payload, why } = entry;
  const what = why ?? payload?.text;
  return (
    <li>
      <span class="soft mono">
        <Time atMs={atMs} />
      </span>
      <TypeMark type={type} />
      {channel === undefined ? (
        <span />
      ) : (
        <a class="channel-name" href={to("channel", { app, name: channel })}>
          {channel}
        </a>
      )}
      <span class="what soft">{[event, what?.slice(0, 200)].filter(Boolean).join(" ")}</span>
      <span class="who">
        <Who {...entry} />
      </span>
    </li>
  );
}

/** That a channel came to be or went is said by who came and went. */
const SAID_TWICE: ReadonlySet<string> = new Set(["occupied", "vacated"]);

/** Of each kind some, so that many messages do not hide everything else. Newest first. */
function sampleOf(entries: readonly ConsoleEntry[], nowMs: number): readonly ConsoleEntry[] {
  const told = entries.filter(({ type }) => !SAID_TWICE.has(type));
  const lately = told.filter(({ atMs }) => atMs >= nowMs - SAMPLED_MS);
  const from = lately.length >= SHOWN.events ? lately : told.slice(0, SHOWN.events);
  const kinds = [...Map.groupBy(from, ({ type }) => type).values()];
  const chosen: ConsoleEntry[] = [];
  for (let turn = 0; chosen.length < Math.min(SHOWN.events, from.length); turn++) {
    for (const kind of kinds) {
      const next = kind[turn];
      if (next && chosen.length < SHOWN.events) chosen.push(next);
    }
  }
  return chosen.sort((one, other) => other.atMs - one.atMs);
}
