/** The seams: each has several implementations, and one suite of tests that all of them pass. */

import type { App } from "./app.ts";
import type { AppStatistics } from "./app-statistics.ts";
import type { Connection } from "./connection.ts";
import type { HubEvent } from "./hub-event.ts";
import type {
  Command,
  EventPublication,
  Member,
  MemberUpdate,
  Position,
  PresenceMember,
  Publication,
  PurgeRange,
  User,
} from "./message.ts";
import type { Protocol } from "./transport.ts";

export type Awaitable<T> = T | Promise<T>;

/** How long and how much of a channel's publications are kept. */
export interface HistoryPolicy {
  readonly size: number;
  readonly ttlMs: number;
  /**
   * Most bytes that all channels of the app keep together of what is published with this. What is beyond is forgotten before its
   * time: a client that asks for it then is told that it is lost.
   */
  readonly totalBytes?: number;
}

/** The name of a publication that is to be made once, and how long it is remembered. No two channels have the same. */
export interface IdempotencyKey {
  readonly key: string;
  readonly ttlMs: number;
}

/** A publication that history still has. */
export interface StoredEvent {
  readonly publication: EventPublication;
  readonly expiresInMs: number;
}

/** Which part of a channel's history. All bounds hold together; times are by the engine's clock. */
export interface HistoryQuery {
  /** Only what was published after it. */
  readonly after?: Position;
  /** Only what was published before it. */
  readonly before?: Position;
  /** Only what was published at that time or later, Unix milliseconds. */
  readonly fromMs?: number;
  /** Only what was published before that time, Unix milliseconds. */
  readonly toMs?: number;
  /** Only what was published so long ago or less. */
  readonly withinMs?: number;
  /** Most events of the page; with 0 only where the channel stands. */
  readonly limit: number;
  /** Which of those that fit, where there are more. */
  readonly direction: "oldest" | "newest";
}

export interface HistoryPage {
  /** Oldest first, in either direction. Those that were erased are among them, without name and data. */
  readonly events: readonly StoredEvent[];
  /** Where the channel stands now. */
  readonly position: Position;
  /**
   * Whether nothing that belongs in the page is known to be gone: false where `after` lies further back than what is kept, where
   * `after` or `before` is of another epoch or ahead of the channel, where what is older than the oldest that is kept could belong
   * to the time that was asked for, and where something between has expired. Without any such bound the page begins at what is kept.
   */
  readonly complete: boolean;
  /** Whether more may fit the query, beyond the page in its direction. */
  readonly hasMore: boolean;
  /**
   * The epochs whose numbers this one goes on with, the latest first, and the last offset of each that is still its. An
   * epoch that begins at 1 has none; the name is empty where it is not known which epochs the numbers up to there are of.
   */
  readonly earlierEpochs?: readonly Position[];
}

export interface PurgeResult {
  /** How many events were forgotten: none the second time, and none where the position is of another epoch. */
  readonly purged: number;
  /** Where the channel stands, which is where it stood. */
  readonly position: Position;
}

/** Carries publications between nodes, in one order per channel, and keeps history where asked. */
export interface Broker {
  /** Resolves when nothing published afterwards can be missed. */
  subscribe(app: string, channel: string): Awaitable<void>;
  unsubscribe(app: string, channel: string): void;
  /**
   * Resolves when the engine has it. While the engine is away it waits, bounded in bytes and in time, and then throws
   * CommandError `engine_unavailable`: it has then reached no subscriber, unless only the answer was lost.
   */
  publish(publication: Publication, keep?: HistoryPolicy): Awaitable<Position | undefined>;
  /**
   * The same, and the key is stored in the very step that publishes; where it is stored already, nothing is published. What
   * failed is never published without its key being stored, so a second call is answered `repeated`, or publishes it.
   */
  publishOnce(
    publication: EventPublication,
    once: IdempotencyKey,
    keep?: HistoryPolicy,
  ): Awaitable<Position | "repeated" | undefined>;
  /**
   * The key need not be remembered for longer than this from now on: whoever published under it will not do so again. Without
   * this method keys are remembered for their whole time. May do nothing while the engine is away.
   */
  expireKey?(app: string, channel: string, key: string, ttlMs: number): Awaitable<void>;
  /**
   * A channel that this node is subscribed to has an epoch from the first question on, and keeps it while there are subscribers:
   * nothing is numbered twice in it. `atMs` of an event never lies before that of the one before it, whatever the clock does.
   */
  history(app: string, channel: string, query: HistoryQuery): Awaitable<HistoryPage>;
  /**
   * Epoch and numbering go on. Who resumes from before what was purged is answered `complete: false`; one event that was purged
   * by itself leaves its place, so that everything around it can still be proved complete.
   */
  purge(app: string, channel: string, range: PurgeRange): Awaitable<PurgeResult>;
}

/** One connection as a member of a presence channel, or of the user's own online channel. */
export interface PresenceEntry {
  readonly app: string;
  readonly channel: string;
  readonly connection: string;
  readonly member: Member;
}

/** What a connection changes of its user in the channel, for all of the user's connections. */
export interface PresenceUpdate extends Omit<PresenceEntry, "member"> {
  readonly member: MemberUpdate;
}

export interface JoinResult {
  /** This user was nowhere in the channel before. Decided once in the cluster. */
  readonly isFirst: boolean;
  readonly members: readonly PresenceMember[];
}

export interface LeaveResult {
  /** That was the user's last connection in the channel, anywhere. */
  readonly isLast: boolean;
}

export interface ChannelSummary {
  readonly name: string;
  /** Connections. */
  readonly subscribers: number;
  /** Distinct users; undefined where the channel has no members. */
  readonly users?: number;
}

/** Who is in which channel, in the whole cluster. Each node writes only its own entries; another node removes those of a dead one. */
export interface Registry {
  /**
   * Throws CommandError `channel_full` when the user would be one too many. Atomic: where the user is new, the engine
   * itself publishes that it joined (`joinPublication`), so that no node dies between the two.
   */
  join(entry: PresenceEntry, maxMembers: number): Awaitable<JoinResult>;
  /** The same for a departure (`leavePublication`). */
  leave(entry: PresenceEntry): Awaitable<LeaveResult>;
  /**
   * The same for what is known of a member (`updatePublication`). Of several updates the last one counts, in the engine's order,
   * whichever connection of the user it came from; it is gone with the user's last connection, not with the one that made it.
   * False, and nothing is published, where the connection is not in the channel as that user.
   */
  update(update: PresenceUpdate): Awaitable<boolean>;
  /** This node's number of subscribers changed. Says whether the channel came to life or died in the whole cluster. */
  setSubscriberCount(app: string, channel: string, count: number): Awaitable<"occupied" | "vacated" | undefined>;
  /**
   * Observers have written down that the channel came to life, or that a user left it. Where nodes share one outbox, the engine
   * makes the others' counts wait for that, so that observers are notified in order.
   */
  changesRecorded?(app: string, channel: string): void;
  members(app: string, channel: string): Awaitable<readonly PresenceMember[]>;
  /** Undefined where there are no subscribers. */
  summary(app: string, channel: string): Awaitable<ChannelSummary | undefined>;
  channels(app: string, prefix: string): Awaitable<readonly ChannelSummary[]>;
}

/** What the cluster counts together: places, rates, and keys that count once. */
export interface Ledger {
  /** Takes one of `most` places for the holder; false where none is left. A dead node's places are given back by another. */
  acquire(place: string, holder: string, most: number): Awaitable<boolean>;
  /** Safe to call again, and for a holder that has none. */
  release(place: string, holder: string): Awaitable<void>;
  /** Spends one token of a bucket that holds and gains `perSecond`: 0, or the seconds until there is one. */
  takeToken(bucket: string, perSecond: number): Awaitable<number>;
  /** Whether the key was absent, or older than its time; sets it for `ttlMs`. */
  setIfAbsent(key: string, ttlMs: number): Awaitable<boolean>;
  /** Whether the key is set. Sets nothing. */
  exists(key: string): Awaitable<boolean>;
  /** The key is absent again. Safe to call for one that is. */
  delete(key: string): Awaitable<void>;
  /** Remembers the number under the name for at least so long, where it is greater than what is remembered there. */
  setMax(name: string, to: number, ttlMs: number): Awaitable<void>;
  /** The greatest number that is remembered under the name. */
  get(name: string): Awaitable<number | undefined>;
}

/** What one node says of itself, every second or so. */
export interface NodeReport {
  /** Another at each start. Two nodes never have the same. */
  readonly id: string;
  /** For people: the machine's name and the process. */
  readonly name: string;
  /** Where clients reach this node, where that is configured. */
  readonly url?: string;
  readonly startedAtMs: number;
  readonly connections: number;
  /** How late timers run, in milliseconds. */
  readonly lagMs: number;
  /** Resident. */
  readonly memoryBytes?: number;
  readonly draining: boolean;
  /** It takes no clients for another reason: its memory is full, or it has nearly all connections that it may have. */
  readonly unready?: true;
  /** Most connections that it may have. */
  readonly connectionsLimit?: number;
  /** The same for all processes of one server, which share its port: of these, a balancer cannot choose one. */
  readonly portGroup?: string;
}

export interface NodeState extends NodeReport {
  /** Time since its last beat, in milliseconds, by the engine's clock or the reader's own: never by the other node's. */
  readonly silentMs: number;
}

/** How evenly a cluster is filled. */
export interface ClusterShares {
  readonly nodes: number;
  /** Nodes that are there and did not answer. */
  readonly missing: number;
  readonly connections: number;
  /** How many of these can come back elsewhere and miss nothing. */
  readonly movable: number;
  /** How many have to, so that all nodes have about as many. */
  readonly surplus: number;
  readonly isEven: boolean;
}

/** What changed without any command of this node: this node removed a dead one's entries, or wrote its own again. */
export type RegistryChange =
  | { readonly type: "joined"; readonly app: string; readonly channel: string; readonly member: Member }
  | { readonly type: "left"; readonly app: string; readonly channel: string; readonly member: Pick<Member, "id"> }
  | { readonly type: "occupied" | "vacated"; readonly app: string; readonly channel: string }
  /** The channel lives, and has another number of subscribers than before. */
  | { readonly type: "counted"; readonly app: string; readonly channel: string };

/** The node, as its engine sees it. None of these ever throws. */
export interface EngineHost {
  /** Called for every publication to a subject this node subscribes to, its own included, in the broker's order. */
  receive(publication: Publication): void;
  /** Publications of all channels, or of these, may have been missed just now. Called before any later one is received. */
  interrupted(channels?: readonly { readonly app: string; readonly channel: string }[]): void;
  /** Changes of which this node, and no other, has to notify observers. The engine has notified the clients. */
  registryChanged(facts: readonly RegistryChange[]): void;
  report(): NodeReport;
  /** Something that should not have happened, and the engine lives on. */
  failed(error: unknown, during: string): void;
}

export type EngineHealth =
  | { readonly reachable: true }
  | {
      readonly reachable: false /** A sentence for people, without secrets. */;
      readonly why: string;
      /** For how long, in milliseconds. */
      readonly sinceMs: number;
      /** It answers, and refuses: `OOM`, `READONLY`, `NOPERM`, `NOAUTH` or another code of its own. */
      readonly refusal?: string;
    };

/** A broker, a registry and a ledger that belong together. */
export interface Engine {
  readonly name: string;
  readonly broker: Broker;
  readonly registry: Registry;
  readonly ledger: Ledger;
  /**
   * Once, before anything else. Resolves when the engine is reached or after the first attempt failed: a node whose engine
   * is down starts, says so, keeps trying, and is not ready.
   */
  start(host: EngineHost): Awaitable<void>;
  health(): EngineHealth;
  nodes(): Awaitable<readonly NodeState[]>;
  /** Takes back this node's own entries and places, so that a cluster that is shut down leaves nothing behind. Idempotent. */
  close(): Awaitable<void>;
}

/** What a server gives to the engine that it makes. */
export interface EngineContext {
  readonly clock: Clock;
  /** How long, and how much in total, publications wait while the engine is away (`publishWaitS`, `publishWaitBytes`). */
  readonly publishWaitMs: number;
  readonly publishWaitBytes: number;
  /** Silence after which a node counts as dead (`nodeTimeoutS`). */
  readonly nodeTimeoutMs: number;
  /** Logs a sentence about what the operator should change. */
  warn(sentence: string): void;
}

/** Makes an engine for one start of a server. Throws an Error where its options cannot be used. */
export type EngineFactory = (context: EngineContext) => Engine;

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
  /**
   * The user that the client is, if it knows one. Throws Disconnect to reject the client. The connection is not open yet: it has
   * no socket and no user.
   */
  connect?(request: Request, app: App, protocol: Protocol, connection: Connection): Awaitable<User | undefined>;
  command?(connection: Connection, command: Command): Awaitable<Command | undefined>;
  publication?(publication: EventPublication): Awaitable<EventPublication | undefined>;
  /** Asked only about calls whose signature is right. */
  apiCall?(app: App, call: SignedCall): Awaitable<void>;
}

/** Receives what happened; can neither refuse nor delay it. */
export interface Observer {
  (event: HubEvent): void;
  /** Nothing of it is about publications, of which there are more than of all else: it is not called with them. */
  readonly ignoresPublications?: true;
}

/** The observer, marked so. */
export function ignoringPublications(observe: (event: HubEvent) => void): Observer {
  return Object.assign(observe, { ignoresPublications: true as const });
}

/** Where the statistics of each app are stored. */
export interface StatisticsSink {
  /**
   * What this process counted since the last call, by the app's id: once per `statistics.intervalS`, and when the server stops.
   * Where it throws, the error is logged and the numbers are in the next call as well.
   */
  add(statistics: ReadonlyMap<string, AppStatistics>, atMs: number, intervalMs: number): Awaitable<void>;
}

/** The time, handed in. */
export interface Clock {
  /** Unix milliseconds; may jump. For what people and protocols see. */
  wallMs(): number;
  /** Milliseconds that only grow. For everything that is measured or limited. */
  monotonicMs(): number;
}
