/**
 * The engine of several nodes on one machine, on the side of the process between them: an engine for one node does the
 * work, in one order for all, and this keeps what belongs to which node, so that it can be taken back when that node dies.
 */

import { CommandError } from "../../domain/error.ts";
import type { Publication } from "../../domain/message.ts";
import type { Awaitable, Clock, Engine, NodeState, RegistryChange } from "../../domain/ports.ts";
import { andThen } from "../../hub/awaitable.ts";
import { Backpressure } from "./backpressure.ts";
import {
  HEARTBEAT_MS,
  type HubBatch,
  hubUnavailable,
  limitOf,
  type Request,
  type Send,
  type WorkerBatch,
} from "./messages.ts";
import { PendingAnnouncements } from "./pending-announcements.ts";
import { WorkerSession } from "./worker-session.ts";
import { keyOf, type Subject } from "./worker-state.ts";

/** What may wait for a node that does not read. One that lets more pile up will not catch up. */
const BACKLOG_BYTES = 64 * 1024 * 1024;

export interface WorkerLink {
  receive(parcel: WorkerBatch): void;
  /** The node is no more: what was its own is taken back, and others tell of it. Idempotent. */
  disconnect(): Promise<void>;
}

export interface AttachOptions {
  readonly send: Send<HubBatch>;
  /** Whether it holds sockets: the others are not listed. */
  readonly isListed?: boolean;
  /** It lets more pile up than it may, and has to end. */
  readonly overflowed?: () => void;
}

export interface WorkerHubOptions {
  /** For one node; answers at once. */
  readonly engine: Engine;
  readonly clock: Clock;
  readonly failed: (error: unknown, during: string) => void;
}

export class WorkerHub {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #failed: WorkerHubOptions["failed"];
  /** In the order of their coming: the eldest tells what no node did by itself. */
  readonly #desks = new Set<WorkerSession>();
  readonly #listeners = new Map<string, Set<WorkerSession>>();
  readonly #slowness = new Backpressure(() => [...this.#desks].some((desk) => desk.isBehind));
  /** Subscribers of all nodes together. */
  readonly #totals = new Map<string, number>();
  /** What nodes have been answered and have not told on: who comes to life, and who has left. */
  readonly #untold = new PendingAnnouncements<WorkerSession>();
  #beating: ReturnType<typeof setInterval> | undefined;

  constructor({ engine, clock, failed }: WorkerHubOptions) {
    this.#engine = engine;
    this.#clock = clock;
    this.#failed = failed;
  }

  async start(): Promise<void> {
    const self = { id: "", name: "", startedAtMs: 0, connections: 0, lagMs: 0, draining: false };
    await this.#engine.start({
      receive: (publication) => this.#deliver(publication),
      interrupted: () => {},
      registryChanged: (facts) => this.#tellFacts(facts),
      report: () => self,
      failed: this.#failed,
    });
    this.#beating = setInterval(() => {
      for (const desk of this.#desks) desk.sendHeartbeat();
    }, HEARTBEAT_MS);
  }

  attach({ send, isListed = true, overflowed }: AttachOptions): WorkerLink {
    const desk = new WorkerSession(this.#clock, isListed, send);
    this.#desks.add(desk);
    return {
      receive: (parcel) => {
        this.#receive(desk, parcel);
        if (desk.backlogBytes > BACKLOG_BYTES) overflowed?.();
      },
      disconnect: () => this.#dismiss(desk),
    };
  }

  /** How much is remembered of nodes and by them. */
  get size(): number {
    const held = [...this.#desks].reduce((sum, { owned: holdings }) => sum + holdings.size, 0);
    return held + this.#listeners.size + this.#totals.size + this.#untold.size;
  }

  async close(): Promise<void> {
    clearInterval(this.#beating);
    this.#slowness.release();
    for (const desk of this.#desks) desk.close();
    this.#desks.clear();
    this.#listeners.clear();
    this.#totals.clear();
    await this.#engine.close();
  }

  // ---- what nodes ask

  #receive(desk: WorkerSession, { acknowledged: got, untilMs, requests: asked }: WorkerBatch): void {
    if (!this.#desks.has(desk)) return;
    desk.acknowledge(got);
    this.#slowness.check();
    const isLate = untilMs !== null && this.#clock.monotonicMs() >= untilMs;
    for (const [id, ask] of asked) this.#answer(desk, id, ask, isLate);
  }

  #answer(desk: WorkerSession, id: number, ask: Request, isLate: boolean): void {
    try {
      // Its node has long told the client that it was not published.
      if (isLate && (ask[0] === "publish" || ask[0] === "publishOnce")) throw hubUnavailable();
      const answer = this.#perform(desk, ask);
      if (!(answer instanceof Promise)) return reply(desk, id, answer);
      answer.then(
        (value) => reply(desk, id, value),
        (error) => this.#refuse(desk, id, error, ask[0]),
      );
    } catch (error) {
      this.#refuse(desk, id, error, ask[0]);
    }
  }

  #refuse(desk: WorkerSession, id: number, error: unknown, during: string): void {
    if (!(error instanceof CommandError)) this.#failed(error, `the engine's ${during}`);
    const { code, message } =
      error instanceof CommandError ? error : new CommandError("internal", "The engine failed.");
    if (id !== 0) desk.send(["refusal", id, code, message]);
  }

  #perform(desk: WorkerSession, ask: Request): Awaitable<unknown> {
    const { broker, registry, ledger } = this.#engine;
    switch (ask[0]) {
      case "subscribe":
        return this.#subscribe(desk, { app: ask[1], channel: ask[2] });
      case "unsubscribe":
        return this.#unsubscribe(desk, { app: ask[1], channel: ask[2] });
      case "publish":
        return andThen(broker.publish(ask[1], ask[2] ?? undefined), (position) => this.#slowness.delay(position));
      case "publishOnce":
        return andThen(broker.publishOnce(ask[1], ask[2], ask[3] ?? undefined), (done) => this.#slowness.delay(done));
      case "history":
        return broker.history(ask[1], ask[2], ask[3] ?? undefined, ask[4]);
      case "join":
        return andThen(registry.join(ask[1], limitOf(ask[2])), (joined) => {
          desk.owned.joined(ask[1]);
          return joined;
        });
      case "leave":
        desk.owned.left(ask[1]);
        return andThen(registry.leave(ask[1]), (left) => {
          if (left.isLast) this.#untold.add(desk, keyOf(ask[1]));
          return left;
        });
      case "tally":
        return this.#tally(desk, { app: ask[1], channel: ask[2] }, ask[3]);
      case "told":
        return this.#untold.told(desk, keyOf({ app: ask[1], channel: ask[2] }));
      case "members":
        return registry.members(ask[1], ask[2]);
      case "summary":
        return registry.summary(ask[1], ask[2]);
      case "channels":
        return registry.channels(ask[1], ask[2]);
      case "take":
        return andThen(ledger.acquire(ask[1], ask[2], limitOf(ask[3])), (isTaken) => {
          if (isTaken) desk.owned.took({ place: ask[1], holder: ask[2] });
          return isTaken;
        });
      case "giveBack":
        desk.owned.gaveBack({ place: ask[1], holder: ask[2] });
        return ledger.release(ask[1], ask[2]);
      case "spend":
        return ledger.takeToken(ask[1], ask[2]);
      case "once":
        return ledger.setIfAbsent(ask[1], ask[2]);
      case "noted":
        return ledger.exists(ask[1]);
      case "forget":
        return ledger.delete(ask[1]);
      case "raise":
        return ledger.setMax(ask[1], ask[2], ask[3]);
      case "level":
        return ledger.get(ask[1]);
      case "nodes":
        return this.#nodes();
      case "beat":
        return desk.setReport(ask[1]);
      case "close":
        return this.#dismiss(desk);
    }
  }

  #subscribe(desk: WorkerSession, subject: Subject): Awaitable<void> {
    const key = keyOf(subject);
    desk.owned.subjects.set(key, subject);
    const listeners = this.#listeners.get(key);
    if (listeners) {
      listeners.add(desk);
      return;
    }
    this.#listeners.set(key, new Set([desk]));
    return this.#engine.broker.subscribe(subject.app, subject.channel);
  }

  #unsubscribe(desk: WorkerSession, subject: Subject): void {
    const key = keyOf(subject);
    desk.owned.subjects.delete(key);
    const listeners = this.#listeners.get(key);
    if (!listeners?.delete(desk) || listeners.size > 0) return;
    this.#listeners.delete(key);
    this.#engine.broker.unsubscribe(subject.app, subject.channel);
  }

  /** The answer waits for what others were answered before and have not told on. */
  #tally(desk: WorkerSession, subject: Subject, count: number): Awaitable<"occupied" | "vacated" | undefined> {
    const key = keyOf(subject);
    return andThen(this.#count(desk, subject, count), (change) => {
      const others = this.#untold.waitForOthers(desk, key);
      if (change === "occupied") this.#untold.add(desk, key);
      return others ? others.then(() => change) : change;
    });
  }

  #count(desk: WorkerSession, subject: Subject, count: number): Awaitable<"occupied" | "vacated" | undefined> {
    const key = keyOf(subject);
    const total = (this.#totals.get(key) ?? 0) + count - desk.owned.countOf(subject);
    desk.owned.counted(subject, count);
    if (total > 0) this.#totals.set(key, total);
    else this.#totals.delete(key);
    return this.#engine.registry.setSubscriberCount(subject.app, subject.channel, total);
  }

  #nodes(): readonly NodeState[] {
    return [...this.#desks].flatMap((desk) => (desk.isListed ? (desk.state ?? []) : []));
  }

  // ---- what nodes are told

  #deliver(publication: Publication): void {
    for (const desk of this.#listeners.get(keyOf(publication)) ?? []) desk.send(["publication", publication]);
  }

  #tellFacts(facts: readonly RegistryChange[]): void {
    const [eldest] = this.#desks;
    if (facts.length > 0) eldest?.send(["facts", facts]);
  }

  // ---- whoever goes

  async #dismiss(desk: WorkerSession): Promise<void> {
    if (!this.#desks.delete(desk)) return;
    this.#slowness.check();
    this.#untold.removeNode(desk);
    for (const subject of desk.owned.subjects.values()) this.#unsubscribe(desk, subject);
    const { registry, ledger } = this.#engine;
    const facts: RegistryChange[] = [];
    for (const row of desk.owned.rows()) {
      const { app, channel, member } = row;
      const { isLast: last } = await registry.leave(row);
      if (last) facts.push({ type: "left", app, channel, member: { id: member.id } });
    }
    for (const { app, channel } of desk.owned.counts()) {
      const change = await this.#count(desk, { app, channel }, 0);
      facts.push({ type: change ?? "counted", app, channel });
    }
    for (const { place, holder } of desk.owned.places()) await ledger.release(place, holder);
    this.#tellFacts(facts);
  }
}

function reply(desk: WorkerSession, id: number, value: unknown): void {
  if (id !== 0) desk.send(value === undefined ? ["answer", id] : ["answer", id, value]);
}
