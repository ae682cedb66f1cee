/** One channel closely: how much is said in it, who is there, what is kept, what rules apply, and what an operator can do with it. */

import type { Acted, ChannelDetail, Purged } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { call, path } from "../api.ts";
import { appName } from "../overview.ts";
import { Act } from "../parts/act.tsx";
import { useAnswer } from "../parts/answer.ts";
import { POINT_S, type Rate, useChannelRates } from "../parts/channel-rates.ts";
import { channelIcon, HistoryWords } from "../parts/channel-words.tsx";
import { Chart, COUNT_STEPS } from "../parts/chart.tsx";
import { Ask } from "../parts/dialog.tsx";
import { Icon } from "../parts/icon.tsx";
import { Empty, Failure, notify, Waiting } from "../parts/notes.tsx";
import { Copy, Head, Mark } from "../parts/small.tsx";
import { Fact, Strip } from "../parts/strip.tsx";
import { place, to } from "../route.ts";
import { openSend } from "../send-dialog.tsx";
import { count, plural, rateText, short } from "../show.ts";
import { themeKey } from "../theme.ts";
import { ChannelEvents } from "./channel-events.tsx";
import { Members, Subscribers, tellOfKick } from "./channel-people.tsx";

const EVERY_MS = 5_000;

export function ChannelPage({ app }: { app: string }) {
  const name = place.value.params.name ?? "";
  const { data, error, reload } = useAnswer<ChannelDetail>(path(["apps", app, "channel"], { name }), EVERY_MS);
  const { rates, nowMs } = useChannelRates({ app, channel: name });
  const rate = rates.of({ app, name }, nowMs);
  const isGone = error?.code === "not_found";
  const channel = isGone ? undefined : data;
  return (
    <>
      <Head
        title={<span class="breakable mono">{name}</span>}
        name={name}
        crumb={<a href={to("channels")}>Channels</a>}
        lead={appName(app)}
      >
        {channel && (
          <span class="entity-title">
            <span class="mono breakable">{name}</span>
            <Mark>
              <Icon name={channelIcon(channel)} isSmall /> {channel.kind}
            </Mark>
            {channel.encrypted && <Mark>encrypted</Mark>}
            {channel.cache && <Mark>cache</Mark>}
            <Mark>{appName(app)}</Mark>
            {channel.history && <Mark>history</Mark>}
          </span>
        )}
        <span class="grow" />
        <Actions app={app} name={name} channel={channel} reload={reload} />
      </Head>
      {isGone ? (
        <Empty title="Nobody is in this channel">
          It is listed again as soon as somebody subscribes. Events that are sent to it meanwhile show up below.
        </Empty>
      ) : (
        <Failure error={error} retry={reload} />
      )}
      {!data && !error && <Waiting />}
      {channel && <FactsStrip channel={channel} rate={rate} />}
      <div class="halves">
        <div class="stack">
          <RateChart rate={rate} nowMs={nowMs} />
          <ChannelEvents app={app} name={name} />
        </div>
        {channel && (
          <div class="stack">
            {channel.kind === "presence" ? (
              <Members channel={channel} reload={reload} />
            ) : (
              <Subscribers channel={channel} reload={reload} />
            )}
            <Rules channel={channel} />
          </div>
        )}
      </div>
    </>
  );
}

// ---- what can be done

interface ActionsProps {
  readonly app: string;
  readonly name: string;
  readonly channel: ChannelDetail | undefined;
  readonly reload: () => void;
}

function Actions({ app, name, channel, reload }: ActionsProps) {
  const [asked, ask] = useState<"kick" | "purge">();
  const close = () => ask(undefined);
  return (
    <>
      <Act needs="operate" act={() => openSend({ app, channel: name })}>
        Send event
      </Act>
      <a class="button" href={to("console", { app, channel: name })}>
        <Icon name="console" isSmall /> Open in console
      </a>
      <Copy text={name} what="name" shown="Copy name" />
      <Act needs="operate" look="danger" isDisabled={!channel} act={() => ask("kick")}>
        Kick everyone…
      </Act>
      <Act needs="operate" look="danger" isDisabled={!channel?.history} act={() => ask("purge")}>
        Purge history…
      </Act>
      {asked === "kick" && channel && <KickAll channel={channel} onClose={close} reload={reload} />}
      {asked === "purge" && channel && <Purge channel={channel} onClose={close} />}
    </>
  );
}

interface AskedProps {
  readonly channel: ChannelDetail;
  readonly onClose: () => void;
}

function KickAll({ channel: { app, name, subscribers }, onClose, reload }: AskedProps & { reload: () => void }) {
  const kick = async () => {
    tellOfKick(await call<Acted>("POST", path(["apps", app, "kick"]), { channel: name, all: true }));
    reload();
  };
  return (
    <Ask
      title={`Kick everyone out of ${name}`}
      verb={`Kick ${plural(subscribers, "subscriber")}`}
      isDangerous
      act={kick}
      onClose={onClose}
    >
      <p>
        On all nodes, {plural(subscribers, "connection")} {subscribers === 1 ? "is" : "are"} taken out of the channel
        and told so. They stay connected, and may subscribe again.
      </p>
    </Ask>
  );
}

function Purge({ channel: { app, name, history }, onClose }: AskedProps) {
  const purge = async () => {
    const { purged } = await call<Purged>("POST", path(["apps", app, "purge"]), { channel: name });
    notify(`Purged ${plural(purged, "event")}.`);
  };
  return (
    <Ask
      title={`Purge the history of ${name}`}
      verb="Purge the history"
      isDangerous
      typed={name}
      act={purge}
      onClose={onClose}
    >
      <p>
        All events that are kept of the channel are forgotten, at most {count(history?.size ?? 0)}. This cannot be
        undone: clients that come back cannot recover them.
      </p>
    </Ask>
  );
}

// ---- how much

function FactsStrip({ channel, rate }: { channel: ChannelDetail; rate: Rate }) {
  const { subscribers, users, connections } = channel;
  const nodes = new Set(connections.map(({ node }) => node)).size;
  const deliveries =
    rate.in > 0 ? `${short(Math.round(rate.out / rate.in))} deliveries per event` : "per second, all nodes";
  return (
    <Strip>
      <Fact name="Subscribers" value={count(subscribers)} more={`on ${plural(Math.max(1, nodes), "node")}`} />
      {users !== undefined && <Fact name="Members" value={count(users)} more="distinct users" />}
      <Fact name="In" value={rateText(rate.in)} unit="/s" more="events published" />
      <Fact name="Out" value={rateText(rate.out)} unit="/s" more={deliveries} />
      <Fact name="History" value={<HistoryWords channel={channel} />} more={historyContext(channel)} />
    </Strip>
  );
}

function historyContext({ history, kept }: ChannelDetail): string {
  if (!history) return "nothing is kept";
  const position = kept.at(-1)?.position;
  return position ? `at position ${count(position.offset)}` : "nothing kept yet";
}

const LENGTH_S = 300;

function RateChart({ rate: { line }, nowMs }: { rate: Rate; nowMs: number }) {
  const endS = Math.floor(nowMs / 1000);
  const times = line.map((_, at) => endS - (line.length - at) * POINT_S);
  return (
    <Chart
      title="Events per second"
      times={times}
      lines={[{ label: "in", color: "--line-1", values: line }]}
      range={[endS - LENGTH_S, endS]}
      show={short}
      steps={COUNT_STEPS}
      theme={themeKey.value}
    />
  );
}

// ---- what applies

const PUBLISH_WORDS: Readonly<Record<string, string>> = {
  none: "nothing",
  "client-events": "client events",
  any: "any event",
};

function Rules({ channel: { app, rules, history, cache } }: { channel: ChannelDetail }) {
  const { matched, count: number, policy } = rules;
  const { clientPublish, maxSubscribers, auth, rewind } = policy as {
    clientPublish: string;
    maxSubscribers: number | string;
    auth: boolean;
    rewind?: { count: number };
  };
  const rows: readonly (readonly [string, ComponentChildren])[] = [
    [
      "Matched",
      matched ? (
        <MatchedRule key="rule" match={matched.match} at={`rule ${matched.number} of ${number}`} />
      ) : (
        "no rule: the defaults of its kind"
      ),
    ],
    ["Clients may publish", PUBLISH_WORDS[clientPublish] ?? clientPublish],
    ["Signed in", auth ? "required" : "not required"],
    ["Subscribers", typeof maxSubscribers === "number" ? `at most ${count(maxSubscribers)}` : "unlimited"],
    ["History", <HistoryWords key="history" channel={{ cache, ...(history && { history }) }} />],
    ...(rewind ? [["Rewind", `new subscribers get the last ${plural(rewind.count, "event")}`] as const] : []),
  ];
  return (
    <section class="card" aria-label="Rules that apply">
      <h2>
        Rules that apply
        <span class="grow" />
        <small>
          <a href={to("app", { app })}>{appName(app)}</a>
        </small>
      </h2>
      <dl class="pairs">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt class="soft">{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function MatchedRule({ match, at }: { match: string; at: string }) {
  return (
    <>
      <code>{match}</code> <span class="soft">{at}</span>
    </>
  );
}
