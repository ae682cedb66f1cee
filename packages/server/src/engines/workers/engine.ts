/** The engine of one of several nodes on a machine: everything is asked of the process between them. */

import type { EventPublication, Position, PresenceMember, Publication } from "../../domain/message.ts";
import type {
  Broker,
  ChannelSummary,
  Clock,
  Engine,
  EngineHealth,
  EngineHost,
  HistoryPage,
  HistoryPolicy,
  IdempotencyKey,
  JoinResult,
  LeaveResult,
  Ledger,
  NodeState,
  PresenceEntry,
  Registry,
} from "../../domain/ports.ts";
import { HEARTBEAT_MS, type HubBatch, type Send, type WorkerBatch, without } from "./messages.ts";
import { type IncomingMessage, type RequestLimits, Requests } from "./requests.ts";

/** Silence after which the other side is taken for unreachable: two beats and a little patience. */
const SILENT_MS = 3_000;
/** How long what is still being asked may hold up the end. */
const SETTLE_MS = 2_000;

export interface WorkerEngine extends Engine {
  /** What the process between the nodes sent. */
  receive(parcel: HubBatch): void;
}

const PATIENCE: RequestLimits = { waitMs: 5_000, waitBytes: 64 * 1024 * 1024 };

/** `send` hands parcels to the process between the nodes. */
export function workersEngine(clock: Clock, send: Send<WorkerBatch>, patience: RequestLimits = PATIENCE): WorkerEngine {
  return new WorkersEngine(clock, send, patience);
}

class WorkersEngine implements WorkerEngine {
  readonly name = "workers";
  readonly broker: Broker;
  readonly registry: Registry;
  readonly ledger: Ledger;
  readonly #calls: Requests;
  #host: EngineHost | undefined;
  #beating: ReturnType<typeof setInterval> | undefined;
  #closing: Promise<void> | undefined;

  constructor(clock: Clock, send: Send<WorkerBatch>, patience: RequestLimits) {
    this.#calls = new Requests(clock, patience, send, (word) => this.#hear(word));
    this.broker = new AskingBroker(this.#calls);
    this.registry = new AskingRegistry(this.#calls);
    this.ledger = new AskingLedger(this.#calls);
  }

  async start(host: EngineHost): Promise<void> {
    this.#host = host;
    this.#beating = setInterval(() => this.#calls.notify(["beat", host.report()]), HEARTBEAT_MS);
    // Where it fails, the beats go on, and so does the node.
    await this.#calls.request(["beat", host.report()]).catch((error) => host.failed(error, "reaching the engine"));
  }

  receive(parcel: HubBatch): void {
    this.#calls.receive(parcel);
  }

  health(): EngineHealth {
    const sinceMs = Math.round(this.#calls.silentMs);
    if (sinceMs < SILENT_MS) return { reachable: true };
    return { reachable: false, why: "The process that the workers work for does not answer.", sinceMs };
  }

  nodes(): Promise<readonly NodeState[]> {
    return this.#calls.request(["nodes"]);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#beating);
    await this.#calls.settled(SETTLE_MS);
    // Where nobody answers, nobody is there to take anything back either.
    const late = setTimeout(() => this.#calls.close(), SETTLE_MS);
    await this.#calls.request(["close"]).catch(() => {});
    clearTimeout(late);
    this.#calls.close();
    this.#host = undefined;
  }

  #hear(word: IncomingMessage): void {
    if (word[0] === "publication") this.#host?.receive(word[1]);
    else this.#host?.registryChanged(word[1]);
  }
}

class AskingBroker implements Broker {
  readonly #calls: Requests;

  constructor(calls: Requests) {
    this.#calls = calls;
  }

  subscribe(app: string, channel: string): Promise<void> {
    return this.#calls.request(["subscribe", app, channel]);
  }

  unsubscribe(app: string, channel: string): void {
    this.#calls.notify(["unsubscribe", app, channel]);
  }

  publish(publication: Publication, keep?: HistoryPolicy): Promise<Position | undefined> {
    return this.#calls.request(["publish", publication, keep ?? null]);
  }

  publishOnce(
    publication: EventPublication,
    once: IdempotencyKey,
    keep?: HistoryPolicy,
  ): Promise<Position | "repeated" | undefined> {
    return this.#calls.request(["publishOnce", publication, once, keep ?? null]);
  }

  history(app: string, channel: string, since: Position | undefined, limit: number): Promise<HistoryPage> {
    return this.#calls.request(["history", app, channel, since ?? null, limit]);
  }
}

class AskingRegistry implements Registry {
  readonly #calls: Requests;

  constructor(calls: Requests) {
    this.#calls = calls;
  }

  /** The newcomer hears of whoever comes next: it has to be in the channel before that is told. */
  join(row: PresenceEntry, maxMembers: number): Promise<JoinResult> {
    return this.#calls.request(["join", row, without(maxMembers)], true);
  }

  leave(row: PresenceEntry): Promise<LeaveResult> {
    return this.#calls.request(["leave", row]);
  }

  setSubscriberCount(app: string, channel: string, count: number): Promise<"occupied" | "vacated" | undefined> {
    return this.#calls.request(["tally", app, channel, count]);
  }

  changesRecorded(app: string, channel: string): void {
    this.#calls.notify(["told", app, channel]);
  }

  members(app: string, channel: string): Promise<readonly PresenceMember[]> {
    return this.#calls.request(["members", app, channel]);
  }

  summary(app: string, channel: string): Promise<ChannelSummary | undefined> {
    return this.#calls.request(["summary", app, channel]);
  }

  channels(app: string, prefix: string): Promise<readonly ChannelSummary[]> {
    return this.#calls.request(["channels", app, prefix]);
  }
}

class AskingLedger implements Ledger {
  readonly #calls: Requests;

  constructor(calls: Requests) {
    this.#calls = calls;
  }

  acquire(place: string, holder: string, most: number): Promise<boolean> {
    return this.#calls.request(["take", place, holder, without(most)]);
  }

  release(place: string, holder: string): Promise<void> {
    return this.#calls.request(["giveBack", place, holder]);
  }

  takeToken(bucket: string, perSecond: number): Promise<number> {
    return this.#calls.request(["spend", bucket, perSecond]);
  }

  setIfAbsent(key: string, ttlMs: number): Promise<boolean> {
    return this.#calls.request(["once", key, ttlMs]);
  }

  exists(key: string): Promise<boolean> {
    return this.#calls.request(["noted", key]);
  }

  delete(key: string): Promise<void> {
    return this.#calls.request(["forget", key]);
  }

  setMax(name: string, to: number, ttlMs: number): Promise<void> {
    return this.#calls.request(["raise", name, to, ttlMs]);
  }

  get(name: string): Promise<number | undefined> {
    return this.#calls.request(["level", name]);
  }
}
