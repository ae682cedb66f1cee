/** What a declaration of events and users types: hooks, handlers and pushes. */

import type {
  AnyDeclaration,
  CallInput,
  CallName,
  ChannelName,
  EventData,
  EventName,
  HandlerInput,
  HandlerOutput,
  UserEventData,
  UserEventName,
} from "@fanfare/schema";
import type { App } from "../../domain/app.ts";
import type { Connection } from "../../domain/connection.ts";
import type { PresenceMember, User } from "../../domain/message.ts";
import type { Awaitable } from "../../domain/ports.ts";
import type { UserInfo } from "../../domain/user-info.ts";
import type { Grant } from "../../hub/grants.ts";

/** Which of a server's workers a process is. */
export interface WorkerInfo {
  /** From 0. A worker that takes the place of one that died has the same. */
  readonly index: number;
  readonly count: number;
}

/** A connection as a program sees it. */
export type Client<U extends User = User> = Readonly<Omit<Connection, "user">> & { readonly user: U | undefined };

/** What is not declared is unknown, not any: it comes from clients. */
export type Known<T> = 0 extends 1 & T ? unknown : T;

/** What a client sent: to a channel, or to the program where there is none. If it is declared, it was checked. */
export type Message<D = AnyDeclaration> = ChannelMessage<D, ChannelName<D>> | CallMessage<D, CallName<D>>;

type ChannelMessage<D, N extends string> = N extends unknown ? EventMessage<D, N, EventName<D, N>> : never;

type EventMessage<D, N extends string, E extends string> = E extends unknown
  ? { readonly event: E; readonly data: Known<EventData<D, N, E>>; readonly channel: N }
  : never;

type CallMessage<D, C extends string> = C extends unknown
  ? { readonly event: C; readonly data: Known<CallInput<D, C>>; readonly channel?: undefined }
  : never;

/** What may be pushed to a channel: anything, where nothing is declared. */
export type ChannelPush<D, N extends string> =
  string extends EventName<D, N> ? unknown : { [E in EventName<D, N>]: Pushed<E, EventData<D, N, E>> }[EventName<D, N>];

/** What may be pushed to a user, to a connection, or to everybody. */
export type UserPush<D> =
  string extends UserEventName<D>
    ? unknown
    : { [E in UserEventName<D>]: Pushed<E, UserEventData<D, E>> }[UserEventName<D>];

type Pushed<Name, Data> = undefined extends Data
  ? { readonly event: Name; readonly data?: Data }
  : { readonly event: Name; readonly data: Data };

/** Handles a client's custom event; what it returns is the answer, what it throws is refused. */
export type Handler<Data = unknown, U extends User = User, Answer = unknown> = (
  connection: Client<U>,
  data: Data,
) => Awaitable<Answer>;

/** The handler of a declared call. */
export type CallHandler<D, C extends string, U extends User = User> = Handler<
  Known<HandlerInput<D, C>>,
  U,
  HandlerOutput<D, C>
>;

/** A user as a program may return it: the id may be a number. */
export type NewUser<U extends User = User> = Omit<U, "id"> & { readonly id: string | number };

/**
 * Returns the user of the credentials, or `false` where they are invalid; `true` is the user of the `username` in them. `credentials`
 * is what the client sent with `authenticate`, or `{ token }` for a token that is no valid JWT.
 */
export type Authenticator<U extends User = User> = (
  credentials: Readonly<Record<string, unknown>>,
  app: App,
) => Awaitable<NewUser<U> | boolean | null | undefined>;

/** What a program may say of a member; an id that is a number counts as its digits. */
export interface NewMember extends UserInfo {
  readonly id: string | number;
}

/**
 * By what a program lets a connection into a channel: as a member, until when (Unix milliseconds), and whether it may publish there,
 * whatever the channel's rule says.
 */
export type NewPermission = Grant | (NewMember & Grant);

/** A user in a presence channel. */
export interface Presence extends Omit<PresenceMember, "state"> {
  /** What the user's clients say of it, unchecked; any JSON value. */
  readonly state?: unknown;
}

/** How a connection ended. */
export interface Ending {
  /** The WebSocket close code. */
  readonly code: number;
  /** Why the server ended it, where the server did. */
  readonly why?: string;
}

/** The hooks, and what each is called with. */
export interface HookTypes<D = AnyDeclaration, U extends User = User> {
  /** Welcomed; its user is known where a token said it. */
  open(connection: Client<U>): unknown;
  close(connection: Client<U>, ending: Ending): unknown;
  subscribed(connection: Client<U>, channel: string): unknown;
  unsubscribed(connection: Client<U>, channel: string): unknown;
  /** Before it is done: what it throws refuses the message, and so does `false`. */
  message(connection: Client<U>, message: Message<D>): unknown;
  /** Lets the connection into the channel by `true`, or by the permission it returns; everything else denies. */
  authorize(connection: Client<U>, channel: string): Awaitable<boolean | NewPermission | undefined>;
  /** Lets the connection see the members of the presence channel without being one, by `true`; everything else denies. */
  watch(connection: Client<U>, channel: string): Awaitable<boolean | undefined>;
  /** Something failed that should not have; it is logged already. */
  error(error: unknown, during: string): unknown;
  /** This process listens: the place to start timers; of several workers, only the one with index 0 where one is enough. */
  workerStart(worker: WorkerInfo): unknown;
  /** It stops: the place to end them. */
  workerStop(worker: WorkerInfo): unknown;
}

/** Names that other servers have for the same. */
export interface HookAliases {
  readonly "connection.open": "open";
  readonly "connection.close": "close";
  readonly "connection.error": "error";
  readonly "message.received": "message";
}

export type HookName = keyof HookTypes;
/** Those that are about one channel, and can be asked for one channel only. */
export type ChannelHook = "subscribed" | "unsubscribed" | "message" | "authorize" | "watch";

export type ResolvedHook<Name extends HookName | keyof HookAliases> = Name extends keyof HookAliases
  ? HookAliases[Name]
  : Extract<Name, HookName>;

/** The third argument of `on`. */
export type ChannelFilter<Name extends HookName | keyof HookAliases> =
  ResolvedHook<Name> extends ChannelHook ? [channel?: string] : [];
