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
import { Calls, type Heard, type Patience } from "./calls.ts";
import { BEAT_MS, type FromNode, type Send, type ToNode, without } from "./wire.ts";

/** Silence after which the other side is taken for unreachable: two beats and a little patience. */
const SILENT_MS = 3_000;
/** How long what is still being asked may hold up the end. */
const SETTLE_MS = 2_000;

export interface NodeEngine extends Engine {
  /** What the process between the nodes sent. */
  receive(parcel: ToNode): void;
}

const PATIENCE: Patience = { waitMs: 5_000, waitBytes: 64 * 1024 * 1024 };

/** `send` hands parcels to the process between the nodes. */
export function workersEngine(clock: Clock, send: Send<FromNode>, patience: Patience = PATIENCE): NodeEngine {
  return new WorkersEngine(clock, send, patience);
}

class WorkersEngine implements NodeEngine {
  readonly name = "workers";
  readonly broker: Broker;
  readonly registry: Registry;
  readonly ledger: Ledger;
  readonly #calls: Calls;
  #host: EngineHost | undefined;
  #beating: ReturnType<typeof setInterval> | undefined;
  #closing: Promise<void> | undefined;

  constructor(clock: Clock, send: Send<FromNode>, patience: Patience) {
    this.#calls = new Calls(clock, patience, send, (word) => this.#hear(word));
    this.broker = new AskingBroker(this.#calls);
    this.registry = new AskingRegistry(this.#calls);
    this.ledger = new AskingLedger(this.#calls);
  }

  async start(host: EngineHost): Promise<void> {
    this.#host = host;
    this.#beating = setInterval(() => this.#calls.say(["beat", host.report()]), BEAT_MS);
    // Where it fails, the beats go on, and so does the node.
    await this.#calls.ask(["beat", host.report()]).catch((error) => host.failed(error, "reaching the engine"));
  }

  receive(parcel: ToNode): void {
    this.#calls.receive(parcel);
  }

  health(): EngineHealth {
    const sinceMs = Math.round(this.#calls.silentMs);
    if (sinceMs < SILENT_MS) return { reachable: true };
    return { reachable: false, why: "The process that the workers work for does not answer.", sinceMs };
  }

  nodes(): Promise<readonly NodeState[]> {
    return this.#calls.ask(["nodes"]);
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
    await this.#calls.ask(["close"]).catch(() => {});
    clearTimeout(late);
    this.#calls.close();
    this.#host = undefined;
  }

  #hear(word: Heard): void {
    if (word[0] === "publication") this.#host?.receive(word[1]);
    else this.#host?.registryChanged(word[1]);
  }
}

class AskingBroker implements Broker {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  subscribe(app: string, channel: string): Promise<void> {
    return this.#calls.ask(["subscribe", app, channel]);
  }

  unsubscribe(app: string, channel: string): void {
    this.#calls.say(["unsubscribe", app, channel]);
  }

  publish(publication: Publication, keep?: HistoryPolicy): Promise<Position | undefined> {
    return this.#calls.ask(["publish", publication, keep ?? null]);
  }

  publishOnce(
    publication: EventPublication,
    once: IdempotencyKey,
    keep?: HistoryPolicy,
  ): Promise<Position | "repeated" | undefined> {
    return this.#calls.ask(["publishOnce", publication, once, keep ?? null]);
  }

  history(app: string, channel: string, since: Position | undefined, limit: number): Promise<HistoryPage> {
    return this.#calls.ask(["history", app, channel, since ?? null, limit]);
  }
}

class AskingRegistry implements Registry {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** The newcomer hears of whoever comes next: it has to be in the channel before that is told. */
  join(row: PresenceEntry, maxMembers: number): Promise<JoinResult> {
    return this.#calls.ask(["join", row, without(maxMembers)], true);
  }

  leave(row: PresenceEntry): Promise<LeaveResult> {
    return this.#calls.ask(["leave", row]);
  }

  setSubscriberCount(app: string, channel: string, count: number): Promise<"occupied" | "vacated" | undefined> {
    return this.#calls.ask(["tally", app, channel, count]);
  }

  changesRecorded(app: string, channel: string): void {
    this.#calls.say(["told", app, channel]);
  }

  members(app: string, channel: string): Promise<readonly PresenceMember[]> {
    return this.#calls.ask(["members", app, channel]);
  }

  summary(app: string, channel: string): Promise<ChannelSummary | undefined> {
    return this.#calls.ask(["summary", app, channel]);
  }

  channels(app: string, prefix: string): Promise<readonly ChannelSummary[]> {
    return this.#calls.ask(["channels", app, prefix]);
  }
}

class AskingLedger implements Ledger {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  acquire(place: string, holder: string, most: number): Promise<boolean> {
    return this.#calls.ask(["take", place, holder, without(most)]);
  }

  release(place: string, holder: string): Promise<void> {
    return this.#calls.ask(["giveBack", place, holder]);
  }

  takeToken(bucket: string, perSecond: number): Promise<number> {
    return this.#calls.ask(["spend", bucket, perSecond]);
  }

  setIfAbsent(key: string, ttlMs: number): Promise<boolean> {
    return this.#calls.ask(["once", key, ttlMs]);
  }

  exists(key: string): Promise<boolean> {
    return this.#calls.ask(["noted", key]);
  }

  delete(key: string): Promise<void> {
    return this.#calls.ask(["forget", key]);
  }

  setMax(name: string, to: number, ttlMs: number): Promise<void> {
    return this.#calls.ask(["raise", name, to, ttlMs]);
  }

  get(name: string): Promise<number | undefined> {
    return this.#calls.ask(["level", name]);
  }
}
