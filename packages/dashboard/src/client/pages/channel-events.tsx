/** What is said in a channel: as it happens, or what is kept of it. */

import type { ChannelHistory, FeedEntry, KeptEvent } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { path } from "../api.ts";
import { learnNames } from "../names.ts";
import { useAnswer } from "../parts/answer.ts";
import { Empty, Failure, Waiting } from "../parts/notes.tsx";
import { Time, TypeMark } from "../parts/small.tsx";
import { useWatch } from "../parts/watch.ts";
import { Who } from "../parts/who.tsx";
import { change, place } from "../route.ts";
import { plural, size } from "../show.ts";

const EVERY_MS = 5_000;
const RECENT = 50;
const LONGEST_PAYLOAD = 160;

export function ChannelEvents({ app, name }: { app: string; name: string }) {
  const isHistory = place.value.params.tab === "history";
  const [recent, put] = useState<readonly FeedEntry[]>([]);
  const [leftOut, setLeftOut] = useState(0);
  useWatch({ type: "feed", app, channel: name }, "feed", (batch) => {
    learnNames(batch.entries);
    const its = batch.entries.filter(({ channel }) => channel === name);
    put((before) => newest(before, its));
    if (!batch.isEarlier) setLeftOut((sum) => sum + batch.leftOut);
  });
  return (
    <section class="card" aria-label="Events">
      <h2>
        Events
        <span class="grow" />
        <span class="segment">
          <Tab tab={undefined} name="Live" isOpen={!isHistory} />
          <Tab tab="history" name="History" isOpen={isHistory} />
        </span>
      </h2>
      {isHistory ? <History app={app} name={name} /> : <LiveEvents entries={recent} />}
      {!isHistory && leftOut > 0 && (
        <p class="more">{plural(leftOut, "event")} left out, because there were too many to show.</p>
      )}
    </section>
  );
}

function Tab({ tab, name, isOpen }: { tab: string | undefined; name: string; isOpen: boolean }) {
  return (
    <button type="button" aria-pressed={isOpen} onClick={() => change({ tab })}>
      {name}
    </button>
  );
}

/** Newest first; what was before one came may be told more than once. */
function newest(before: readonly FeedEntry[], more: readonly FeedEntry[]): readonly FeedEntry[] {
  const all = new Map([...before, ...more].map((entry) => [entry.id, entry]));
  return [...all.values()].sort((one, other) => other.atMs - one.atMs).slice(0, RECENT);
}

function LiveEvents({ entries }: { entries: readonly FeedEntry[] }) {
  if (entries.length === 0) return <Empty title="No events yet">What happens in this channel shows up here.</Empty>;
  return (
    <EventTable head={["Time", "Event", "Who", "Payload"]}>
      {entries.map((entry) => (
        <LiveRow key={entry.id} entry={entry} />
      ))}
    </EventTable>
  );
}

function LiveRow({ entry }: { entry: FeedEntry }) {
  const { atMs, type, event, payload, why } = entry;
  return (
    <tr>
      <td class="mono">
        <Time atMs={atMs} />
      </td>
      <td>{event ? event : <TypeMark type={type} />}</td>
      <td class="what">
        <Who {...entry} />
      </td>
      <PayloadCells text={why ?? payload?.text ?? ""} bytes={payload?.bytes} />
    </tr>
  );
}

function EventTable({ head, children }: { head: readonly string[]; children: ComponentChildren }) {
  return (
    <div class="table">
      <table class="events">
        <thead>
          <tr>
            {head.map((name) => (
              <th key={name} scope="col" class={name === "Payload" ? "wide" : undefined}>
                {name}
              </th>
            ))}
            <th scope="col" class="number wide">
              Size
            </th>
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

function PayloadCells({ text, bytes }: { text: string; bytes: number | undefined }) {
  return (
    <>
      <td class="mono what wide" title={text.slice(0, 1_000)}>
        {text.slice(0, LONGEST_PAYLOAD)}
      </td>
      <td class="number wide">{bytes === undefined ? "" : size(bytes)}</td>
    </>
  );
}

function History({ app, name }: { app: string; name: string }) {
  const [older, setOlder] = useState<readonly NonNullable<ChannelHistory["next"]>[]>([]);
  const before = older.at(-1);
  const at = path(["apps", app, "history"], { name, before: before && `${before.epoch}:${before.offset}` });
  const { data, error, reload } = useAnswer<ChannelHistory>(at, before ? undefined : EVERY_MS);
  if (error) return <Failure error={error} retry={reload} />;
  if (!data) return <Waiting />;
  if (data.events.length === 0 && !before) {
    return <Empty title="Nothing is kept">A channel keeps events where a rule gives it a history.</Empty>;
  }
  const { next } = data;
  return (
    <>
      <EventTable head={["Position", "Time", "Event", "Who", "Payload"]}>
        {data.events.toReversed().map((event) => (
          <KeptRow key={event.position?.offset ?? event.atMs} app={app} event={event} />
        ))}
      </EventTable>
      <p class="more pages">
        <button type="button" disabled={!before} onClick={() => setOlder(older.slice(0, -1))}>
          Newer
        </button>
        <button type="button" disabled={!next} onClick={() => next && setOlder([...older, next])}>
          Older
        </button>
      </p>
    </>
  );
}

function KeptRow({ app, event: kept }: { app: string; event: KeptEvent }) {
  const { event, payload, position, atMs, user, connection } = kept;
  return (
    <tr>
      <td class="mono" title={position && `${position.epoch}:${position.offset}`}>
        {position?.offset}
      </td>
      <td class="mono">{atMs !== undefined && <Time atMs={atMs} />}</td>
      <td>{event}</td>
      <td class="what">
        <Who type={connection === undefined ? "api_message" : "client_event"} {...{ app, user, connection }} />
      </td>
      <PayloadCells text={payload.text} bytes={payload.bytes} />
    </tr>
  );
}
