/** What a program's one declaration of its events and users types: hooks, handlers and pushes. Types only, no checks. */

import type { App } from "../../domain/app.ts";
import type { Connection } from "../../domain/connection.ts";
import type { Member, User } from "../../domain/message.ts";
import type { Awaitable } from "../../domain/ports.ts";
import type { UserInfo } from "../../domain/user-info.ts";

/** Which of a server's workers a process is. */
export interface WorkerInfo {
  /** From 0. A worker that takes the place of one that died has the same. */
  readonly index: number;
  readonly count: number;
}

/** Of a program that declares nothing: any name, any payload. */
export type AnyEvents = Record<string, unknown>;

/** A connection as a program sees it. */
export type Client<U extends User = User> = Readonly<Omit<Connection, "user">> & { readonly user: U | undefined };

export type EventName<E extends object> = keyof E & string;

/** What a client said: to a channel, or to the program where there is none. What clients send is not checked. */
export type Message<E extends object = AnyEvents> = {
  readonly [Name in EventName<E>]: { readonly event: Name; readonly data: E[Name]; readonly channel?: string };
}[EventName<E>];

/** What may be pushed: anything, where nothing is declared. */
export type Pushable<E extends object> = string extends keyof E
  ? unknown
  : { [Name in EventName<E>]: Pushed<Name, E[Name]> }[EventName<E>];

type Pushed<Name, Data> = undefined extends Data
  ? { readonly event: Name; readonly data?: Data }
  : { readonly event: Name; readonly data: Data };

/** Handles a client's custom event; what it returns is the answer, what it throws is refused. */
export type Handler<Data = unknown, U extends User = User> = (connection: Client<U>, data: Data) => Awaitable<unknown>;

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

/** How a connection ended. */
export interface Ending {
  /** The WebSocket close code. */
  readonly code: number;
  /** Why the server ended it, where the server did. */
  readonly why?: string;
}

/** The hooks, and what each is called with. */
export interface HookTypes<E extends object = AnyEvents, U extends User = User> {
  /** Welcomed; its user is known where a token said it. */
  open(connection: Client<U>): unknown;
  close(connection: Client<U>, ending: Ending): unknown;
  subscribed(connection: Client<U>, channel: string): unknown;
  unsubscribed(connection: Client<U>, channel: string): unknown;
  /** Before it is done: what it throws refuses the message, and so does `false`. */
  message(connection: Client<U>, message: Message<E>): unknown;
  /** Lets the connection into the channel by `true`, or as the member it returns; everything else denies. */
  authorize(connection: Client<U>, channel: string): Awaitable<boolean | NewMember | undefined>;
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
export type ChannelHook = "subscribed" | "unsubscribed" | "message" | "authorize";

export type ResolvedHook<Name extends HookName | keyof HookAliases> = Name extends keyof HookAliases
  ? HookAliases[Name]
  : Extract<Name, HookName>;

/** The third argument of `on`. */
export type ChannelFilter<Name extends HookName | keyof HookAliases> =
  ResolvedHook<Name> extends ChannelHook ? [channel?: string] : [];

/** A member as the hub takes it; what a program gave for one is looked at before it is believed. */
export type AuthorizeResult = boolean | Member | undefined;
