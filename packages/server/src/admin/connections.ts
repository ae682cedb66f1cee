/** Connections of this node as the dashboard shows them. */

import type { App } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import type { Hub } from "../hub/hub.ts";
import type { ConnectionDetail, ConnectionEntry, ConnectionList, ConnectionTraffic, Payload } from "./wire.ts";

/** How payloads are shown: masked, and cut to so many characters. */
export type Show = (data: unknown, longest?: number) => Payload;

const MOST_CHANNELS = 1000;

export function entryOf(connection: Connection, node: string, nowMs: number): ConnectionEntry {
  const { id, app, protocol, address, user, memberships } = connection;
  return {
    ...{ id, app: app.id, node, protocol: protocol.name, address, channels: memberships?.size ?? 0 },
    ...(user && { user: user.id }),
    ageMs: Math.max(0, Math.round(nowMs - connection.openedAtMs)),
  };
}

interface Look {
  readonly node: string;
  readonly nowMs: number;
  readonly show: Show;
  /** Where it is watched. */
  readonly traffic?: ConnectionTraffic;
}

export function detailOf(connection: Connection, { node, nowMs, show, traffic }: Look): ConnectionDetail {
  const { user, memberships, socket } = connection;
  return {
    ...entryOf(connection, node, nowMs),
    channelNames: firstOf(memberships?.keys() ?? [], MOST_CHANNELS),
    ...(user && { userInfo: show(user.info) }),
    silentMs: Math.max(0, Math.round(nowMs - connection.lastSeenMs)),
    bufferedBytes: socket?.getBufferedAmount() ?? 0,
    ...(traffic && { traffic }),
  };
}

interface Wanted {
  readonly search: string | undefined;
  readonly limit: number;
  readonly node: string;
}

/** Those whose id, user, address or one of whose channels has the text in it. */
export function listOf(hub: Hub, app: App, { search, limit, node }: Wanted): ConnectionList {
  const nowMs = hub.clock.monotonicMs();
  const connections: ConnectionEntry[] = [];
  let total = 0;
  for (const connection of hub.connections(app)) {
    if (search && !mentions(connection, search)) continue;
    if (++total <= limit) connections.push(entryOf(connection, node, nowMs));
  }
  return { connections, total, node };
}

function mentions({ id, user, address, memberships }: Connection, text: string): boolean {
  if (id.includes(text) || address.includes(text) || user?.id.includes(text)) return true;
  for (const channel of memberships?.keys() ?? []) if (channel.includes(text)) return true;
  return false;
}

function firstOf<T>(all: Iterable<T>, most: number): T[] {
  const first: T[] = [];
  for (const one of all) {
    if (first.length >= most) break;
    first.push(one);
  }
  return first;
}
