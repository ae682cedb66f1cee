/** The live console: everything that happens, as it happens. */

import { signal } from "@preact/signals";
import type { FeedEntry, FeedFilter } from "fanfare/wire/admin";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Feed, fitter, GROUPS, type Group, isGroup, KEPT, typesOf } from "../feed.ts";
import { Inspector } from "../parts/inspector.tsx";
import { useKeys } from "../parts/keys.ts";
import { Empty } from "../parts/notes.tsx";
import { Rows } from "../parts/rows.tsx";
import { Head, Search, Time, TypeMark } from "../parts/small.tsx";
import { useSettled, useWatch } from "../parts/watch.ts";
import { change, chosenApp, place } from "../route.ts";
import { count, short } from "../show.ts";

/** Outlives the page, so that what was seen is still there when one comes back to it. */
const feed = new Feed();

interface Pause {
  readonly entries: readonly FeedEntry[];
  readonly total: number;
}

const pause = signal<Pause | undefined>(undefined);

/** Stops the list where it is, or lets it go on. What comes meanwhile is not lost, as long as it fits. */
function togglePause(): void {
  pause.value = pause.value ? undefined : { entries: feed.matching(() => true), total: feed.total };
}

const GROUP_NAMES: Readonly<Record<Group, string>> = {
  connections: "Connections",
  channels: "Channels",
  messages: "Messages",
  webhooks: "Webhooks",
  errors: "Errors",
};

export function Console() {
  const filter = useFilter();
  const settled = useSettled(filter);
  useWatch({ type: "feed", ...settled }, "feed", (batch) => feed.add(batch));
  const [chosen, choose] = useState<FeedEntry>();
  useKeys({ p: togglePause, Escape: () => choose(undefined) });
  return (
    <div class="console">
      <Head title="Console" lead={<Rate />}>
        <button type="button" aria-pressed={pause.value !== undefined} onClick={togglePause} title="p">
          {pause.value ? "Resume" : "Pause"}
        </button>
        <button type="button" onClick={clear}>
          Clear
        </button>
      </Head>
      <Filters />
      <Sampling />
      <div class={chosen ? "console-body with-inspector" : "console-body"}>
        <List filter={filter} chosen={chosen?.id} choose={choose} />
        {chosen && <Inspector entry={chosen} onClose={() => choose(undefined)} />}
      </div>
    </div>
  );
}

function clear(): void {
  feed.clear();
  if (pause.value) pause.value = { entries: [], total: 0 };
}

/** As the address has it, so that a filtered console can be sent to somebody. */
function useFilter(): FeedFilter {
  const { channel, event, connection, show = "" } = place.value.params;
  const app = chosenApp.value;
  return useMemo(() => {
    const types = typesOf(show.split(",").filter(isGroup));
    return {
      ...(app ? { app } : {}),
      ...(channel ? { channel } : {}),
      ...(event ? { event } : {}),
      ...(connection ? { connection } : {}),
      ...(types ? { types } : {}),
    };
  }, [app, channel, event, connection, show]);
}

function Filters() {
  const { params } = place.value;
  const shown = (params.show ?? "").split(",").filter(isGroup);
  const toggle = (group: Group) => {
    const after = shown.includes(group) ? shown.filter((it) => it !== group) : [...shown, group];
    change({ show: after.join(",") });
  };
  const isFiltered = shown.length > 0 || params.channel || params.event || params.connection;
  return (
    <search class="filters">
      <Search isFirst label="Channel" value={params.channel ?? ""} onInput={(channel) => change({ channel })} />
      <Search label="Event" value={params.event ?? ""} onInput={(event) => change({ event })} />
      <Search label="Connection" value={params.connection ?? ""} onInput={(connection) => change({ connection })} />
      <fieldset class="chips" aria-label="Kinds of events">
        {Object.keys(GROUPS)
          .filter(isGroup)
          .map((group) => (
            <button
              key={group}
              type="button"
              class="chip"
              aria-pressed={shown.includes(group)}
              onClick={() => toggle(group)}
            >
              {GROUP_NAMES[group]}
            </button>
          ))}
      </fieldset>
      {isFiltered && (
        <button
          type="button"
          class="quiet"
          onClick={() => change({ channel: "", event: "", connection: "", show: "" })}
        >
          Reset
        </button>
      )}
    </search>
  );
}

interface ListProps {
  readonly filter: FeedFilter;
  readonly chosen: string | undefined;
  readonly choose: (entry: FeedEntry) => void;
}

function List({ filter, chosen, choose }: ListProps) {
  const version = feed.version.value;
  const fits = useMemo(() => fitter(filter), [filter]);
  const paused = pause.value;
  const items = useMemo(() => (paused ? paused.entries.filter(fits) : feed.matching(fits)), [version, fits, paused]);
  const isNarrow = useIsNarrow();
  return (
    <Rows
      label="Events, newest first"
      items={items}
      total={paused ? paused.total : feed.total}
      rowHeight={isNarrow ? 50 : 30}
      chosen={chosen}
      choose={choose}
      row={(entry) => <Line entry={entry} />}
    >
      <Nothing isFiltered={Object.keys(filter).some((name) => name !== "app")} />
    </Rows>
  );
}

function Nothing({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) {
    return (
      <Empty title="No matching events yet">
        <p>
          <code>*</code> stands for any run of characters: <code>private-*</code>. What fits shows up as it happens.
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No events yet">
      <p>Connect a client, or send an event. It shows up here at once.</p>
    </Empty>
  );
}

function Line({ entry }: { entry: FeedEntry }) {
  const { channel, event, connection, user, address, why, payload } = entry;
  const what = payload?.text ?? why ?? (entry.type === "connected" ? address : user) ?? "";
  return (
    <>
      <Time atMs={entry.atMs} />
      <TypeMark type={entry.type} />
      <span class="cell channel" title={channel}>
        {channel}
      </span>
      <span class="cell event" title={event}>
        {event}
      </span>
      <span class="cell connection">{connection}</span>
      <span class="cell what">{what.slice(0, 200)}</span>
    </>
  );
}

function Rate() {
  void feed.version.value;
  const { shown } = feed.rate();
  const paused = pause.value;
  if (paused) return <>Paused · {count(Math.max(0, feed.total - paused.total))} since</>;
  return (
    <>
      {short(shown)}/s · {count(feed.total)} seen<span class="wide">, the last {count(KEPT)} are kept</span>
    </>
  );
}

function Sampling() {
  void feed.version.value;
  if (feed.leftOut === 0) return null;
  const { shown, leftOut } = feed.rate();
  return (
    <p class="sampling">
      {leftOut > 0 && `Sampling: ${count(shown)} of ${count(shown + leftOut)} events a second are shown. `}
      {count(feed.leftOut)} left out so far. A narrower filter shows more.
    </p>
  );
}

function useIsNarrow(): boolean {
  const [isNarrow, set] = useState(() => matchMedia("(max-width: 760px)").matches);
  useEffect(() => {
    const query = matchMedia("(max-width: 760px)");
    const look = () => set(query.matches);
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  return isNarrow;
}
