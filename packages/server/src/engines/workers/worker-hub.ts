/**
 * The engine of several workers on one machine, on the side of the hub process between them: an engine for one node does the
 * work, in one order for all, and this keeps what belongs to which worker, so that it can be taken back when that worker dies.
 */

import { CommandError } from "../../domain/error.ts";
import type { Publication } from "../../domain/message.ts";
import type { Awaitable, Clock, Engine, NodeState, RegistryChange } from "../../domain/ports.ts";
import { andThen } from "../../hub/awaitable.ts";
import { type ChannelRef, channelKey } from "../shared/channels.ts";
import { entryKey, holdKey } from "../shared/local-state.ts";
import {
  HEARTBEAT_MS,
  type HubBatch,
  type HubMethods,
  hubUnavailable,
  type Method,
  type Request,
  type Send,
  type WorkerBatch,
} from "./messages.ts";
import { PendingAnnouncements } from "./pending-announcements.ts";
import { Backpressure, WorkerSession } from "./worker-session.ts";

/** What may wait for a worker that does not read. One that lets more pile up will not catch up. */
const BACKLOG_BYTES = 64 * 1024 * 1024;

export interface WorkerLink {
  receive(batch: WorkerBatch): void;
  /** The worker is gone: what it owned is taken back, and another worker reports it. Idempotent. */
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

type Handler<M extends Method> = (session: WorkerSession, ...args: Parameters<HubMethods[M]>) => Awaitable<unknown>;

export class WorkerHub {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #failed: WorkerHubOptions["failed"];
  /** Oldest first: the oldest reports what no worker did by itself. */
  readonly #sessions = new Set<WorkerSession>();
  readonly #subscribers = new Map<string, Set<WorkerSession>>();
  readonly #backpressure = new Backpressure(() => [...this.#sessions].some((session) => session.isBehind));
  /** Subscribers of all workers together. */
  readonly #totals = new Map<string, number>();
  /** What workers were answered and have not announced: that a channel is occupied, that a member has left. */
  readonly #unannounced = new PendingAnnouncements<WorkerSession>();
  readonly #handlers: { readonly [M in Method]: Handler<M> };
  #heartbeats: ReturnType<typeof setInterval> | undefined;

  constructor({ engine, clock, failed }: WorkerHubOptions) {
    this.#engine = engine;
    this.#clock = clock;
    this.#failed = failed;
    this.#handlers = { ...this.#stateHandlers(engine), ...forwardingHandlers(engine) };
  }

  async start(): Promise<void> {
    const self = { id: "", name: "", startedAtMs: 0, connections: 0, lagMs: 0, draining: false };
    await this.#engine.start({
      receive: (publication) => this.#deliver(publication),
      interrupted: () => {},
      registryChanged: (changes) => this.#report(changes),
      report: () => self,
      failed: this.#failed,
    });
    this.#heartbeats = setInterval(() => {
      for (const session of this.#sessions) session.sendHeartbeat();
    }, HEARTBEAT_MS);
  }

  attach({ send, isListed = true, overflowed }: AttachOptions): WorkerLink {
    const session = new WorkerSession(this.#clock, isListed, send);
    this.#sessions.add(session);
    return {
      receive: (batch) => {
        this.#receive(session, batch);
        if (session.backlogBytes > BACKLOG_BYTES) overflowed?.();
      },
      disconnect: () => this.#remove(session),
    };
  }

  /** How much is remembered of workers and by them. */
  get size(): number {
    const owned = [...this.#sessions].reduce(
      (sum, { owned, subscriptions }) => sum + owned.size + subscriptions.size,
      0,
    );
    return owned + this.#subscribers.size + this.#totals.size + this.#unannounced.size;
  }

  async close(): Promise<void> {
    clearInterval(this.#heartbeats);
    this.#backpressure.release();
    for (const session of this.#sessions) session.close();
    this.#sessions.clear();
    this.#subscribers.clear();
    this.#totals.clear();
    await this.#engine.close();
  }

  // ---- what workers request

  #receive(session: WorkerSession, { acknowledged, untilMs, requests }: WorkerBatch): void {
    if (!this.#sessions.has(session)) return;
    session.acknowledge(acknowledged);
    this.#backpressure.check();
    const isLate = untilMs !== null && this.#clock.monotonicMs() >= untilMs;
    for (const request of requests) this.#answer(session, request, isLate);
  }

  #answer(session: WorkerSession, [id, method, args]: Request, isLate: boolean): void {
    try {
      // Its worker has long answered the client that it was not published.
      if (isLate && (method === "publish" || method === "publishOnce")) throw hubUnavailable();
      const handle = this.#handlers[method] as (
        session: WorkerSession,
        ...args: readonly unknown[]
      ) => Awaitable<unknown>;
      const answer = handle(session, ...args);
      if (!(answer instanceof Promise)) return reply(session, id, answer);
      answer.then(
        (value) => reply(session, id, value),
        (error) => this.#refuse(session, id, error, method),
      );
    } catch (error) {
      this.#refuse(session, id, error, method);
    }
  }

  #refuse(session: WorkerSession, id: number, error: unknown, method: Method): void {
    if (!(error instanceof CommandError)) this.#failed(error, `the engine's ${method}`);
    const { code, message } =
      error instanceof CommandError ? error : new CommandError("internal", "The engine failed.");
    if (id !== 0) session.send(["refusal", id, code, message]);
  }

  /** Of what changes something that belongs to the worker, or has to wait for other workers. */
  #stateHandlers({ broker, registry, ledger }: Engine) {
    return {
      subscribe: (session, app, channel) => this.#subscribe(session, { app, channel }),
      unsubscribe: (session, app, channel) => this.#unsubscribe(session, { app, channel }),
      publish: (_, publication, keep) =>
        andThen(broker.publish(publication, keep ?? undefined), (position) => this.#backpressure.delay(position)),
      publishOnce: (_, publication, key, keep) =>
        andThen(broker.publishOnce(publication, key, keep ?? undefined), (done) => this.#backpressure.delay(done)),
      join: ({ owned }, entry, maxMembers) =>
        andThen(registry.join(entry, maxMembers ?? Number.POSITIVE_INFINITY), (joined) => {
          owned.entries.set(entryKey(entry), entry);
          return joined;
        }),
      leave: (session, entry) => {
        session.owned.entries.delete(entryKey(entry));
        return andThen(registry.leave(entry), (left) => {
          if (left.isLast) this.#unannounced.add(session, channelKey(entry));
          return left;
        });
      },
      setSubscriberCount: (session, app, channel, count) => this.#setCount(session, { app, channel }, count),
      changesRecorded: (session, app, channel) => this.#unannounced.done(session, channelKey({ app, channel })),
      acquire: ({ owned }, quota, holder, limit) =>
        andThen(ledger.acquire(quota, holder, limit ?? Number.POSITIVE_INFINITY), (isAcquired) => {
          if (isAcquired) owned.holds.set(holdKey({ quota, holder }), { quota, holder });
          return isAcquired;
        }),
      release: ({ owned }, quota, holder) => {
        owned.holds.delete(holdKey({ quota, holder }));
        return ledger.release(quota, holder);
      },
      nodes: () => this.#nodes(),
      heartbeat: (session, report) => session.setReport(report),
      close: (session) => this.#remove(session),
    } satisfies Partial<{ readonly [M in Method]: Handler<M> }>;
  }

  #subscribe(session: WorkerSession, ref: ChannelRef): Awaitable<void> {
    const key = channelKey(ref);
    session.subscriptions.set(key, ref);
    const subscribers = this.#subscribers.get(key);
    if (subscribers) {
      subscribers.add(session);
      return;
    }
    this.#subscribers.set(key, new Set([session]));
    return this.#engine.broker.subscribe(ref.app, ref.channel);
  }

  #unsubscribe(session: WorkerSession, ref: ChannelRef): void {
    const key = channelKey(ref);
    session.subscriptions.delete(key);
    const subscribers = this.#subscribers.get(key);
    if (!subscribers?.delete(session) || subscribers.size > 0) return;
    this.#subscribers.delete(key);
    this.#engine.broker.unsubscribe(ref.app, ref.channel);
  }

  /** The answer waits for what other workers were answered before and have not announced. */
  #setCount(session: WorkerSession, ref: ChannelRef, count: number): Awaitable<"occupied" | "vacated" | undefined> {
    const key = channelKey(ref);
    return andThen(this.#count(session, ref, count), (change) => {
      const others = this.#unannounced.waitForOthers(session, key);
      if (change === "occupied") this.#unannounced.add(session, key);
      return others ? others.then(() => change) : change;
    });
  }

  #count({ owned }: WorkerSession, ref: ChannelRef, count: number): Awaitable<"occupied" | "vacated" | undefined> {
    const key = channelKey(ref);
    const total = (this.#totals.get(key) ?? 0) + count - owned.countOf(ref);
    owned.setCount({ ...ref, count });
    if (total > 0) this.#totals.set(key, total);
    else this.#totals.delete(key);
    return this.#engine.registry.setSubscriberCount(ref.app, ref.channel, total);
  }

  #nodes(): readonly NodeState[] {
    return [...this.#sessions].flatMap((session) => (session.isListed ? (session.state ?? []) : []));
  }

  // ---- what workers are sent

  #deliver(publication: Publication): void {
    for (const session of this.#subscribers.get(channelKey(publication)) ?? [])
      session.send(["publication", publication]);
  }

  #report(changes: readonly RegistryChange[]): void {
    const [oldest] = this.#sessions;
    if (changes.length > 0) oldest?.send(["changes", changes]);
  }

  // ---- the end of a worker

  async #remove(session: WorkerSession): Promise<void> {
    if (!this.#sessions.delete(session)) return;
    this.#backpressure.check();
    this.#unannounced.removeWorker(session);
    for (const ref of session.subscriptions.values()) this.#unsubscribe(session, ref);
    const { registry, ledger } = this.#engine;
    const { entries, counts, holds } = session.owned;
    const changes: RegistryChange[] = [];
    for (const entry of entries.values()) {
      const { app, channel, member } = entry;
      const { isLast } = await registry.leave(entry);
      if (isLast) changes.push({ type: "left", app, channel, member: { id: member.id } });
    }
    for (const { app, channel } of [...counts.values()]) {
      const change = await this.#count(session, { app, channel }, 0);
      changes.push({ type: change ?? "counted", app, channel });
    }
    for (const { quota, holder } of holds.values()) await ledger.release(quota, holder);
    this.#report(changes);
  }
}

/** Of what the engine answers for all workers alike. */
function forwardingHandlers({ broker, registry, ledger }: Engine) {
  return {
    expireKey: (_, app, channel, key, ttlMs) => broker.expireKey?.(app, channel, key, ttlMs),
    history: (_, app, channel, query) => broker.history(app, channel, query),
    purge: (_, app, channel, range) => broker.purge(app, channel, range),
    update: (_, update) => registry.update(update),
    members: (_, app, channel) => registry.members(app, channel),
    summary: (_, app, channel) => registry.summary(app, channel),
    channels: (_, app, prefix) => registry.channels(app, prefix),
    takeToken: (_, bucket, perSecond) => ledger.takeToken(bucket, perSecond),
    setIfAbsent: (_, key, ttlMs) => ledger.setIfAbsent(key, ttlMs),
    exists: (_, key) => ledger.exists(key),
    delete: (_, key) => ledger.delete(key),
    setMax: (_, name, number, ttlMs) => ledger.setMax(name, number, ttlMs),
    get: (_, name) => ledger.get(name),
  } satisfies Partial<{ readonly [M in Method]: Handler<M> }>;
}

function reply(session: WorkerSession, id: number, value: unknown): void {
  if (id !== 0) session.send(value === undefined ? ["answer", id] : ["answer", id, value]);
}
