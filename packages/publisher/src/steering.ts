/** Acts on connections that are open, wherever in the cluster they are: into a channel and out of it, connect again, closed, listed. */

import { type ChannelMember, membersFrom } from "./answers.ts";
import type { ApiClient } from "./api-client.ts";
import { invalid } from "./errors.ts";
import { present } from "./past.ts";
import { accessTo, type ServerOptions } from "./server-options.ts";
import { unixSecondsIn } from "./token.ts";

/** What a call came to. Calling again does no harm. */
export interface Reached {
  /** On how many connections it was done. */
  readonly connections: number;
  /** How many nodes did not answer in time; they do it as soon as they are back, if that is within 10 minutes. Usually 0. */
  readonly nodesMissing: number;
}

export interface SteerOptions {
  /** What the client is told, 1 to 120 characters. */
  readonly message?: string;
  readonly signal?: AbortSignal;
}

export interface ReconnectOptions extends SteerOptions {
  /** Clients of the native protocol wait up to so long first, each another time: 0 to 3 600 000. Default 0. */
  readonly spreadMs?: number;
}

export interface KickOptions extends SteerOptions {
  /** For so many seconds the server refuses the user this channel: above 0, at most 30 days. Default: no ban. */
  readonly banS?: number;
}

export interface SubscribeOptions {
  /** In a presence channel: what the others see of the member, any JSON. Default: what the user signed in with. */
  readonly info?: unknown;
  /** The subscription ends after so many seconds, above 0; a later call changes it. Default: it does not end. */
  readonly expiresInS?: number;
  readonly signal?: AbortSignal;
}

/** All connections of a user: those that are signed in as the user, and those that are the user in a presence channel. */
export interface UserSteering {
  /**
   * Puts them into the channel, whatever they may themselves; limits and bans count. With `stickyS`, connections that the user opens in
   * the next so many seconds are put there too.
   */
  subscribe(channel: string, options?: SubscribeOptions & { readonly stickyS?: number }): Promise<Reached>;
  /** Takes them out of the channel. Clients do not subscribe again by themselves. */
  unsubscribe(channel: string, options?: SteerOptions): Promise<Reached>;
  /** The same, as a kick, and with `banS` keeps the user out. */
  kick(channel: string, options?: KickOptions): Promise<Reached>;
  /** Ends a ban. */
  unban(channel: string, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Closes them; clients do not come back by themselves. With `revoke`, what was signed or issued for the user before is refused. */
  disconnect(options?: { readonly revoke?: boolean; readonly signal?: AbortSignal }): Promise<Reached>;
  /** Closes them so that the clients connect again, with what they have. */
  reconnect(options?: ReconnectOptions): Promise<Reached>;
}

/** One connection, by its id (Pusher's `socket_id`). It reaches 1, or 0 if it is gone. */
export interface ConnectionSteering {
  /** `user` is who it is in a presence channel, where it is not signed in. */
  subscribe(channel: string, options?: SubscribeOptions & { readonly user?: string }): Promise<Reached>;
  unsubscribe(channel: string, options?: SteerOptions): Promise<Reached>;
  kick(channel: string, options?: SteerOptions): Promise<Reached>;
  disconnect(options?: SteerOptions): Promise<Reached>;
  reconnect(options?: ReconnectOptions): Promise<Reached>;
}

/** All connections in a channel. */
export interface ChannelSteering {
  /** Takes all of them out. For one, `user(id).kick` and `connection(id).kick`. */
  kick(options?: SteerOptions): Promise<Reached>;
  reconnect(options?: ReconnectOptions): Promise<Reached>;
  /** The users in a presence channel, each once. */
  members(options?: { readonly signal?: AbortSignal }): Promise<readonly ChannelMember[]>;
}

export interface ConnectionQuery {
  /** 1 to 1000. Default 100. */
  readonly limit?: number;
  /** The `next` of the page before. */
  readonly cursor?: string;
  /** Only those of the user. */
  readonly userId?: string;
  /** Only those in the channel. */
  readonly channel?: string;
  readonly signal?: AbortSignal;
}

export interface ConnectionPage {
  /** In the order of ids. */
  readonly items: readonly ConnectionInfo[];
  /** The `cursor` of the next page; undefined at the end. */
  readonly next: string | undefined;
  /** How many nodes did not answer: theirs are missing. */
  readonly nodesMissing: number;
}

export interface ConnectionInfo {
  readonly id: string;
  /** Undefined if it is not signed in. */
  readonly user: string | undefined;
  readonly address: string;
  /** `pusher`, `native`, or `events` (one-way server-sent events). */
  readonly protocol: string;
  /** `websocket`, `xhr_streaming`, `xhr_polling`, `stream`, `poll` or `events`. */
  readonly transport: string;
  /** A number that the ids of a node's connections begin with. */
  readonly node: number;
  /** Unix milliseconds. */
  readonly openedAtMs: number;
  /** At most 100 of them. */
  readonly channels: readonly string[];
  readonly channelCount: number;
}

/** Every call rejects with a `PublisherError`, and is retried, as a `Publisher`'s are. */
export interface Steering {
  user(id: string): UserSteering;
  connection(id: string): ConnectionSteering;
  channel(name: string): ChannelSteering;
  /** A page of the app's connections, in the whole cluster. */
  connections(query?: ConnectionQuery): Promise<ConnectionPage>;
}

/** Takes the options of `createPublisher`, and throws a TypeError as that does. It opens no connection. */
export function createSteering(options: ServerOptions): Steering {
  const { api } = accessTo(options, "createSteering");
  return {
    user: (id) => userSteering(api, id),
    connection: (id) => connectionSteering(api, id),
    channel: (name) => channelSteering(api, name),
    connections: (query) => connectionPage(api, query),
  };
}

type Body = Readonly<Record<string, unknown>>;

function userSteering(api: ApiClient, id: string): UserSteering {
  const path = below("users", id);
  return {
    subscribe: (channel, options) => subscribe(api, path, channel, options),
    unsubscribe: (channel, options) => unsubscribe(api, path, channel, options),
    kick: (channel, { banS, message, signal } = {}) =>
      act(api, `${below("channels", channel)}/kick`, { user_id: id, ban_s: banS, message }, signal),
    async unban(channel, { signal } = {}) {
      await post(api, `${below("channels", channel)}/unban`, { user_id: id }, signal);
    },
    disconnect: ({ revoke = false, signal } = {}) =>
      act(api, `${path}/terminate_connections`, {}, signal, { revoke: String(revoke) }),
    reconnect: (options) => reconnect(api, path, options),
  };
}

function connectionSteering(api: ApiClient, id: string): ConnectionSteering {
  const path = below("connections", id);
  return {
    subscribe: (channel, options) => subscribe(api, path, channel, options),
    unsubscribe: (channel, options) => unsubscribe(api, path, channel, options),
    kick: (channel, { message, signal } = {}) =>
      act(api, `${below("channels", channel)}/kick`, { connection: id, message }, signal),
    disconnect: ({ message, signal } = {}) => act(api, `${path}/disconnect`, { message }, signal),
    reconnect: (options) => reconnect(api, path, options),
  };
}

function channelSteering(api: ApiClient, name: string): ChannelSteering {
  const path = below("channels", name);
  return {
    kick: ({ message, signal } = {}) => act(api, `${path}/kick`, { all: true, message }, signal),
    reconnect: (options) => reconnect(api, path, options),
    async members({ signal } = {}) {
      return membersFrom(await api.call({ method: "GET", path: `${path}/members`, signal }));
    },
  };
}

function subscribe(
  api: ApiClient,
  path: string,
  channel: string,
  options: SubscribeOptions & { readonly user?: string; readonly stickyS?: number } = {},
) {
  const { info, user: user_id, stickyS: sticky_s, expiresInS, signal } = options;
  const expires_at = expiresInS === undefined ? undefined : unixSecondsIn(expiresInS);
  return act(api, `${path}/subscribe`, { channel, info, user_id, sticky_s, expires_at }, signal);
}

function unsubscribe(api: ApiClient, path: string, channel: string, { message, signal }: SteerOptions = {}) {
  return act(api, `${path}/unsubscribe`, { channel, message }, signal);
}

function reconnect(api: ApiClient, path: string, { spreadMs, message, signal }: ReconnectOptions = {}) {
  return act(api, `${path}/reconnect`, { spread_ms: spreadMs, message }, signal);
}

async function connectionPage(api: ApiClient, options: ConnectionQuery = {}): Promise<ConnectionPage> {
  const { limit = 100, cursor, userId, channel, signal } = options;
  const query = present({ limit, cursor, user_id: userId, channel });
  const { items, next, nodes_missing } = (await api.call({
    ...{ method: "GET", path: "/connections", query, signal },
  })) as ConnectionsAnswer;
  return {
    items: items.map(({ user, opened_at_ms: openedAtMs, channel_count: channelCount, ...connection }) => ({
      ...connection,
      user: user ?? undefined,
      openedAtMs,
      channelCount,
    })),
    next: next ?? undefined,
    nodesMissing: nodes_missing,
  };
}

async function act(
  api: ApiClient,
  path: string,
  body: Body,
  signal: AbortSignal | undefined,
  query?: Readonly<Record<string, string>>,
): Promise<Reached> {
  const { connections, nodes_missing } = (await post(api, path, body, signal, query)) as ReachedAnswer;
  return { connections, nodesMissing: nodes_missing };
}

function post(
  api: ApiClient,
  path: string,
  body: Body,
  signal: AbortSignal | undefined,
  query: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  return api.call({ method: "POST", path, query, body, signal });
}

/** An empty name would be another route. */
function below(what: "users" | "connections" | "channels", name: string): string {
  if (typeof name === "string" && name !== "") return `/${what}/${encodeURIComponent(name)}`;
  throw invalid(`An id or a channel's name is a text that is not empty, and not ${JSON.stringify(name)}.`);
}

interface ReachedAnswer {
  readonly connections: number;
  readonly nodes_missing: number;
}

interface ConnectionsAnswer {
  readonly items: readonly (Omit<ConnectionInfo, "user" | "openedAtMs" | "channelCount"> & {
    readonly user: string | null;
    readonly opened_at_ms: number;
    readonly channel_count: number;
  })[];
  readonly next: string | null;
  readonly nodes_missing: number;
}
