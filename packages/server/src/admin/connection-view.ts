/** Connections of this node as the dashboard shows them. */

import { type App, isReserved } from "../domain/app.ts";
import { isInternal } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import type { Hub } from "../hub/hub.ts";
import { keyId } from "../hub/signature.ts";
import type {
  ConnectionDetail,
  ConnectionEntry,
  ConnectionList,
  ConnectionTraffic,
  Identity,
  Payload,
} from "./api-types.ts";

/** How payloads are shown: masked, and cut to so many characters. */
export type Redact = (data: unknown, longest?: number) => Payload;

const MAX_CHANNELS = 1000;
/** Looked at before something else has its turn: less than a millisecond. A hundred thousand are looked at in many turns. */
export const CONNECTIONS_IN_A_TURN = 1_000;

export function connectionEntry(connection: Connection, node: string, nowMs: number): ConnectionEntry {
  const { id, app, protocol, transport, isEncrypted, address, user, agent, library } = connection;
  return {
    ...{ id, app: app.id, node, protocol: protocol.name, address, channels: connection.membershipCount },
    ...(transport !== "websocket" && { transport }),
    ...(isEncrypted && { isEncrypted: true as const }),
    ...(user && { user: user.id }),
    ...(agent !== undefined && { agent }),
    ...(library !== undefined && { library }),
    ageMs: Math.max(0, Math.round(nowMs - connection.openedAtMs)),
  };
}

interface DetailOptions {
  readonly node: string;
  readonly clock: Hub["clock"];
  readonly redact: Redact;
  /** Where it is watched. */
  readonly traffic?: ConnectionTraffic;
}

export function connectionDetail(
  connection: Connection,
  { node, clock, redact, traffic }: DetailOptions,
): ConnectionDetail {
  const { user, socket, rttMs } = connection;
  const nowMs = clock.monotonicMs();
  const identity = identityOf(connection, clock);
  return {
    ...connectionEntry(connection, node, nowMs),
    channelNames: takeFirst(connection.channels(), MAX_CHANNELS),
    ...(user && { userInfo: redact(user.info) }),
    ...(identity && { identity }),
    ...(rttMs !== undefined && { rttMs }),
    silentMs: Math.max(0, Math.round(nowMs - connection.lastSeenMs)),
    bufferedBytes: socket?.getBufferedAmount() ?? 0,
    ...(traffic && { traffic }),
  };
}

/** Undefined where it is nobody's. */
export function identityOf(connection: Connection, clock: Hub["clock"]): Identity | undefined {
  const { user, app, protocol, signedInBy, authenticatedAtMs, expiresAtMs, watchedUsers } = connection;
  const watches = watchedUsers?.length ?? 0;
  if (!user) return isNobodys(connection) ? undefined : { by: "presence", watches };
  const number = app.secrets.findIndex((secret) => keyId(secret) === signedInBy) + 1;
  const by = signedInBy === undefined ? "backend" : protocol.acceptsTokens ? "token" : "signature";
  return {
    ...{ by, watches },
    ...(number > 0 && { secret: { number, of: app.secrets.length } }),
    ...(authenticatedAtMs > 0 && { sinceMs: Math.round(authenticatedAtMs) }),
    ...(Number.isFinite(expiresAtMs) && { expiresAtMs: Math.round(wallMsOf(clock, expiresAtMs)) }),
    ...(user.channels && { channels: takeFirst(user.channels, 100) }),
  };
}

/** As whom the connection is in presence channels. */
export function* membersOf(connection: Connection) {
  for (const channel of connection.channels()) {
    const member = connection.memberIn(channel);
    if (member) yield member;
  }
}

/** Those that clients ask for by name. */
export function* channelsOf(connection: Connection): Generator<string> {
  for (const name of connection.channels()) {
    if (!isInternal(name)) yield name;
  }
}

export function wallMsOf(clock: Hub["clock"], monotonicMs: number): number {
  return clock.wallMs() - (clock.monotonicMs() - monotonicMs);
}

interface ListOptions {
  readonly search?: string | undefined;
  readonly isAnonymous?: boolean | undefined;
  readonly limit: number;
  readonly node: string;
}

/** Those whose id, user, address or one of whose channels has the text in it, or whose transport it is; without an app of all. */
export async function listConnections(
  hub: Pick<Hub, "clock" | "connections" | "nextTurn">,
  app: App | undefined,
  { search, isAnonymous, limit, node }: ListOptions,
): Promise<ConnectionList> {
  const nowMs = hub.clock.monotonicMs();
  const connections: ConnectionEntry[] = [];
  let total = 0;
  let looked = 0;
  for (const connection of hub.connections(app)) {
    if (++looked % CONNECTIONS_IN_A_TURN === 0) await hub.nextTurn();
    if (isReserved(connection.app) || (search && !matches(connection, search))) continue;
    if (isAnonymous && !isNobodys(connection)) continue;
    if (++total <= limit) connections.push(connectionEntry(connection, node, nowMs));
  }
  return { connections, total, node };
}

/** Neither signed in nor a member. */
export function isNobodys({ user, isMember }: Connection): boolean {
  return user === undefined && !isMember;
}

function matches(connection: Connection, text: string): boolean {
  const { id, user, address, transport } = connection;
  if (transport === text) return true;
  if (id.includes(text) || address.includes(text) || user?.id.includes(text)) return true;
  for (const channel of connection.channels()) if (channel.includes(text)) return true;
  return false;
}

export function takeFirst<T>(all: Iterable<T>, most: number): T[] {
  const first: T[] = [];
  for (const one of all) {
    if (first.length >= most) break;
    first.push(one);
  }
  return first;
}
