/** The connections of an app, on every node, and one of them closely: how it is, and its frames as they pass. */

import type {
  ConnectionDetail,
  ConnectionEntry,
  ConnectionList,
  ConnectionReport,
  Done,
  TappedFrame,
} from "fanfare/wire/admin";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { call, path } from "../api.ts";
import { appsInScope, nodeName, overview } from "../overview.ts";
import { Act } from "../parts/act.tsx";
import { Ask } from "../parts/dialog.tsx";
import { AppsLeftOut, Empty, notify, Waiting } from "../parts/notes.tsx";
import { PayloadView } from "../parts/payload.tsx";
import { Facts, Head, Mark, Search, Time } from "../parts/small.tsx";
import { useSettled, useWatch, useWatches } from "../parts/watch.ts";
import { change, place, to } from "../route.ts";
import { count, lasting, plural, size } from "../show.ts";

/** A node that has not told of its connections for so long is taken to be gone. */
const STALE_MS = 10_000;
const FRAMES = 200;
/** As long as a node may take to tell of a connection that it has. */
const PATIENCE_MS = 6_000;

export function Connections() {
  const search = place.value.params.search ?? "";
  const settled = useSettled(search);
  const lists = useLists(appsInScope.value ?? [], settled);
  const connections = lists?.flatMap((list) => list.connections);
  const total = lists?.reduce((sum, list) => sum + list.total, 0) ?? 0;
  return (
    <>
      <Head title="People" lead={lists && plural(total, "connection")}>
        <Search
          isFirst
          label="Search id, user, address"
          value={search}
          onInput={(value) => change({ search: value })}
        />
      </Head>
      {!connections && <Waiting what="Asking every node" />}
      {connections?.length === 0 && (
        <Empty title={settled === "" ? "Nobody is connected" : "No connection fits"}>
          {settled === ""
            ? "Connect a client with the app's key, and it is listed here."
            : "The search looks at ids, users, addresses and transports."}
        </Empty>
      )}
      {connections && connections.length > 0 && <ConnectionTable connections={connections} />}
      {connections && total > connections.length && (
        <p class="more">
          {count(connections.length)} of {count(total)} are listed. Search to find others.
        </p>
      )}
      <AppsLeftOut />
    </>
  );
}

/** One list of each app and node, as they come in. */
function useLists(apps: readonly string[], search: string): readonly ConnectionList[] | undefined {
  const [lists, put] = useState<ReadonlyMap<string, { readonly list: ConnectionList; readonly atMs: number }>>();
  const watches = apps.map((app) => ({ type: "connections", app, ...(search && { search }) }) as const);
  useEffect(() => put(undefined), [apps, search]);
  useWatches(watches, "connections", (list, { app }) => {
    const nowMs = Date.now();
    put((before = new Map()) => {
      const fresh = [...before].filter(([, { atMs }]) => nowMs - atMs < STALE_MS);
      return new Map([...fresh, [`${app}/${list.node}`, { list, atMs: nowMs }]]);
    });
  });
  return useMemo(() => lists && Array.from(lists.values(), ({ list }) => list), [lists]);
}

function ConnectionTable({ connections }: { connections: readonly ConnectionEntry[] }) {
  const hasNodes = (overview.value?.nodes.length ?? 1) > 1;
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th scope="col">Connection</th>
            <th scope="col">User</th>
            <th scope="col" class="wide">
              Address
            </th>
            <th scope="col" class="wide">
              Protocol
            </th>
            <th scope="col" class="number">
              Channels
            </th>
            <th scope="col" class="number">
              Connected for
            </th>
            {hasNodes && (
              <th scope="col" class="wide">
                Node
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {connections.map((it) => (
            <tr key={`${it.node}/${it.id}`}>
              <th scope="row">
                <a class="mono" href={to("connection", { app: it.app, id: it.id })}>
                  {it.id}
                </a>
              </th>
              <td>{it.user}</td>
              <td class="wide mono">{it.address}</td>
              <td class="wide">{spoken(it)}</td>
              <td class="number">{count(it.channels)}</td>
              <td class="number">{lasting(it.ageMs)}</td>
              {hasNodes && <td class="wide">{nodeName(it.node)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A WebSocket goes without saying. */
function spoken({ protocol, transport }: ConnectionEntry): string {
  return transport === undefined || transport === protocol ? protocol : `${protocol}, ${transport}`;
}

type Frame = TappedFrame & { readonly key: number };

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
  const isLate = useIsLate(id);
  const [asked, ask] = useState<"disconnect" | "terminate">();
  return (
    <>
      <Head title={<span class="mono breakable">{id}</span>} name={id} crumb={<a href={to("people")}>People</a>}>
        <a class="button" href={to("console", { app, connection: id })}>
          Open in console
        </a>
        {connection?.user !== undefined && !isGone && (
          <Act needs="operate" look="danger" act={() => ask("terminate")}>
            Terminate user
          </Act>
        )}
        {connection && !isGone && (
          <Act needs="operate" look="danger" act={() => ask("disconnect")}>
            Disconnect
          </Act>
        )}
      </Head>
      {isGone && (
        <p class="banner" role="status">
          This connection has ended. What was seen of it stays until you leave the page.
        </p>
      )}
      {!connection && !isGone && (isLate ? <NotThere /> : <Waiting what="Asking every node" />)}
      {connection && <ConnectionFacts connection={connection} before={watched.before} />}
      {connection && <Frames frames={watched.frames} leftOut={watched.leftOut} />}
      {asked && connection && <AskEnd what={asked} connection={connection} onClose={() => ask(undefined)} />}
    </>
  );
}

function NotThere() {
  return (
    <Empty title="No node has this connection">
      It has probably ended: a client that comes back has another id. If a node has it after all, it shows up by itself.
    </Empty>
  );
}

function useIsLate(id: string): boolean {
  const [isLate, set] = useState(false);
  useEffect(() => {
    set(false);
    const timer = setTimeout(() => set(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [id]);
  return isLate;
}

function ConnectionFacts({
  connection,
  before,
}: {
  connection: ConnectionDetail;
  before: ConnectionDetail | undefined;
}) {
  const { user, userInfo, address, protocol, node, ageMs, silentMs, bufferedBytes } = connection;
  const { transport = "websocket", channelNames, traffic, app } = connection;
  const rows = [
    ["User", user ?? <span class="soft">anonymous</span>],
    [
      "Address",
      <span key="address" class="mono">
        {address}
      </span>,
    ],
    ["Protocol", protocol],
    ["Transport", transport],
    ["Node", nodeName(node)],
    ["Connected for", lasting(ageMs)],
    ["Silent for", lasting(silentMs)],
    [
      "Buffer",
      bufferedBytes === 0 ? (
        "empty"
      ) : (
        <Mark key="buffer" tone="warn">
          {size(bufferedBytes)} wait
        </Mark>
      ),
    ],
    ...(traffic ? rates(traffic, before?.traffic, ageMs - (before?.ageMs ?? ageMs)) : []),
  ] as const;
  return (
    <>
      <Facts rows={rows} />
      {userInfo && <PayloadView payload={userInfo} label="User info" />}
      <section class="card" aria-labelledby="its-channels">
        <h2 id="its-channels">
          Channels <small>{count(connection.channels)}</small>
        </h2>
        {channelNames.length === 0 && <p class="soft">It is in no channel.</p>}
        <ul class="tags">
          {channelNames.map((name) => (
            <li key={name}>
              <a href={to("channel", { app, name })}>{name}</a>
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}

type Traffic = NonNullable<ConnectionDetail["traffic"]>;

/** Since the report before this one; the totals are since a dashboard began to watch. */
function rates(now: Traffic, before: Traffic | undefined, ms: number): (readonly [string, string])[] {
  const perS = (of: keyof Traffic) => (before && ms > 0 ? Math.max(0, ((now[of] - before[of]) * 1000) / ms) : 0);
  const side = (frames: "framesIn" | "framesOut", bytes: "bytesIn" | "bytesOut") =>
    `${count(Math.round(perS(frames)))}/s, ${size(perS(bytes))}/s · ${plural(now[frames], "frame")}`;
  return [
    ["From client", side("framesIn", "bytesIn")],
    ["To client", side("framesOut", "bytesOut")],
  ];
}

function Frames({ frames, leftOut }: { frames: readonly Frame[]; leftOut: number }) {
  return (
    <section class="card" aria-labelledby="frames">
      <h2 id="frames">
        Frames <small>newest first, since this page opened</small>
      </h2>
      {frames.length === 0 && <Empty title="No frame has passed yet">They show up here as they pass.</Empty>}
      <ol class="lines frames">
        {frames.map(({ key, atMs, direction, payload }) => (
          <li key={key}>
            <details>
              <summary>
                <Time atMs={atMs} />{" "}
                <Mark tone={direction === "in" ? "send" : "info"}>
                  {direction === "in" ? "from client" : "to client"}
                </Mark>{" "}
                <span class="what">{payload.text.slice(0, 300)}</span>
              </summary>
              <PayloadView payload={payload} label="Frame" />
            </details>
          </li>
        ))}
      </ol>
      {leftOut > 0 && <p class="more">{plural(leftOut, "frame")} left out, because there were too many to show.</p>}
    </section>
  );
}

interface AskEndProps {
  readonly what: "disconnect" | "terminate";
  readonly connection: ConnectionDetail;
  readonly onClose: () => void;
}

function AskEnd({ what, connection: { app, id, user = "" }, onClose }: AskEndProps) {
  const isOne = what === "disconnect";
  const act = async () => {
    const where = isOne ? ["apps", app, "connections", id, "disconnect"] : ["apps", app, "users", user, "terminate"];
    const { outcome } = await call<Done>("POST", path(where), {});
    notify(outcome === "done" ? (isOne ? "Disconnected." : "Terminated.") : "Every node has been asked to do it.");
  };
  return (
    <Ask
      title={isOne ? `Disconnect ${id}?` : `Terminate ${user}?`}
      verb={isOne ? "Disconnect" : "Terminate"}
      isDangerous
      onClose={onClose}
      act={act}
    >
      <p>
        {isOne
          ? "The connection is closed, and its client does not reconnect by itself."
          : "Every connection of this user is closed, on every node, and its client does not reconnect by itself."}
      </p>
    </Ask>
  );
}
