/** The channels of an app: who is in how many, what was said last, and one channel closely. */

import type { ChannelDetail, ChannelEntry, ChannelList, FeedEntry } from "fanfare/wire/admin";
import { useMemo, useState } from "preact/hooks";
import { path } from "../api.ts";
import { useAnswer } from "../parts/answer.ts";
import { Empty, Failure, Waiting } from "../parts/notes.tsx";
import { PayloadView } from "../parts/payload.tsx";
import { Facts, Head, Kind, Search, Since, Time, TypeMark } from "../parts/small.tsx";
import { useSettled, useWatch } from "../parts/watch.ts";
import { change, place, to } from "../route.ts";
import { may } from "../session.ts";
import { count, plural } from "../show.ts";
import { ConnectionTable } from "./connections.tsx";

const EVERY_MS = 3_000;
const RECENT = 30;

export function Channels({ app }: { app: string }) {
  const search = place.value.params.search ?? "";
  const settled = useSettled(search);
  const { data, error, reload } = useAnswer<ChannelList>(
    path(["apps", app, "channels"], { search: settled }),
    EVERY_MS,
  );
  const last = useLastEvents(app);
  return (
    <>
      <Head
        title="Channels"
        lead={data && plural(data.total, settled === "" ? "channel" : "match", settled === "" ? "channels" : "matches")}
      >
        <Search isFirst label="Search channels" value={search} onInput={(value) => change({ search: value })} />
      </Head>
      <Failure error={error} retry={reload} />
      {!data && !error && <Waiting />}
      {data?.channels.length === 0 && <NoChannels isSearch={settled !== ""} />}
      {data && data.channels.length > 0 && <ChannelTable channels={data.channels} app={app} last={last} />}
      {data && data.total > data.channels.length && (
        <p class="more">
          {count(data.channels.length)} of {count(data.total)} are listed, the largest first. Search to find others.
        </p>
      )}
    </>
  );
}

function NoChannels({ isSearch }: { isSearch: boolean }) {
  if (isSearch) return <Empty title="No channel has that in its name">Names are case-sensitive.</Empty>;
  return (
    <Empty title="Nobody is in any channel">
      A channel is there as long as somebody is subscribed to it. Subscribe a client, and it is listed here.
    </Empty>
  );
}

interface TableProps {
  readonly channels: readonly ChannelEntry[];
  readonly app: string;
  readonly last: ReadonlyMap<string, FeedEntry>;
}

function ChannelTable({ channels, app, last }: TableProps) {
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th scope="col">Channel</th>
            <th scope="col">Kind</th>
            <th scope="col" class="number">
              Subscribers
            </th>
            <th scope="col" class="number">
              Members
            </th>
            <th scope="col" class="wide">
              Last event
            </th>
          </tr>
        </thead>
        <tbody>
          {channels.map((channel) => (
            <tr key={channel.name}>
              <th scope="row">
                <a href={to("channel", { app, name: channel.name })}>{channel.name}</a>
              </th>
              <td>
                <Kind channel={channel} />
              </td>
              <td class="number">{count(channel.subscribers)}</td>
              <td class="number">{channel.users === undefined ? "" : count(channel.users)}</td>
              <td class="wide">
                <LastEvent entry={last.get(channel.name)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function LastEvent({ entry }: { entry: FeedEntry | undefined }) {
  if (!entry)
    return (
      <span class="soft" title="None since this page opened">
        –
      </span>
    );
  return (
    <>
      <code>{entry.event}</code>{" "}
      <span class="soft">
        <Since atMs={entry.atMs} /> ago
      </span>
    </>
  );
}

/** By channel, of those seen while the page is open. */
function useLastEvents(app: string): ReadonlyMap<string, FeedEntry> {
  const known = useMemo(() => new Map<string, FeedEntry>(), [app]);
  const [, paint] = useState(0);
  useWatch({ type: "feed", app, types: ["client_event", "api_message"] }, "feed", ({ entries }) => {
    for (const entry of entries) if (entry.channel !== undefined) known.set(entry.channel, entry);
    // An app with more channels than anybody reads: the oldest are forgotten.
    for (const name of known.keys()) if (known.size > 5_000) known.delete(name);
    paint((before) => before + 1);
  });
  return known;
}

export function ChannelPage({ app }: { app: string }) {
  const name = place.value.params.name ?? "";
  const { data, error, reload } = useAnswer<ChannelDetail>(path(["apps", app, "channel"], { name }), EVERY_MS);
  const isGone = error?.code === "not_found";
  return (
    <>
      <Head
        title={<span class="breakable">{name}</span>}
        name={name}
        lead={<a href={to("channels", { app })}>All channels</a>}
      >
        {may("operate") && (
          <a class="button" href={to("send", { app, channel: name })}>
            Send an event
          </a>
        )}
        <a class="button" href={to("console", { app, channel: name })}>
          In the console
        </a>
      </Head>
      {isGone ? (
        <Empty title="Nobody is in this channel">
          It is listed again as soon as somebody subscribes. Events that are sent to it meanwhile show up below.
        </Empty>
      ) : (
        <Failure error={error} retry={reload} />
      )}
      {!data && !error && <Waiting />}
      {data && !isGone && <ChannelFacts channel={data} />}
      <div class="columns">
        <Happening app={app} name={name} />
        {data && !isGone && <Kept channel={data} />}
      </div>
      {data?.kind === "presence" && !isGone && <Members channel={data} />}
      {data && !isGone && data.connections.length > 0 && (
        <section class="card" aria-labelledby="its-connections">
          <h2 id="its-connections">
            Connections <small>of the node that answers</small>
          </h2>
          <ConnectionTable connections={data.connections} />
        </section>
      )}
    </>
  );
}

function ChannelFacts({ channel }: { channel: ChannelDetail }) {
  const rows = [
    ["Kind", <Kind key="kind" channel={channel} />],
    ["Subscribers", count(channel.subscribers)],
    ...(channel.users === undefined ? [] : [["Members", count(channel.users)] as const]),
  ] as const;
  return <Facts rows={rows} />;
}

function Happening({ app, name }: { app: string; name: string }) {
  const [recent, put] = useState<readonly FeedEntry[]>([]);
  const [leftOut, setLeftOut] = useState(0);
  useWatch({ type: "feed", app, channel: name }, "feed", (batch) => {
    const its = batch.entries.filter(({ channel }) => channel === name);
    put((before) => [...its.toReversed(), ...before].slice(0, RECENT));
    setLeftOut((before) => before + batch.leftOut);
  });
  return (
    <section class="card" aria-labelledby="happening">
      <h2 id="happening">As it happens</h2>
      {recent.length === 0 && <Empty title="Nothing yet">What happens in this channel shows up here.</Empty>}
      <ol class="lines">
        {recent.map((entry) => (
          <li key={entry.id}>
            <Time atMs={entry.atMs} /> <TypeMark type={entry.type} /> {entry.event && <code>{entry.event}</code>}{" "}
            <span class="soft what">{(entry.payload?.text ?? entry.user ?? entry.connection ?? "").slice(0, 160)}</span>
          </li>
        ))}
      </ol>
      {leftOut > 0 && <p class="more">{plural(leftOut, "event")} left out, because there were too many to show.</p>}
    </section>
  );
}

function Kept({ channel }: { channel: ChannelDetail }) {
  if (channel.kept.length === 0) return null;
  return (
    <section class="card" aria-labelledby="kept">
      <h2 id="kept">
        Kept <small>newest first</small>
      </h2>
      {channel.kept.toReversed().map(({ event, payload }, index) => (
        <PayloadView key={index} payload={payload} label={event} />
      ))}
    </section>
  );
}

function Members({ channel }: { channel: ChannelDetail }) {
  return (
    <section class="card" aria-labelledby="members">
      <h2 id="members">
        Members <small>{count(channel.users ?? channel.members.length)}</small>
      </h2>
      <div class="table">
        <table>
          <thead>
            <tr>
              <th scope="col">User</th>
              <th scope="col">Info</th>
              <th scope="col">State</th>
              <th scope="col">Here for</th>
            </tr>
          </thead>
          <tbody>
            {channel.members.map(({ id, info, state, joinedAtMs }) => (
              <tr key={id}>
                <th scope="row">{id}</th>
                <td class="mono">{info.text.slice(0, 300)}</td>
                <td class="mono">{state?.text.slice(0, 300)}</td>
                <td>
                  <Since atMs={joinedAtMs} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
