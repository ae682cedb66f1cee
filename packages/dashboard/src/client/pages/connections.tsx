/** Lists of connections, of every node. */

import type { ConnectionEntry, ConnectionList } from "fanfare/wire/admin";
import { useEffect, useMemo, useState } from "preact/hooks";
import { nodeName, overview } from "../overview.ts";
import { Empty, Waiting } from "../parts/notes.tsx";
import { PersonLink } from "../parts/person.tsx";
import { useWatch } from "../parts/watch.ts";
import { chosenApp, to } from "../route.ts";
import { count, lasting } from "../show.ts";
import { protocolWord, transportWord } from "./insight-words.ts";

/** A node that has not told of its connections for so long is taken to be gone. */
const STALE_MS = 10_000;

interface ConnectionsProps {
  readonly isAnonymous: boolean;
  readonly search: string;
}

export function Connections({ isAnonymous, search }: ConnectionsProps) {
  const lists = useLists({ app: chosenApp.value, search, isAnonymous });
  const connections = lists?.flatMap((list) => list.connections);
  const total = lists?.reduce((sum, list) => sum + list.total, 0) ?? 0;
  return (
    <>
      {!connections && <Waiting what="Asking every node" />}
      {connections?.length === 0 && (
        <Empty title={search === "" ? "No connection of this kind" : "No connection fits"}>
          {search === ""
            ? "Connect a client with the app's key, and it is listed here."
            : "The search looks at ids, users, addresses, channels and transports."}
        </Empty>
      )}
      {connections && connections.length > 0 && <ConnectionTable connections={connections} />}
      {connections && total > connections.length && (
        <p class="more">
          {count(connections.length)} of {count(total)} are listed. Search to find others.
        </p>
      )}
    </>
  );
}

interface Wanted {
  readonly app: string | undefined;
  readonly search: string;
  readonly isAnonymous: boolean;
}

/** One list of each node, as they come in. */
function useLists({ app, search, isAnonymous }: Wanted): readonly ConnectionList[] | undefined {
  const [lists, put] = useState<ReadonlyMap<string, { readonly list: ConnectionList; readonly atMs: number }>>();
  const watch = {
    type: "connections",
    ...(app !== undefined && { app }),
    ...(search && { search }),
    ...(isAnonymous && { isAnonymous }),
  } as const;
  useEffect(() => put(undefined), [app, search, isAnonymous]);
  useWatch(watch, "connections", (list) => {
    const nowMs = Date.now();
    put((before = new Map()) => {
      const fresh = [...before].filter(([, { atMs }]) => nowMs - atMs < STALE_MS);
      return new Map([...fresh, [list.node, { list, atMs: nowMs }]]);
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
              <td>
                {it.user === undefined ? <span class="soft">anonymous</span> : <PersonLink app={it.app} id={it.user} />}
              </td>
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

function spoken({ protocol, transport = "websocket", isEncrypted }: ConnectionEntry): string {
  return `${protocolWord(protocol)} ${transportWord(transport, isEncrypted === true)}`;
}
