/** The public API: one object with all that a back end does with Fanfare. */

import type {
  AnyDeclaration,
  ChannelName,
  Checker,
  Declaration,
  EventData,
  EventName,
  Problem,
  UserEventData,
  UserEventName,
} from "@fanfare/schema";
import {
  type ChannelInfo,
  type ChannelMember,
  channelInfoFrom,
  type DeclaredHistory,
  type History,
  historyFrom,
  membersFrom,
  type Position,
  positionsIn,
} from "./answers.ts";
import type { ApiClient } from "./api-client.ts";
import {
  type Authorization,
  type AuthorizeAnswer,
  type AuthorizeOptions,
  Authorizer,
  type Member,
  type SignInUser,
} from "./authorization.ts";
import { type BatchEvent, batchesOf, itemOf } from "./batches.ts";
import { invalid, PublisherError } from "./errors.ts";
import { checkKey, checkNotEncrypted, jsonOf, userChannel } from "./names.ts";
import { checkNodeList, type NodeList, type NodeStrategy } from "./nodes.ts";
import { type HistoryOptions, historyQuery, type PurgeRange, purgeOf } from "./past.ts";
import { accessTo, type ServerAccess, type ServerOptions } from "./server-options.ts";
import { publishStream, type StreamOptions, type StreamResult } from "./stream.ts";
import { makeToken, type TokenClaims } from "./token.ts";
import { type RawWebhook, readWebhook, type Webhook } from "./webhook.ts";

export interface PublisherOptions<D extends Declaration = AnyDeclaration> extends ServerOptions {
  /** The declaration of the application's events (`defineEvents` of `@fanfare/schema`): types, and checks unless `validate` is false. */
  readonly events?: D;
  /**
   * Whether data are checked before they are sent: what is not as declared rejects with `data_invalid`, and the path in the message.
   * Default `true`.
   */
  readonly validate?: boolean;
}

export interface PublishOptions {
  /**
   * The idempotency key, 1 to 128 characters: the server publishes an event once per key and channel within 5 minutes. Name one if your
   * program itself may repeat the call; without it each call has a random one, which covers the publisher's own retries.
   */
  readonly key?: string;
  /** The id of a connection that does not get the event: that of the client that caused it. */
  readonly except?: string;
  /** Ends the call, which rejects with the signal's reason. The event may have been published. */
  readonly signal?: AbortSignal;
}

export interface PublishResult {
  /**
   * Where the event stands in each channel that keeps a history: a client that subscribes since there gets what comes after it. A channel
   * is not in it if it keeps none, or if the server knew the `key` already.
   */
  readonly positions: Readonly<Record<string, Position>>;
}

export type PurgeOptions = PurgeRange & { readonly signal?: AbortSignal };

export interface BatchOptions {
  readonly signal?: AbortSignal;
}

/**
 * Every call rejects with a `PublisherError` if the server refuses it, or cannot be reached after all retries. Network errors, timeouts,
 * 429 and 5xx are retried after 0.2 s, doubled up to 5 s, varied by half, and not before `Retry-After`; for 4 minutes at most.
 */
export interface Publisher<D extends Declaration = AnyDeclaration> {
  /**
   * Publishes an event, exactly once, in one channel or up to 100. `data` is any JSON value, at most 100 KB unless the app allows more.
   * Resolves when the server has it, with its position in each channel.
   */
  publish<N extends ChannelName<D>, E extends EventName<D, N>>(
    channel: N | readonly N[],
    event: E,
    data: EventData<D, N, E>,
    options?: PublishOptions,
  ): Promise<PublishResult>;
  /**
   * Publishes many events in order, exactly once each, in requests of at most 10 events and 1 MiB. Each request is checked as a whole; if
   * one is refused, those before it were published and those after it are not sent.
   */
  batch(events: readonly BatchEvent<D>[], options?: BatchOptions): Promise<void>;
  /** Publishes an event to a user, on all connections that are signed in as that user. */
  toUser<E extends UserEventName<D>>(
    userId: string,
    event: E,
    data: UserEventData<D, E>,
    options?: PublishOptions,
  ): Promise<void>;
  /**
   * Publishes what a model writes, while it writes: parts are gathered for 40 ms, and events of a `StreamEvent` as data follow each other
   * without a gap, each exactly once. Resolves after the `end` event. If the source throws, an `error` event is published (it does not
   * say why), and the call rejects with what was thrown. If events are declared, declare the stream's with `unchecked<StreamEvent>()`.
   */
  stream<P, N extends ChannelName<D>>(
    channel: N,
    source: AsyncIterable<P>,
    options?: StreamOptions<P, EventName<D, N>>,
  ): Promise<StreamResult>;
  /**
   * A page of what the channel keeps: `next` is the `cursor` of the page after it, with the other options unchanged. Read everything with
   * `direction: "oldest"`, from page to page until there is no `next`.
   */
  history<N extends ChannelName<D>>(channel: N, options?: HistoryOptions): Promise<DeclaredHistory<D, N>>;
  history<T>(channel: ChannelName<D>, options?: HistoryOptions): Promise<History<T>>;
  /**
   * Forgets what the channel keeps before its time, for good: all, what came `before` a position or was published before `toMs` (Unix
   * milliseconds), or the one `event` at a position. Resolves with how many events that were. Clients that missed some of them learn of a gap.
   */
  purgeHistory(channel: string, range?: PurgeOptions): Promise<number>;
  /**
   * The position of the channel's newest event: read it before the data that you render, and subscribe since it. Undefined if the channel
   * keeps nothing.
   */
  position(channel: string, options?: { readonly signal?: AbortSignal }): Promise<Position | undefined>;
  /** The channels with subscribers, of those whose names begin with `prefix`. `members` only if that begins with `presence-`. */
  channels(options?: { readonly prefix?: string; readonly signal?: AbortSignal }): Promise<readonly ChannelInfo[]>;
  /** One channel; its numbers are 0 if it is empty. */
  channel(channel: string, options?: { readonly signal?: AbortSignal }): Promise<ChannelInfo>;
  /** The users in a presence channel, each once, in the order in which they came. */
  members(channel: string, options?: { readonly signal?: AbortSignal }): Promise<readonly ChannelMember[]>;
  /**
   * The nodes that clients may connect to, the one to try first in front; its signature is checked. `strategy` is `round_robin` (default),
   * `random` or `least_connections`. The list is good for half a minute.
   */
  nodes(options?: { readonly strategy?: NodeStrategy; readonly signal?: AbortSignal }): Promise<NodeList>;
  /** How many connections the app has, in the whole cluster. */
  connections(options?: { readonly signal?: AbortSignal }): Promise<number>;
  /** Closes the user's connections, and makes the server refuse what was signed or issued for the user before, unless `revoke` is false. */
  terminate(userId: string, options?: { readonly revoke?: boolean; readonly signal?: AbortSignal }): Promise<void>;

  /** Makes a token (JWT, HS256) by which a client of the native protocol connects as a user. Asks no server. */
  token(claims: TokenClaims): Promise<string>;
  /**
   * Answers a client that asks for up to 100 channels: a signature for those that `allow` permits, an error for the others. Asks no
   * server. Throws a `PublisherError` (400, `data_invalid`) if the connection id or the list is malformed.
   */
  authorize(connectionId: string, channels: readonly string[], options: AuthorizeOptions): Promise<AuthorizeAnswer>;
  /**
   * The same for one channel, in the form that pusher-js and Laravel Echo expect. Check first that the user may subscribe. `member` is who
   * the client is in a presence channel.
   */
  authorizeChannel(
    connectionId: string,
    channel: string,
    member?: Member,
    options?: Pick<AuthorizeOptions, "expiresInS">,
  ): Promise<Authorization>;
  /** Signs a user in, in the form that pusher-js expects (`userAuthentication`). */
  authorizeUser(connectionId: string, user: SignInUser): Promise<{ auth: string; user_data: string }>;
  /**
   * Reads a webhook after it has checked its signature, in constant time, by each of the secrets. Throws a `PublisherError` with the status to answer: 401 if the
   * signature is wrong, 400 if the body is malformed.
   */
  webhook(request: Request | RawWebhook): Promise<Webhook>;
}

/** Throws a TypeError if an option is missing or has no use. It opens no connection; one for the whole program is enough. */
export function createPublisher<D extends Declaration = AnyDeclaration>(options: PublisherOptions<D>): Publisher<D> {
  const publisher: Publisher = new HttpPublisher(options);
  // What is declared only narrows what callers may pass.
  return publisher as unknown as Publisher<D>;
}

class HttpPublisher {
  readonly #key: string;
  /** One of each secret; the first signs. */
  readonly #signers: ServerAccess["signers"];
  readonly #authorizer: Authorizer;
  readonly #api: ApiClient;
  /** Whether the server says where an event stands: Pusher's own refuses to be asked. */
  #knowsPositions = true;
  /** Undefined where nothing is checked. */
  readonly #events: Declaration | undefined;
  #checker: Checker | undefined;

  constructor(options: PublisherOptions<Declaration>) {
    const { key, events, validate = true } = options;
    const { api, signers } = accessTo(options, "createPublisher");
    this.#events = validate ? events : undefined;
    this.#key = key;
    this.#signers = signers;
    this.#authorizer = new Authorizer(key, signers[0]);
    this.#api = api;
  }

  async publish(
    channel: string | readonly string[],
    event: string,
    data: unknown,
    options?: PublishOptions,
  ): Promise<PublishResult> {
    const channels = typeof channel === "string" ? [channel] : channel;
    const json = jsonOf(data);
    for (const name of channels) {
      checkNotEncrypted(name);
      await this.#check((checker, value) => checker.channelEvent(name, event, value), json);
    }
    return { positions: positionsIn(await this.#publish(channels, event, json, options)) };
  }

  async batch(events: readonly BatchEvent[], { signal }: BatchOptions = {}): Promise<void> {
    // All of them, before the first is sent.
    const items = events.map(itemOf);
    for (const { channel, name, data } of items)
      await this.#check((checker, value) => checker.channelEvent(channel, name, value), data);
    for (const batch of batchesOf(items))
      await this.#api.call({ method: "POST", path: "/batch_events", body: { batch }, signal });
  }

  async toUser(userId: string, event: string, data: unknown, options?: PublishOptions): Promise<void> {
    const json = jsonOf(data);
    await this.#check((checker, value) => checker.userEvent(event, value), json);
    await this.#publish([userChannel(userId)], event, json, options);
  }

  async stream<P>(channel: string, source: AsyncIterable<P>, options: StreamOptions<P> = {}): Promise<StreamResult> {
    const { event = "stream" } = options;
    return publishStream(
      async (data, key) => void (await this.publish(channel, event, data, { key })),
      source,
      options,
    );
  }

  async history<T>(channel: string, { signal, ...options }: HistoryOptions = {}): Promise<History<T>> {
    const path = `/channels/${encodeURIComponent(channel)}/history`;
    return historyFrom<T>(await this.#get(path, historyQuery(options), signal));
  }

  async purgeHistory(channel: string, { signal, ...range }: PurgeOptions = {}): Promise<number> {
    const { path, query } = purgeOf(range);
    const call = { method: "DELETE", path: `/channels/${encodeURIComponent(channel)}${path}`, query, signal } as const;
    return ((await this.#api.call(call)) as { purged: number }).purged;
  }

  async position(channel: string, { signal }: { signal?: AbortSignal } = {}): Promise<Position | undefined> {
    const { position, keeps } = await this.history(channel, { limit: 0, ...(signal && { signal }) });
    return keeps && position;
  }

  async channels({ prefix = "", signal }: { prefix?: string; signal?: AbortSignal } = {}): Promise<ChannelInfo[]> {
    const info = infoOf(prefix);
    const query = prefix === "" ? { info } : { info, filter_by_prefix: prefix };
    const answer = (await this.#get("/channels", query, signal)) as { channels: Record<string, unknown> };
    return Object.entries(answer.channels).map(([name, counts]) => channelInfoFrom(name, counts));
  }

  async channel(channel: string, { signal }: { signal?: AbortSignal } = {}): Promise<ChannelInfo> {
    const path = `/channels/${encodeURIComponent(channel)}`;
    return channelInfoFrom(channel, await this.#get(path, { info: infoOf(channel) }, signal));
  }

  async members(channel: string, { signal }: { signal?: AbortSignal } = {}): Promise<ChannelMember[]> {
    return membersFrom(await this.#get(`/channels/${encodeURIComponent(channel)}/members`, {}, signal));
  }

  async nodes({ strategy = "round_robin", signal }: { strategy?: NodeStrategy; signal?: AbortSignal } = {}) {
    return checkNodeList(await this.#get("/nodes", { strategy }, signal), this.#key, this.#signers);
  }

  async connections({ signal }: { signal?: AbortSignal } = {}): Promise<number> {
    return ((await this.#get("/connections", {}, signal)) as { connections: number }).connections;
  }

  async terminate(userId: string, { revoke = true, signal }: { revoke?: boolean; signal?: AbortSignal } = {}) {
    if (userId === "") throw invalid("A user's id has 1 to 128 characters.");
    const path = `/users/${encodeURIComponent(userId)}/terminate_connections`;
    await this.#api.call({ method: "POST", path, query: revoke ? {} : { revoke: "false" }, body: {}, signal });
  }

  token(claims: TokenClaims): Promise<string> {
    return makeToken(this.#signers[0], claims);
  }

  authorize(connectionId: string, channels: readonly string[], options: AuthorizeOptions): Promise<AuthorizeAnswer> {
    return this.#authorizer.many(connectionId, channels, options);
  }

  authorizeChannel(
    connectionId: string,
    channel: string,
    member?: Member,
    options?: Pick<AuthorizeOptions, "expiresInS">,
  ): Promise<Authorization> {
    return this.#authorizer.one(connectionId, channel, member, options?.expiresInS);
  }

  authorizeUser(connectionId: string, user: SignInUser): Promise<{ auth: string; user_data: string }> {
    return this.#authorizer.user(connectionId, user);
  }

  webhook(request: Request | RawWebhook): Promise<Webhook> {
    return readWebhook(this.#key, this.#signers, request);
  }

  /**
   * Asks where the event stands. A server that refuses without a code of Fanfare's may refuse because of that: then it is published
   * without, and not asked again.
   */
  async #publish(
    channels: readonly string[],
    event: string,
    json: string,
    { key = crypto.randomUUID(), except, signal }: PublishOptions = {},
  ): Promise<unknown> {
    checkKey(key);
    const body = { name: event, data: json, channels, socket_id: except, idempotency_key: key };
    const call = { method: "POST", path: "/events", signal } as const;
    if (this.#knowsPositions) {
      try {
        return await this.#api.call({ ...call, body: { ...body, info: "position" } });
      } catch (error) {
        const isOther = error instanceof PublisherError && error.status === 400 && error.code === "http_error";
        if (!isOther) throw error;
      }
    }
    const answer = await this.#api.call({ ...call, body });
    this.#knowsPositions = false;
    return answer;
  }

  /** What subscribers will get: the value of the JSON. Checking costs only those who want it: it is loaded when it is needed. */
  async #check(problemOf: (checker: Checker, value: unknown) => Problem | undefined, json: string): Promise<void> {
    if (!this.#events) return;
    this.#checker ??= (await import("./checking.ts")).createChecker(this.#events);
    const problem = problemOf(this.#checker, JSON.parse(json));
    if (!problem) return;
    const { message, code, issues } = problem;
    throw new PublisherError(message, { status: 400, code, issues });
  }

  #get(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal | undefined): Promise<unknown> {
    return this.#api.call({ method: "GET", path, query, signal });
  }
}

/** Numbers of members are known of presence channels only. */
function infoOf(name: string): string {
  return name.startsWith("presence-") ? "subscription_count,user_count" : "subscription_count";
}
