/** Connections of this node as the dashboard shows them. */

import type { App } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import type { Hub } from "../hub/hub.ts";
import type { ConnectionDetail, ConnectionEntry, ConnectionList, ConnectionTraffic, Payload } from "./api-types.ts";

/** How payloads are shown: masked, and cut to so many characters. */
export type Redact = (data: unknown, longest?: number) => Payload;

const MAX_CHANNELS = 1000;

export function connectionEntry(connection: Connection, node: string, nowMs: number): ConnectionEntry {
  const { id, app, protocol, transport, address, user, memberships } = connection;
  return {
    ...{ id, app: app.id, node, protocol: protocol.name, address, channels: memberships?.size ?? 0 },
    ...(transport !== "websocket" && { transport }),
    ...(user && { user: user.id }),
    ageMs: Math.max(0, Math.round(nowMs - connection.openedAtMs)),
  };
}

interface DetailOptions {
  readonly node: string;
  readonly nowMs: number;
  readonly redact: Redact;
  /** Where it is watched. */
  readonly traffic?: ConnectionTraffic;
}

export function connectionDetail(
  connection: Connection,
  { node, nowMs, redact, traffic }: DetailOptions,
): ConnectionDetail {
  const { user, memberships, socket } = connection;
  return {
    ...connectionEntry(connection, node, nowMs),
    channelNames: takeFirst(memberships?.keys() ?? [], MAX_CHANNELS),
    ...(user && { userInfo: redact(user.info) }),
    silentMs: Math.max(0, Math.round(nowMs - connection.lastSeenMs)),
    bufferedBytes: socket?.getBufferedAmount() ?? 0,
    ...(traffic && { traffic }),
  };
}

interface ListOptions {
  readonly search: string | undefined;
  readonly limit: number;
  readonly node: string;
}

/** Those whose id, user, address or one of whose channels has the text in it, or whose transport it is. */
export function listConnections(hub: Hub, app: App, { search, limit, node }: ListOptions): ConnectionList {
  const nowMs = hub.clock.monotonicMs();
  const connections: ConnectionEntry[] = [];
  let total = 0;
  for (const connection of hub.connections(app)) {
    if (search && !matches(connection, search)) continue;
    if (++total <= limit) connections.push(connectionEntry(connection, node, nowMs));
  }
  return { connections, total, node };
}

function matches({ id, user, address, transport, memberships }: Connection, text: string): boolean {
  if (transport === text) return true;
  if (id.includes(text) || address.includes(text) || user?.id.includes(text)) return true;
  for (const channel of memberships?.keys() ?? []) if (channel.includes(text)) return true;
  return false;
}

function takeFirst<T>(all: Iterable<T>, most: number): T[] {
  const first: T[] = [];
  for (const one of all) {
    if (first.length >= most) break;
    first.push(one);
  }
  return first;
}
