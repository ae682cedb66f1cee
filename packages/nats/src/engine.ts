/** The engine of several machines that share a NATS: one stream that everything goes through, and so one order. */

import {
  type Clock,
  type Engine,
  type EngineHealth,
  type EngineHost,
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_LOST,
  type NodeState,
  ReconnectingConnection,
} from "fanfare/engine";
import { NatsBroker } from "./broker.ts";
import { ChannelHeads } from "./channel-heads.ts";
import { CompareAndSetStore } from "./compare-and-set.ts";
import { type Connection, lostBecause, type NatsSession, natsConnector } from "./connection.ts";
import { InboundQueue } from "./inbound-queue.ts";
import { NatsLedger } from "./ledger.ts";
import { LongTermStore } from "./long-term-store.ts";
import { PublishQueue } from "./publish-queue.ts";
import { NatsRegistry } from "./registry.ts";
import { encodeEvent } from "./registry-event.ts";
import type { NatsSettings } from "./settings.ts";
import { StreamStore } from "./stream-store.ts";
import { Subjects } from "./subjects.ts";

/** Heartbeats come more often where nodes count as dead sooner. */
const BEATS_PER_TIMEOUT = 4;
const SWEEP_MS = 100;
/** How long the marker that was written on a new connection may take to come back. */
const MARKER_MS = 2 * HEARTBEAT_INTERVAL_MS;
const REFRESH_MS = 60_000;
/** Times the longest pause between attempts. */
const OTHERS_NEED = 1.2;
const CLOSE_MS = 2_000;

export function createNatsEngine(clock: Clock, settings: NatsSettings): Engine {
  return new NatsEngine(clock, settings);
}

class NatsEngine implements Engine {
  readonly name = "nats";
  readonly broker: NatsBroker;
  readonly registry: NatsRegistry;
  readonly ledger: NatsLedger;
  readonly #settings: NatsSettings;
  readonly #beatMs: number;
  readonly #subjects: Subjects;
  readonly #connection: Connection;
  readonly #store: StreamStore;
  readonly #longTerm: LongTermStore;
  readonly #values: CompareAndSetStore;
  readonly #maximums: CompareAndSetStore;
  readonly #heads: ChannelHeads;
  readonly #inbound: InboundQueue;
  readonly #queue: PublishQueue;
  #host: EngineHost | undefined;
  #timers: ReturnType<typeof setInterval>[] = [];
  #isReconnect = false;
  #closing: Promise<void> | undefined;

  constructor(clock: Clock, settings: NatsSettings) {
    const { publishWaitMs: waitMs, nodeTimeoutMs } = settings;
    this.#settings = settings;
    this.#beatMs = Math.min(HEARTBEAT_INTERVAL_MS, nodeTimeoutMs / BEATS_PER_TIMEOUT);
    this.#connection = new ReconnectingConnection({
      clock,
      backoff: { minMs: settings.reconnectMinMs, maxMs: settings.reconnectMaxMs },
      open: natsConnector(clock, settings),
      prepare: (session, isReconnect) => this.#prepare(session, isReconnect),
      up: () => this.#up(),
    });
    const subjects = new Subjects(settings.prefix);
    const store = new StreamStore(clock, settings, subjects, this.#connection);
    this.#subjects = subjects;
    this.#store = store;
    this.#longTerm = new LongTermStore(settings, subjects, this.#connection);
    this.#values = new CompareAndSetStore(clock, store, waitMs);
    this.#maximums = new CompareAndSetStore(clock, this.#longTerm, waitMs);
    this.#heads = new ChannelHeads(store, subjects);
    this.#inbound = new InboundQueue(() => this.#drop("more came in than this node could hold"));
    this.#queue = new PublishQueue(clock, settings, subjects, store, this.#heads);
    const malformed = (error: unknown) => this.#malformed(error);
    const receive: EngineHost["receive"] = (publication) => this.#host?.receive(publication);
    this.broker = new NatsBroker(
      {
        ...{ connection: this.#connection, subjects, store, waitMs },
        ...{ heads: this.#heads, queue: this.#queue, inbound: this.#inbound },
      },
      { receive, malformed, missed: (app, channel) => this.#host?.interrupted([{ app, channel }]) },
    );
    this.registry = new NatsRegistry(
      { clock, subjects, store, waitMs, beatMs: this.#beatMs, nodeTimeoutMs },
      {
        ...{ receive, malformed },
        isSubscribed: (app, channel) => this.broker.isSubscribed(app, channel),
        happened: (facts) => this.#host?.registryChanged(facts),
        report: () => this.#host?.report() ?? NO_REPORT,
        answering: () => this.#inbound.yieldToCaller(),
        lost: (why) => this.#drop(why),
        restarted: () => this.#rewriteLedgerSoon(),
      },
    );
    this.ledger = new NatsLedger(
      {
        ...{ clock, subjects, store, unknownMs: nodeTimeoutMs },
        ...{ values: this.#values, longTerm: this.#longTerm, maximums: this.#maximums },
      },
      this.registry,
    );
  }

  async start(host: EngineHost): Promise<void> {
    this.#host = host;
    this.#queue.start();
    this.#timers = [
      setInterval(() => this.registry.beat(), this.#beatMs),
      setInterval(() => this.registry.sweep(), SWEEP_MS),
      setInterval(() => this.#refresh(), REFRESH_MS),
    ];
    for (const timer of this.#timers) timer.unref?.();
    await this.#connection.start();
    const health = this.health();
    if (!health.reachable) host.failed(new Error(health.why), "reaching the engine");
  }

  health(): EngineHealth {
    return this.#connection.health;
  }

  nodes(): readonly NodeState[] {
    return this.#host ? this.registry.nodes() : [];
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** On a new connection: makes the stream where there is none, subscribes again, and reads who is where. */
  async #prepare(session: NatsSession, isReconnect: boolean): Promise<void> {
    this.#inbound.hold();
    this.#isReconnect = isReconnect;
    const which = await this.#store.ensure(session);
    for (const cache of [this.#heads, this.#values, this.#maximums, this.#longTerm]) cache.clear();
    // The end of an incarnation that never was: no node has anything of it.
    const marker = { subject: this.#subjects.reap(crypto.randomUUID()), text: encodeEvent({ type: "reap", by: "" }) };
    const returned = this.#subscribeToRegistry(session, marker.subject);
    this.broker.resubscribe(session);
    await this.#store.flush(session);
    await this.#store.readServerTime(this.#subjects.clock, session);
    const stored = await this.#store.all(this.#subjects.registry, marker, session);
    if (!(await Promise.race([returned, Bun.sleep(MARKER_MS)]))) throw new Error(HEARTBEAT_LOST);
    this.registry.load(stored, which === "new");
    if (which === "new") this.#rewriteLedgerSoon();
    session.discover();
  }

  /** Resolves when the marker comes back. */
  #subscribeToRegistry({ nats }: NatsSession, marker: string): Promise<true> {
    const { promise, resolve } = Promise.withResolvers<true>();
    const markerKey = this.#subjects.registryKey(marker);
    nats.subscribe(this.#subjects.registryRepublished, {
      callback: (error, message) => {
        if (error) return this.#malformed(error);
        if (this.#subjects.registryKey(message.subject) === markerKey) resolve(true);
        const seq = Number(message.headers?.get("Nats-Sequence"));
        if (!seq) return this.#malformed(new Error("a registry event that is not of the stream"));
        this.registry.arrived(message.subject, seq);
        this.#inbound.push(() => this.registry.apply(message.subject, message.string(), seq));
      },
    });
    return promise;
  }

  #up(): void {
    if (this.#isReconnect) this.#host?.interrupted();
    this.#inbound.release();
    this.registry.begin();
    // Nodes that lost NATS together with this one are back within their longest pause.
    this.#queue.resume(this.#isReconnect ? OTHERS_NEED * this.#settings.reconnectMaxMs : 0);
  }

  #drop(why: string): void {
    this.#connection.dropCurrent(lostBecause(why));
  }

  #refresh(): void {
    if (!this.#store.isOpen) return;
    this.#runInBackground(this.broker.refresh(), "keeping the positions of channels");
    this.#runInBackground(this.ledger.refresh(), "keeping places");
  }

  #rewriteLedgerSoon(): void {
    queueMicrotask(() => this.#runInBackground(this.ledger.rewrite(), "taking places again"));
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.race([this.#removeOwn().catch(() => {}), Bun.sleep(CLOSE_MS)]);
    for (const part of [this.#queue, this.#values, this.#maximums, this.broker]) part.close();
    this.#host = undefined;
    await Promise.race([this.#connection.close(), Bun.sleep(CLOSE_MS)]);
  }

  /** What this node has; the last node removes the streams as well, where nothing is in them. */
  async #removeOwn(): Promise<void> {
    await this.ledger.close();
    await this.registry.close();
    if (!this.#store.isOpen || this.registry.incarnations.size > 1) return;
    await this.#store.purge(this.#subjects.reap("*"));
    await this.#store.removeIfEmpty();
    await this.#longTerm.removeIfEmpty();
  }

  #runInBackground(work: Promise<unknown>, during: string): void {
    work.catch((error) => this.#host?.failed(error, during));
  }

  #malformed(error: unknown): void {
    this.#host?.failed(error, "reading what came from NATS");
  }
}

const NO_REPORT = { id: "", name: "", startedAtMs: 0, connections: 0, lagMs: 0, draining: false } as const;
