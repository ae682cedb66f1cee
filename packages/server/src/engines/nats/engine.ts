/** The engine of several machines that share a NATS: one stream that everything goes through, and so one order. */

import type { Clock, Engine, EngineHealth, EngineHost, NodeState } from "../../domain/ports.ts";
import { HEARTBEAT_EVERY_MS, UNHEARD } from "../heartbeat.ts";
import { NatsBroker } from "./broker.ts";
import { Cells } from "./cells.ts";
import { Feed } from "./feed.ts";
import { Heads } from "./heads.ts";
import { LastingStore } from "./lasting.ts";
import { NatsLedger } from "./ledger.ts";
import { Link, type Wire } from "./link.ts";
import { Outbox } from "./outbox.ts";
import { NatsRegistry } from "./registry.ts";
import type { NatsSettings } from "./settings.ts";
import { Store } from "./store.ts";
import { Subjects } from "./subjects.ts";
import { encodeWord } from "./words.ts";

/** Beats come more often where nodes count as dead sooner. */
const BEATS_PER_TIMEOUT = 4;
const SWEEP_MS = 100;
/** How long the mark that was written on a new connection may take to come back. */
const MARK_MS = 2 * HEARTBEAT_EVERY_MS;
const TOUCH_MS = 60_000;
/** Times the longest pause. */
const OTHERS_NEED = 1.2;
/** How long the end may take. */
const FAREWELL_MS = 2_000;

export function natsEngine(clock: Clock, settings: NatsSettings): Engine {
  return new NatsEngine(clock, settings);
}

class NatsEngine implements Engine {
  readonly name = "nats";
  readonly broker: NatsBroker;
  readonly registry: NatsRegistry;
  readonly ledger: NatsLedger;
  readonly #settings: NatsSettings;
  readonly #subjects: Subjects;
  readonly #store: Store;
  readonly #link: Link;
  readonly #feed: Feed;
  readonly #heads: Heads;
  readonly #outbox: Outbox;
  readonly #cells: Cells;
  readonly #lasting: LastingStore;
  readonly #levels: Cells;
  #host: EngineHost | undefined;
  #timers: ReturnType<typeof setInterval>[] = [];
  readonly #beatMs: number;
  /** Whether the connection that comes up next replaces another. */
  #isAgain = false;
  #closing: Promise<void> | undefined;

  constructor(clock: Clock, settings: NatsSettings) {
    this.#settings = settings;
    const subjects = new Subjects(settings.prefix);
    const store = new Store(clock, settings, subjects);
    const waitMs = settings.publishWaitMs;
    const { nodeTimeoutMs } = settings;
    const beatMs = Math.min(HEARTBEAT_EVERY_MS, nodeTimeoutMs / BEATS_PER_TIMEOUT);
    this.#beatMs = beatMs;
    this.#subjects = subjects;
    this.#store = store;
    this.#feed = new Feed(() => this.#link.drop("more came in than this node could hold"));
    this.#heads = new Heads(store, subjects);
    this.#outbox = new Outbox(clock, settings, subjects, store, this.#heads);
    this.#cells = new Cells(clock, store, waitMs);
    this.#lasting = new LastingStore(settings, subjects, () => this.#link);
    this.#levels = new Cells(clock, this.#lasting, waitMs);
    this.broker = new NatsBroker(
      { subjects, store, heads: this.#heads, outbox: this.#outbox, feed: this.#feed, waitMs },
      {
        receive: (publication) => this.#host?.receive(publication),
        missed: (app, channel) => this.#host?.interrupted([{ app, channel }]),
        garbage: (error) => this.#garbage(error),
      },
    );
    this.registry = new NatsRegistry(
      { clock, subjects, store, waitMs, beatMs, nodeTimeoutMs },
      {
        receive: (publication) => this.#host?.receive(publication),
        isSubscribed: (app, channel) => this.broker.isSubscribed(app, channel),
        happened: (facts) => this.#host?.registryChanged(facts),
        report: () => this.#host?.report() ?? NOBODY,
        garbage: (error) => this.#garbage(error),
        answered: () => this.#feed.pause(),
        lost: (why) => this.#link.drop(why),
        reborn: () => queueMicrotask(() => this.#settle(this.ledger.writeAgain(), "taking places again")),
      },
    );
    const strangerMs = nodeTimeoutMs;
    const { cells, lasting, levels } = { cells: this.#cells, lasting: this.#lasting, levels: this.#levels };
    this.ledger = new NatsLedger({ clock, subjects, store, cells, lasting, levels, strangerMs }, this.registry);
    this.#link = new Link(clock, settings, {
      greet: (wire, isAgain) => this.#greet(wire, isAgain),
      up: () => this.#up(),
      down: () => {},
    });
    store.link = this.#link;
  }

  async start(host: EngineHost): Promise<void> {
    this.#host = host;
    this.#outbox.start();
    this.#timers = [
      setInterval(() => this.registry.beat(), this.#beatMs),
      setInterval(() => this.registry.sweep(), SWEEP_MS),
      setInterval(() => this.#touch(), TOUCH_MS),
    ];
    for (const timer of this.#timers) timer.unref?.();
    await this.#link.start();
    const health = this.health();
    if (!health.reachable) host.failed(new Error(health.why), "reaching the engine");
  }

  health(): EngineHealth {
    return this.#link.health;
  }

  nodes(): readonly NodeState[] {
    return this.#host ? this.registry.nodes() : [];
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** On a new connection: makes the stream where there is none, hears again, and reads who is where. */
  async #greet(wire: Wire, isAgain: boolean): Promise<void> {
    this.#feed.hold();
    this.#isAgain = isAgain;
    const which = await this.#store.ensure(wire);
    this.#heads.clear();
    this.#cells.clear();
    this.#levels.clear();
    this.#lasting.clear();
    // The end of a generation that never was: it changes nothing for anybody.
    const mark = { subject: this.#subjects.reap(crypto.randomUUID()), text: encodeWord({ type: "reap", by: "" }) };
    const marked = Promise.withResolvers<true>();
    wire.nats.subscribe(this.#subjects.rowsTold, {
      callback: (error, message) => {
        if (error) return this.#garbage(error);
        if (this.#subjects.bare(message.subject) === this.#subjects.bare(mark.subject)) marked.resolve(true);
        const seq = Number(message.headers?.get("Nats-Sequence"));
        if (!seq) return this.#garbage(new Error("a word that is not of the stream"));
        this.registry.arrived(message.subject, seq);
        this.#feed.take(() => this.registry.hear(message.subject, message.string(), seq));
      },
    });
    this.broker.greet(wire);
    await this.#store.reach(wire);
    await this.#store.askTime(this.#subjects.clock, wire);
    const stored = await this.#store.all(this.#subjects.rows, mark, wire);
    if (!(await Promise.race([marked.promise, Bun.sleep(MARK_MS)]))) throw new Error(UNHEARD);
    this.registry.adopt(stored, which === "new");
    if (which === "new") queueMicrotask(() => this.#settle(this.ledger.writeAgain(), "taking places again"));
  }

  #up(): void {
    if (this.#isAgain) this.#host?.interrupted();
    this.#feed.release();
    this.registry.begin();
    // Whoever lost NATS with this node is back within its longest pause.
    this.#outbox.pump(this.#isAgain ? OTHERS_NEED * this.#settings.reconnectMaxMs : 0);
  }

  #touch(): void {
    if (!this.#store.isOpen) return;
    this.#settle(this.broker.touch(this.#store.nowMs), "keeping channels numbered");
    this.#settle(this.ledger.touch(), "keeping places");
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const farewell = async () => {
      await this.ledger.close();
      await this.registry.close();
      if (!this.#store.isOpen || this.registry.generations.size > 1) return;
      await this.#store.purge(this.#subjects.reap("*"));
      await this.#store.removeIfEmpty();
      await this.#lasting.removeIfEmpty();
    };
    await Promise.race([farewell().catch(() => {}), Bun.sleep(FAREWELL_MS)]);
    this.#outbox.close();
    this.#cells.close();
    this.#levels.close();
    this.broker.close();
    this.#host = undefined;
    await Promise.race([this.#link.close(), Bun.sleep(FAREWELL_MS)]);
  }

  #settle(work: Promise<unknown>, during: string): void {
    work.catch((error) => this.#host?.failed(error, during));
  }

  #garbage(error: unknown): void {
    this.#host?.failed(error, "reading what came from NATS");
  }
}

const NOBODY = { id: "", name: "", startedAtMs: 0, connections: 0, lagMs: 0, draining: false } as const;
