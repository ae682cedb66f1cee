/** What a channel is called, is and keeps, and how much is said in it: in a sign, a word, or a line. */

import type { ChannelEntry } from "fanfare/wire/admin";
import { to } from "../route.ts";
import { count, lasting, plural } from "../show.ts";
import type { Rate } from "./channel-rates.ts";
import { Icon, type IconName } from "./icon.tsx";
import { Since, useNow } from "./small.tsx";
import { Spark } from "./spark.tsx";

const ICONS = { public: "hash", private: "lock", presence: "people" } as const;

export function channelIcon({ kind, encrypted, cache }: Pick<ChannelEntry, "kind" | "encrypted" | "cache">): IconName {
  if (encrypted) return "shield";
  return cache ? "bolt" : ICONS[kind];
}

/** Of one channel a link to its page; of several, how many there are. */
export function ChannelName({ channel }: { channel: ChannelEntry }) {
  const { app, name, channels } = channel;
  return (
    <>
      <Icon name={channelIcon(channel)} isSmall />
      {channels === undefined ? (
        <a class="what" href={to("channel", { app, name })} title={name}>
          {name}
        </a>
      ) : (
        <>
          <span class="what" title={name}>
            {name}
          </span>
          <small class="mark" title={plural(channels, "channel")}>
            {count(channels)}
          </small>
        </>
      )}
    </>
  );
}

export function HistoryWords({ channel: { history, cache } }: { channel: Pick<ChannelEntry, "history" | "cache"> }) {
  if (!history) return <span class="soft">–</span>;
  if (cache && history.size === 1) return <>last event</>;
  return (
    <>
      {count(history.size)} · {lasting(history.ttlS * 1000)}
    </>
  );
}

export function RateLine({ rate: { line, in: now } }: { rate: Rate }) {
  if (now === 0 && line.every((value) => value === 0)) return <span class="soft">idle</span>;
  return <Spark values={line} color="--line-1" />;
}

export function LastEvent({ rate: { last } }: { rate: Rate }) {
  if (!last) return <span class="soft">–</span>;
  return (
    <>
      {last.event}{" "}
      <span class="soft">
        <Ago atMs={last.atMs} />
      </span>
    </>
  );
}

const JUST_NOW_MS = 2_000;

function Ago({ atMs }: { atMs: number }) {
  if (useNow(1_000) - atMs < JUST_NOW_MS) return <>now</>;
  return (
    <>
      <Since atMs={atMs} /> ago
    </>
  );
}
