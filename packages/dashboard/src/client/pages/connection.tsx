/** One connection closely: how it is, and its frames as they pass. */

import type { Acted, ConnectionDetail, ConnectionReport } from "fanfare/wire/admin";
import { useEffect, useRef, useState } from "preact/hooks";
import { call, path } from "../api.ts";
import { appName, nodeName } from "../overview.ts";
import { Act } from "../parts/act.tsx";
import { Ask } from "../parts/dialog.tsx";
import { Icon } from "../parts/icon.tsx";
import { clientWords } from "../parts/lanes.tsx";
import { Empty, notify, Waiting } from "../parts/notes.tsx";
import { PayloadView } from "../parts/payload.tsx";
import { Head, Mark } from "../parts/small.tsx";
import { Fact, type FactProps, Strip } from "../parts/strip.tsx";
import { Unlink } from "../parts/tag.tsx";
import { useLate, useWatch } from "../parts/watch.ts";
import { place, to } from "../route.ts";
import { clock, count, lasting, parsed, plural, size } from "../show.ts";
import { type Frame, Frames } from "./connection-frames.tsx";
import { protocolWord, transportWord } from "./insight-words.ts";

const FRAMES = 200;

interface Watched {
  readonly connection: ConnectionDetail | undefined;
  readonly before: ConnectionDetail | undefined;
  readonly isGone: boolean;
  readonly frames: readonly Frame[];
  readonly leftOut: number;
}

const NOTHING: Watched = { connection: undefined, before: undefined, isGone: false, frames: [], leftOut: 0 };

function useConnection(app: string, id: string): Watched {
  const [watched, put] = useState<Watched>(NOTHING);
  const keys = useRef(0);
  useEffect(() => put(NOTHING), [app, id]);
  useWatch({ type: "connection", app, id }, "connection", (report: ConnectionReport) => {
    const frames = report.frames.map((frame) => ({ ...frame, key: ++keys.current })).toReversed();
    put((was) => ({
      connection: report.connection ?? was.connection,
      before: report.connection ? was.connection : was.before,
      isGone: report.connection === undefined,
      frames: [...frames, ...was.frames].slice(0, FRAMES),
      leftOut: was.leftOut + report.leftOut,
    }));
  });
  return watched;
}

export function ConnectionPage({ app }: { app: string }) {
  const id = place.value.params.id ?? "";
  const watched = useConnection(app, id);
  const { connection, isGone } = watched;
  const isLate = useLate(id);
  const [asked, ask] = useState<ConnectionAct>();
  return (
    <>
      <Head
        title={<span class="mono breakable">{id}</span>}
        name={id}
        crumb={<Crumbs app={app} connection={connection} />}
      />
      {isGone && (
        <p class="banner" role="status">
          This connection has ended. What was seen of it stays until you leave the page.
        </p>
      )}
      {!connection && !isGone && (isLate ? <NotThere /> : <Waiting what="Asking every node" />)}
      {connection && (
        <>
          <ConnectionHead connection={connection} isGone={isGone} ask={ask} />
          <ConnectionFacts connection={connection} before={watched.before} />
          <Frames frames={watched.frames} leftOut={watched.leftOut} />
          <ItsChannels connection={connection} isGone={isGone} ask={ask} />
          {connection.userInfo && (
            <section class="card" aria-label="User info">
              <PayloadView payload={connection.userInfo} label="User info" />
            </section>
          )}
        </>
      )}
      {asked && <AskConnection act={asked} app={app} id={id} onClose={() => ask(undefined)} />}
    </>
  );
}

function Crumbs({ app, connection }: { app: string; connection: ConnectionDetail | undefined }) {
  return (
    <>
      <a href={to("people")}>People</a>
      {connection?.user !== undefined && (
        <>
          <Icon name="right" isSmall />
          <a href={to("user", { app, id: connection.user })}>{nameOf(connection)}</a>
        </>
      )}
    </>
  );
}

/** As the user's page says it: by name where one was given. */
function nameOf({ user = "", userInfo }: ConnectionDetail): string {
  const info = userInfo && parsed(userInfo.text)?.value;
  const name = typeof info === "object" && info !== null && "name" in info ? info.name : undefined;
  return typeof name === "string" && name !== "" ? name.slice(0, 100) : user;
}

type Asking = { readonly isGone: boolean; readonly ask: (act: ConnectionAct) => void };

function ConnectionHead({ connection, isGone, ask }: { connection: ConnectionDetail } & Asking) {
  const { app, id, user, address, library, protocol, agent } = connection;
  return (
    <div class="entity-head">
      <div class="entity-words">
        <p class="entity-name mono breakable">{id}</p>
        <p class="soft breakable">
          {user === undefined ? "anonymous" : <a href={to("user", { app, id: user })}>{nameOf(connection)}</a>} ·{" "}
          <a href={to("app", { app })}>{appName(app)}</a> · {clientWords(library ?? protocol, agent)} ·{" "}
          <span class="mono">{address}</span>
        </p>
      </div>
      <div class="tools">
        <a class="button" href={to("console", { app, connection: id })}>
          <Icon name="console" isSmall />
          Open in console
        </a>
        <Act needs="operate" look="quiet" isDisabled={isGone} act={() => ask({ type: "reconnect" })}>
          Reconnect…
        </Act>
        <Act needs="operate" look="danger" isDisabled={isGone} act={() => ask({ type: "disconnect" })}>
          Disconnect…
        </Act>
      </div>
    </div>
  );
}

function NotThere() {
  return (
    <Empty title="No node has this connection">
      It has probably ended: a client that comes back has another id. If a node has it after all, it shows up by itself.
    </Empty>
  );
}

interface ConnectionFactsProps {
  readonly connection: ConnectionDetail;
  readonly before: ConnectionDetail | undefined;
}

function ConnectionFacts({ connection, before }: ConnectionFactsProps) {
  const { ageMs, silentMs, bufferedBytes, rttMs, traffic, transport, isEncrypted, protocol, node } = connection;
  const word = transportWord(transport ?? "websocket", isEncrypted === true);
  const ms = ageMs - (before?.ageMs ?? ageMs);
  return (
    <Strip>
      <Fact
        name="Connected for"
        value={lasting(ageMs)}
        more={`since ${clock(Date.now() - ageMs).slice(0, 8)}, heard ${lasting(silentMs)} ago`}
      />
      <Fact
        name="Round trip"
        value={rttMs === undefined ? "–" : count(rttMs)}
        unit={rttMs === undefined ? "" : "ms"}
        more={rttMs === undefined ? "no ping was timed yet" : "the last ping"}
      />
      <Fact name="From client" {...side(traffic, before?.traffic, ms, "framesIn", "bytesIn")} />
      <Fact name="To client" {...side(traffic, before?.traffic, ms, "framesOut", "bytesOut")} />
      <Fact
        name="Send buffer"
        value={size(bufferedBytes)}
        more={bufferedBytes === 0 ? "empty: it reads in time" : <Mark tone="warn">waits for the client</Mark>}
      />
      <Fact name="Transport" value={word} more={`node ${nodeName(node)} · protocol ${protocolWord(protocol)}`} />
    </Strip>
  );
}

type Traffic = NonNullable<ConnectionDetail["traffic"]>;

/** Since the report before this one; the totals are since a dashboard began to watch. */
function side(
  now: Traffic | undefined,
  before: Traffic | undefined,
  ms: number,
  frames: "framesIn" | "framesOut",
  bytes: "bytesIn" | "bytesOut",
): Omit<FactProps, "name"> {
  if (!now) return { value: "–", more: "not watched yet" };
  const perS = (of: keyof Traffic) => (before && ms > 0 ? Math.max(0, ((now[of] - before[of]) * 1000) / ms) : 0);
  const more = `${size(perS(bytes))}/s · ${plural(now[frames], "frame")} watched`;
  return { value: count(Math.round(perS(frames))), unit: "/s", more };
}

function ItsChannels({ connection, isGone, ask }: { connection: ConnectionDetail } & Asking) {
  const { app, channelNames } = connection;
  // Those of the server's own are not for people to look at.
  const names = channelNames.filter((name) => !name.startsWith("#"));
  return (
    <section class="card" aria-labelledby="its-channels">
      <h2 id="its-channels">
        Channels <small>{count(names.length)}</small>
      </h2>
      {names.length === 0 && <p class="soft">It is in no channel.</p>}
      <ul class="tags">
        {names.map((name) => (
          <li key={name} class="tag">
            <a href={to("channel", { app, name })}>{name}</a>
            <Unlink channel={name} isDisabled={isGone} act={() => ask({ type: "kick", channel: name })} />
          </li>
        ))}
      </ul>
    </section>
  );
}

type ConnectionAct =
  | { readonly type: "disconnect" | "reconnect" }
  | { readonly type: "kick"; readonly channel: string };

interface AskConnectionProps {
  readonly act: ConnectionAct;
  readonly app: string;
  readonly id: string;
  readonly onClose: () => void;
}

function AskConnection({ act, app, id, onClose }: AskConnectionProps) {
  const post = async (where: readonly string[], body: object, done: string) => {
    const { outcome } = await call<Acted>("POST", path(["apps", app, ...where]), body);
    notify(outcome === "done" ? done : "Every node has been asked to do it.");
  };
  switch (act.type) {
    case "disconnect":
      return (
        <Ask
          title={`Disconnect ${id}?`}
          verb="Disconnect 1 connection"
          isDangerous
          onClose={onClose}
          act={() => post(["connections", id, "disconnect"], {}, "Disconnected.")}
        >
          <p>The connection is closed, and its client does not reconnect by itself.</p>
        </Ask>
      );
    case "reconnect":
      return (
        <Ask
          title={`Have ${id} reconnect?`}
          verb="Reconnect 1 connection"
          onClose={onClose}
          act={() => post(["reconnect"], { connection: id }, "Asked to reconnect.")}
        >
          <p>Its client connects again at once, as another connection, and goes on where it was.</p>
        </Ask>
      );
    case "kick":
      return (
        <Ask
          title={`Take ${id} out of ${act.channel}?`}
          verb={`Kick from ${act.channel}`}
          isDangerous
          onClose={onClose}
          act={() => post(["kick"], { connection: id, channel: act.channel }, "Kicked.")}
        >
          <p>This one connection leaves the channel, and is told so. It may subscribe again: a ban is for a user.</p>
        </Ask>
      );
  }
}
