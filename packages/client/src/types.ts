/** The public shapes of the client: what is passed to it, and what it is made of. */

// `Disposable`, for programs whose own `lib` does not have it. `preserve` keeps the line in the declarations.
/// <reference lib="esnext.disposable" preserve="true" />

import type {
  AnyDeclaration,
  CallInput,
  CallName,
  CallOutput,
  ChannelName,
  Declaration,
  EventData,
  EventName,
  MemberInfo,
  MemberState,
  UserEventData,
  UserEventName,
} from "@fanfare/schema";
import type { FanfareError } from "./errors.ts";
import type { Rewind, Rewound } from "./rewind.ts";
import type { Transport, WebSocketConstructor } from "./transport.ts";
import type { Backoff, QueueLimits, Timeouts } from "./tuning.ts";

export type Awaitable<T> = T | PromiseLike<T>;
/** Ends what it was returned for; a second call does nothing. Works with `using`. */
export type Unsubscribe = (() => void) & Disposable;

/** The place of an event in a channel with history. Epochs can only be compared for equality. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** A user, as `welcome` and `authenticate` name them. */
export interface User {
  readonly id: string;
  readonly info?: unknown;
}

/** A user in a presence channel. */
export interface Member<D = AnyDeclaration> {
  readonly id: string;
  readonly info?: MemberInfo<D>;
  /** What the user's clients say of it (`updatePresence`). Nobody has checked it: never show it as markup. */
  readonly state?: MemberState<D>;
}

// --- options ---

export interface ClientOptions<D extends Declaration = AnyDeclaration> {
  /**
   * The server's address: `wss://ws.example.com`, with its path prefix if it has one; `https:` is taken for `wss:`. Several are tried
   * in order. A function is asked before each attempt; `nodes(url)` makes one that asks the server for its nodes.
   */
  readonly url: string | readonly string[] | ((signal: AbortSignal) => Awaitable<string | readonly string[]>);
  /** The app's key. Default: the server's first app. */
  readonly app?: string;
  /** A JSON Web Token, or a function that fetches one. `null` means that nobody is signed in: the client ends as `failed`. */
  readonly token?: string | ((why: TokenRequest) => Awaitable<string | null>);
  /**
   * Gets permission for a private or presence channel: `batchAuthorizer(url)`, or a function of your own. What it throws is tried again,
   * unless it is a `FanfareError` that is not `retryable`.
   */
  readonly authorize?: Authorize;
  /** The declaration of the application's events: types, and checks if `validate` says so. */
  readonly events?: D;
  /** What happens with received data that contradicts the declaration. Default `"off"`: it is not checked. */
  readonly validate?: "off" | "warn" | "drop";
  /** `"lazy"` (default) connects with the first listener, publish or call; `"manual"` waits for `connect()`. */
  readonly connect?: "lazy" | "manual";
  /** Where positions are kept. Default: in memory, so a reload begins anew. */
  readonly positions?: PositionStore;
  /** What may wait to be published while there is no connection. */
  readonly queue?: Partial<QueueLimits>;
  /** How long things may take. */
  readonly timeouts?: Partial<Timeouts>;
  /** The pauses between attempts to connect. */
  readonly backoff?: Partial<Backoff>;
  /** How long a channel stays subscribed after its last listener has gone, in milliseconds. Default 500. */
  readonly lingerMs?: number;
  /** A constructor in place of the global one: in Node 20, that of the package `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  /** How frames travel, tried in order. Default: a WebSocket alone. */
  readonly transports?: readonly Transport[];
  /** Gets what the client does, for people who look for a fault. Holds no tokens and no payloads. */
  readonly log?: (entry: LogEntry) => void;
}

export interface TokenRequest {
  /** `"rejected"`: the server refused the last one. */
  readonly reason: "connect" | "refresh" | "rejected";
  readonly signal: AbortSignal;
}

/** The permission is for that connection; the signal is aborted with it. */
export type Authorize = (channel: string, connectionId: string, signal: AbortSignal) => Awaitable<Authorization>;

/** A permission, signed by the back end as for Pusher. */
export interface Authorization {
  readonly auth: string;
  readonly channel_data?: string;
}

export interface Denied {
  readonly error: { readonly code?: string; readonly message?: string };
}

/** Remembers the last position of each channel. All three may be asynchronous, and may fail: the client then goes on without. */
export interface PositionStore {
  get(channel: string): Awaitable<Position | undefined>;
  set(channel: string, position: Position): Awaitable<void>;
  delete(channel: string): Awaitable<void>;
}

export interface LogEntry {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly channel?: string;
  readonly [detail: string]: unknown;
}

// --- the client ---

export type ConnectionState = "idle" | "connecting" | "connected" | "reconnecting" | "failed" | "closed";

/** Never changed, but replaced by another. */
export interface ConnectionSnapshot {
  /** `idle`, `connecting`, `connected`, `reconnecting`; `failed` and `closed` are left only by `connect()`. */
  readonly state: ConnectionState;
  /** The connection's id, while connected. */
  readonly id?: string;
  /** Who is signed in, while connected. */
  readonly user?: User;
  /** Where it is connected, without its query. */
  readonly url?: string;
  /** What carries the frames, while connected: `websocket`, `stream`, `poll`, or the name of your own. */
  readonly transport?: string;
  /** Attempts since the last connection that stood; 0 while connected. */
  readonly attempt: number;
  /** When the next attempt begins, in milliseconds since 1970. */
  readonly retryAt?: number;
  /** Why it is not connected. */
  readonly error?: FanfareError;
  /** The last measured round trip. */
  readonly rttMs?: number;
  /** Messages that wait to be published, or for their answer. */
  readonly queued: number;
}

export interface Client<D extends Declaration = AnyDeclaration> {
  /** The connection as it is now. */
  readonly snapshot: ConnectionSnapshot;
  /** Calls `onChange` after each change of `snapshot`: the contract of `useSyncExternalStore`. Never connects by itself. */
  subscribe(onChange: () => void): Unsubscribe;
  /** Begins; also after `close()`, and after it has `failed`. */
  connect(): void;
  /** Final until `connect()`. Positions are forgotten, waiting messages rejected with `closed`. */
  close(): void;
  /** Says that now is a good time to look after the connection: React Native's `AppState`, for example. */
  wake(): void;
  /** Resolves when connected; rejects when it has `failed` or was closed. */
  connected(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /**
   * The channel of that name: the same object each time. Given options hold for all its listeners that say nothing else. One that is
   * left, has no listener and was given no options is forgotten, once the application has no reference to it either.
   */
  channel<N extends ChannelName<D>>(name: N, options?: ChannelOptions): Channel<D, KnownName<D, N>>;
  /** Sends a custom event to the server's program and resolves with its answer. It is never repeated. */
  call<C extends CallName<D>>(name: C, data: CallInput<D, C>, options?: CallOptions): Promise<CallOutput<D, C>>;
  /** Signs in on the open connection, and again after each reconnect. */
  authenticate(credentials: { readonly token: string } | Readonly<Record<string, unknown>>): Promise<User>;
  /** Forgets who was signed in, and connects anew without. */
  signOut(): Promise<void>;
  /** Events for the signed-in user, for this connection alone, or for everybody. */
  onUser<E extends UserEventName<D>>(
    event: E,
    listener: (data: UserEventData<D, E>, meta: Meta) => void,
    options?: ListenerOptions,
  ): Unsubscribe;
  /** Events for the user may have been lost: after each reconnect, since they are not kept, and when the server says so. */
  onUserGap(listener: (gap: Gap) => void, options?: ListenerOptions): Unsubscribe;
  /** Users of the watchlist who are online. */
  readonly online: ReadonlySet<string>;
  /** Users of the watchlist have come online or gone offline. */
  onWatchlist(listener: (change: WatchlistChange) => void, options?: ListenerOptions): Unsubscribe;
}

/** Without a declaration, no name says more than another: all channels are of one type. */
export type KnownName<D, N extends string> = AnyDeclaration extends D ? string : N;

export interface WatchlistChange {
  readonly online: readonly string[];
  readonly offline: readonly string[];
}

export interface ListenerOptions {
  /** Ends it when aborted. */
  readonly signal?: AbortSignal;
}

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

// --- channels ---

export type ChannelState = "detached" | "attaching" | "attached" | "refused";

/** Never changed, but replaced by another. */
export interface ChannelSnapshot extends Rewound {
  /**
   * `detached`, `attaching`, `attached`; `refused` after an error that a new listener, another token or `retry()` may mend. Where the back
   * end took the client out (`kicked`, `unsubscribed`), only `retry()` does, or that all listeners end.
   */
  readonly state: ChannelState;
  /** Whether the last subscription recovered all that was missed; absent if there was nothing to recover. */
  readonly recovered?: boolean;
  /** Why it is not attached. */
  readonly error?: FanfareError;
}

export interface ChannelOptions {
  /** Deliver what came after this position first. */
  readonly since?: Position;
  /** Deliver what is kept first, with `meta.replayed`: all of it, or the last of it. */
  readonly rewind?: boolean | Rewind;
  /** How many of the last events `recent` holds. Default 0; of several wishes the largest counts. */
  readonly keep?: number;
  /** See who is in a presence channel without being in it, where that is allowed. For the whole client, from its next subscription on. */
  readonly watch?: boolean;
}

export interface Meta {
  /** Its name; empty where the back end pushed a bare object, which is the data then. */
  readonly event: string;
  /** None for events to the user. */
  readonly channel?: string;
  /** Who published it, where the server knows. */
  readonly user?: string;
  /** In channels with history. */
  readonly position?: Position;
  /** The step of a trace that handed it to this client (W3C), where the server tells of it (`telemetry.traceparent`). */
  readonly traceparent?: string;
  /** It was published before the listener was there, or while the connection was away. */
  readonly replayed: boolean;
}

/** A union of all events of the channel: `event` says which one it is, and so what `data` is. */
export type ChannelEvent<
  D = AnyDeclaration,
  N extends string = string,
  E extends EventName<D, N> = EventName<D, N>,
> = E extends unknown ? { readonly event: E; readonly data: EventData<D, N, E>; readonly meta: Meta } : never;

export interface Gap {
  /** Why something may be lost: it could not be recovered, the server says so, or the channel has no history. */
  readonly reason: "unrecoverable" | "server" | "no-history";
}

export interface Channel<D extends Declaration = AnyDeclaration, N extends string = string> {
  /** As it was asked for. */
  readonly name: N;
  /** The subscription as it is now. */
  readonly snapshot: ChannelSnapshot;
  /** Where the channel has been heard up to, if it has history. Changes with each event and is therefore no part of the snapshot. */
  readonly position?: Position | undefined;
  /** Calls `onChange` after each change of `snapshot`, `members` or `recent`, at most once per 16 ms for the last. Does not subscribe the channel. */
  subscribe(onChange: () => void): Unsubscribe;
  /** Hears one event, and keeps the channel subscribed until it ends. */
  on<E extends EventName<D, N>>(
    event: E,
    listener: (data: EventData<D, N, E>, meta: Meta) => void,
    options?: ListenerOptions & ChannelOptions,
  ): Unsubscribe;
  /** Hears every event, and keeps the channel subscribed until it ends. */
  onAny(listener: (event: ChannelEvent<D, N>) => void, options?: ListenerOptions & ChannelOptions): Unsubscribe;
  /** Something may have been lost: load what you show anew. */
  onGap(listener: (gap: Gap) => void, options?: ListenerOptions): Unsubscribe;
  /** The back end took the client out of the channel: `error` has the `code` (`kicked`, `unsubscribed`, `permission_gone`) and its message. */
  onRemoved(listener: (error: FanfareError) => void, options?: ListenerOptions): Unsubscribe;
  /** Waits while offline, and is published exactly once. Rejects if the server refuses it or it has waited too long. */
  publish<E extends EventName<D, N>>(event: E, data: EventData<D, N, E>, options?: PublishOptions): Promise<Published>;
  /** What is kept of the channel: without `before` and `after` its newest events. Rejects with `no_history` where nothing is kept. */
  history(options?: HistoryOptions): Promise<HistoryPage<D, N>>;
  /** Keeps the channel subscribed without a listener. */
  hold(options?: ChannelOptions): Unsubscribe;
  /** Tries again to subscribe a channel that was refused. */
  retry(): void;
  /** Presence channels: the users in order of arrival, each once, replaced on change. */
  readonly members: readonly Member<D>[];
  /** Presence channels: oneself, while subscribed. */
  readonly me?: Member<D> | undefined;
  /** A user has joined the presence channel; after a reconnect only what has changed is told. */
  onJoin(listener: (member: Member<D>) => void, options?: ListenerOptions): Unsubscribe;
  /** Something else is known of a user in the presence channel, `info` or `state`; of oneself, too. */
  onUpdate(listener: (member: Member<D>) => void, options?: ListenerOptions): Unsubscribe;
  /** A user has left the presence channel. */
  onLeave(listener: (member: Member<D>) => void, options?: ListenerOptions): Unsubscribe;
  /** The last `keep` events, replaced on change. */
  readonly recent: readonly ChannelEvent<D, N>[];
}

export interface HistoryOptions {
  /** Only events after this position: the oldest first. */
  readonly after?: Position;
  /** Only events before this position: the newest of them, unless there is an `after`. */
  readonly before?: Position;
  /** Only what was published then or later, in Unix milliseconds by the server's clock. The channel's rule has to allow it (`clientHistory: true`). */
  readonly fromMs?: number;
  /** Only what was published before then. */
  readonly toMs?: number;
  /** Of all that fits, these. Default: the oldest with `after`, else the newest. */
  readonly direction?: "oldest" | "newest";
  /** 1 to 1000, the default. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

export interface HistoryPage<D = AnyDeclaration, N extends string = string> {
  /** Oldest first, with what this client published itself. `meta.replayed` is true. */
  readonly events: readonly ChannelEvent<D, N>[];
  /** False if something that belongs in this page is no longer kept. */
  readonly complete: boolean;
  /** Of the channel's newest event. */
  readonly position: Position;
  /** What to pass to `history` for the next page in this direction; none at the end. */
  readonly next?: HistoryOptions;
}

export interface PublishOptions {
  /** The idempotency key, 1 to 128 characters. Default: a random one. */
  readonly key?: string;
  /** Now or never: not queued, not repeated (typing, cursors). */
  readonly volatile?: boolean;
  /** Rejects when aborted. What was sent already may be published all the same. */
  readonly signal?: AbortSignal;
}

export interface Published {
  /** In channels with history. Perhaps not where the first answer was lost, and another node of the cluster gave the second. */
  readonly position?: Position;
}

// --- state with events ---

export type LiveStatus = "loading" | "live" | "stale" | "error";

export interface LiveOptions<D extends Declaration, N extends string, T> {
  /** Loads the state. The position must have been read before the data; without one, events are gathered while it loads. */
  readonly load: (
    why: LoadRequest,
  ) => Awaitable<{ readonly state: T; readonly position?: Position | null | undefined }>;
  /** The state after an event. Must give the same if the state already has the event, and not change what it is given. */
  readonly apply: (state: T, event: ChannelEvent<D, N>) => T;
}

export interface LoadRequest {
  readonly signal: AbortSignal;
  readonly reason: "first" | "gap" | "reload";
}

/** Never changed, but replaced by another. */
export interface LiveSnapshot<T> {
  readonly value: T | undefined;
  readonly status: LiveStatus;
  readonly error?: unknown;
}

/** It loads, and keeps its channel subscribed, while it has a subscriber. */
export interface Live<T> {
  /** The state as it is now: `value`, `status` (`loading`, `live`, `stale`, `error`) and `error`. */
  readonly snapshot: LiveSnapshot<T>;
  /** Calls `onChange` after each change. It loads with the first subscriber, and leaves the channel with the last. */
  subscribe(onChange: () => void): Unsubscribe;
  /** Loads again; the present value stays visible meanwhile. */
  reload(): void;
}
