/** The channels of an app: who is in how many, what was said last, and one channel closely. */

import type { ChannelDetail, ChannelEntry, ChannelList, FeedEntry } from "fanfare/wire/admin";
import { useMemo, useState } from "preact/hooks";
import { path } from "../api.ts";
import { appName, appsInScope } from "../overview.ts";
import { useAnswer, useAnswers } from "../parts/answer.ts";
import { AppsLeftOut, Empty, Failure, Waiting } from "../parts/notes.tsx";
import { PayloadView } from "../parts/payload.tsx";
import { Facts, Head, Kind, Search, Since, Time, TypeMark } from "../parts/small.tsx";
import { useSettled, useWatch } from "../parts/watch.ts";
import { change, chosenApp, place, to } from "../route.ts";
import { count, plural } from "../show.ts";
import { ConnectionTable } from "./connections.tsx";

const EVERY_MS = 3_000;
const RECENT = 30;
const MOST = 500;

type OfApp = ChannelEntry & { readonly app: string };

export function Channels() {
  const search = place.value.params.search ?? "";
  const settled = useSettled(search);
  const apps = appsInScope.value;
  const paths = apps?.map((app) => path(["apps", app, "channels"], { search: settled }));
  const { data, error, reload } = useAnswers<ChannelList>(paths, EVERY_MS);
  const channels = useMemo(() => merged(apps ?? [], data ?? []), [apps, data]);
  const total = data?.reduce((sum, list) => sum + list.total, 0) ?? 0;
  const last = useLastEvents(chosenApp.value);
  return (
    <>
      <Head
        title="Channels"
        lead={data && plural(total, settled === "" ? "channel" : "match", settled === "" ? "channels" : "matches")}
      >
        <Search isFirst label="Search channels" value={search} onInput={(value) => change({ search: value })} />
      </Head>
      <Failure error={error} retry={reload} />
      {!data && !error && <Waiting />}
      {data && channels.length === 0 && <NoChannels isSearch={settled !== ""} />}
      {channels.length > 0 && <ChannelTable channels={channels} hasApps={(apps?.length ?? 0) > 1} last={last} />}
      {data && total > channels.length && (
        <p class="more">
          {count(channels.length)} of {count(total)} are listed, the largest first. Search to find others.
        </p>
      )}
      <AppsLeftOut />
    </>
  );
}

/** As many of all apps as of one, the largest first. */
function merged(apps: readonly string[], lists: readonly ChannelList[]): readonly OfApp[] {
  const all = lists.flatMap(({ channels }, index) => channels.map((it) => ({ ...it, app: apps[index] ?? "" })));
  return all.sort((one, other) => other.subscribers - one.subscribers).slice(0, MOST);
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
  readonly channels: readonly OfApp[];
  readonly hasApps: boolean;
  readonly last: ReadonlyMap<string, FeedEntry>;
}

function ChannelTable({ channels, hasApps, last }: TableProps) {
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th scope="col">Channel</th>
            {hasApps && <th scope="col">App</th>}
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
            <tr key={`${channel.app}/${channel.name}`}>
              <th scope="row">
                <a href={to("channel", { app: channel.app, name: channel.name })}>{channel.name}</a>
              </th>
              {hasApps && <td>{appName(channel.app)}</td>}
              <td>
                <Kind channel={channel} />
              </td>
              <td class="number">{count(channel.subscribers)}</td>
              <td class="number">{channel.users === undefined ? "" : count(channel.users)}</td>
              <td class="wide">
                <LastEvent entry={last.get(`${channel.app}/${channel.name}`)} />
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

/** By app and channel, of those seen while the page is open. */
function useLastEvents(app: string | undefined): ReadonlyMap<string, FeedEntry> {
  const known = useMemo(() => new Map<string, FeedEntry>(), [app]);
  const [, paint] = useState(0);
  const types = ["client_event", "api_message"] as const;
  useWatch({ type: "feed", ...(app !== undefined && { app }), types }, "feed", ({ entries }) => {
    for (const entry of entries) if (entry.channel !== undefined) known.set(`${entry.app}/${entry.channel}`, entry);
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
      <Head title={<span class="breakable">{name}</span>} name={name} crumb={<a href={to("channels")}>Channels</a>}>
        <a class="button" href={to("console", { app, channel: name })}>
          Open in console
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
        {data && !isGone && <History channel={data} />}
      </div>
      {data?.kind === "presence" && !isGone && <Members channel={data} />}
      {data && !isGone && data.connections.length > 0 && (
        <section class="card" aria-labelledby="its-connections">
          <h2 id="its-connections">
            Connections <small>on this node</small>
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
      <h2 id="happening">Events (live)</h2>
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

function History({ channel }: { channel: ChannelDetail }) {
  if (channel.kept.length === 0) return null;
  return (
    <section class="card" aria-labelledby="history">
      <h2 id="history">
        History <small>newest first</small>
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
              <th scope="col">Joined</th>
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
