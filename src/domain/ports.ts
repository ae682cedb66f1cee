/** The seams: each has several implementations, and one suite of tests that all of them pass. */

import type { App } from "./app.ts";
import type { Connection } from "./connection.ts";
import type { HubEvent } from "./event.ts";
import type { Command, EventPublication, Member, Position, Presence, Publication, User } from "./message.ts";
import type { Protocol } from "./wire.ts";

export type Awaitable<T> = T | Promise<T>;

/** How long and how much of a channel's publications are kept. */
export interface HistoryPolicy {
  readonly size: number;
  readonly ttlMs: number;
}

/** A publication that history still has. */
export interface Kept {
  readonly publication: EventPublication;
  readonly expiresInMs: number;
}

export interface HistoryPage {
  /** Oldest first. */
  readonly kept: readonly Kept[];
  /** Where the channel stands now. */
  readonly position: Position;
  /** False when `since` lies further back than what is kept, or in another epoch. */
  readonly complete: boolean;
}

/** Carries publications between nodes, in one order per channel, and keeps history where asked. */
export interface Broker {
  /** `receive` is called for every publication to a subject this node subscribes to, its own included. */
  start(receive: (publication: Publication) => void): Awaitable<void>;
  /** Resolves when nothing published afterwards can be missed. */
  subscribe(app: string, channel: string): Awaitable<void>;
  unsubscribe(app: string, channel: string): void;
  /** Resolves when the engine has it; throws CommandError `engine_unavailable` when it cannot be reached in time. */
  publish(publication: Publication, keep?: HistoryPolicy): Awaitable<Position | undefined>;
  history(app: string, channel: string, since: Position | undefined, limit: number): Awaitable<HistoryPage>;
  close(): Awaitable<void>;
}

/** One connection as a member of a presence channel, or of the user's own online channel. */
export interface Row {
  readonly app: string;
  readonly channel: string;
  readonly connection: string;
  readonly member: Member;
}

export interface Joined {
  /** This user was nowhere in the channel before. Decided once in the cluster. */
  readonly first: boolean;
  readonly members: readonly Presence[];
}

export interface Left {
  /** That was the user's last connection in the channel, anywhere. */
  readonly last: boolean;
}

export interface ChannelSummary {
  readonly name: string;
  /** Connections. */
  readonly subscribers: number;
  /** Distinct users; undefined where the channel has no members. */
  readonly users?: number;
}

/** Who is where in the whole cluster. Each node writes only its own rows. */
export interface Registry {
  /** Throws CommandError `channel_full` when the user would be one too many. Atomic. */
  join(row: Row, maxMembers: number): Awaitable<Joined>;
  leave(row: Row): Awaitable<Left>;
  /** This node's number of subscribers changed. Says whether the channel came to life or died in the whole cluster. */
  tally(app: string, channel: string, count: number): Awaitable<"occupied" | "vacated" | undefined>;
  members(app: string, channel: string): Awaitable<readonly Presence[]>;
  /** Undefined when nobody is subscribed. */
  summary(app: string, channel: string): Awaitable<ChannelSummary | undefined>;
  channels(app: string, prefix: string): Awaitable<readonly ChannelSummary[]>;
  close(): Awaitable<void>;
}

/** A broker and a registry that belong together. */
export interface Engine {
  readonly name: string;
  readonly broker: Broker;
  readonly registry: Registry;
}

export interface AppStore {
  byKey(key: string): Awaitable<App | undefined>;
  byId(id: string): Awaitable<App | undefined>;
}

/** An API call that the app's back end signed. */
export interface SignedCall {
  readonly signature: string;
  /** When it says it was made, in Unix seconds. */
  readonly timestampS: number;
}

/** Has a say before the fact: throw to refuse, return to replace, return nothing to let pass. */
export interface Guard {
  /** The user it vouches for, if it knows one. Throws Disconnect to turn the client away. */
  connect?(request: Request, app: App, protocol: Protocol): Awaitable<User | undefined>;
  command?(connection: Connection, command: Command): Awaitable<Command | undefined>;
  publication?(publication: EventPublication): Awaitable<EventPublication | undefined>;
  /** Asked only about calls whose signature is right. */
  apiCall?(app: App, call: SignedCall): void;
}

/** Hears of facts; can neither refuse nor delay them. */
export type Observer = (event: HubEvent) => void;

/** The time, handed in. */
export interface Clock {
  /** Unix milliseconds; may jump. For what people and protocols are told. */
  wallMs(): number;
  /** Milliseconds that only grow. For everything that is measured or limited. */
  monotonicMs(): number;
}
