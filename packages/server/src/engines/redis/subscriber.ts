/**
 * The subscriptions of one shard. When the connection was lost, they are made again before anything else is received, and the node
 * is notified that it may have missed something. A connection that only looks alive is found by asking, and one that answers and
 * delivers nothing by the node's own heartbeat.
 */

import type { Publication } from "../../domain/message.ts";
import { markSeen, type SeenNumbers } from "../../domain/message-id.ts";
import type { Clock, EngineHealth } from "../../domain/ports.ts";
import { messageOf } from "../../domain/thrown.ts";
import type { ChannelRef } from "../shared/channels.ts";
import { HEARTBEAT_INTERVAL_MS, HEARTBEAT_LOST, Heartbeat } from "../shared/heartbeat.ts";
import { NotSentError } from "../shared/pending.ts";
import { ReconnectingConnection } from "../shared/reconnecting-connection.ts";
import { decode } from "./codec.ts";
import type { Connector } from "./connector.ts";
import { healthOf } from "./errors.ts";
import type { RedisSettings } from "./settings.ts";
import type { SubscriptionClient } from "./subscription-client.ts";

export interface SubscriberOptions {
  readonly connector: Connector;
  readonly settings: RedisSettings;
  readonly clock: Clock;
  readonly shard: number;
  /** Is subscribed to when all others are. */
  readonly readySubject: string;
  /** Where the node's heartbeat goes, and how: over the connection for commands. Rejects where Redis did not take it. */
  readonly heartbeat: { readonly subject: string; send(text: string): Promise<unknown> };
  receive(publication: Publication): void;
  /** Publications may have been missed. */
  interrupted(): void;
  up(): void;
  /** Something that is no publication arrived. */
  malformed(error: unknown): void;
}

interface Subscription extends ChannelRef {
  readonly seen: Map<string, SeenNumbers>;
  /** A client here may know a position in it. */
  isPositioned: boolean;
}

const PING_EVERY_MS = 500;
/** The pause before a heartbeat is sent again that Redis did not take, while the connection waits for it. */
const HEARTBEAT_AGAIN_MS = 50;
/** What arrives while subscriptions are made again; more than that is lost, and the node is notified of a loss anyway. */
const MAX_HELD = 10_000;

export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #connection: ReconnectingConnection<SubscriptionClient>;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Of the present connection: what it was asked for, and when that is confirmed. */
  readonly #requested = new Map<string, Promise<void>>();
  /** Subjects to subscribe to, or unsubscribe from, at the end of this tick. */
  readonly #changed = new Set<string>();
  #isFlushScheduled = false;
  #held: [string, string][] | undefined;
  #pingedAtMs: number | undefined;
  #timers: ReturnType<typeof setInterval>[] = [];
  readonly #heartbeat = new Heartbeat();
  #lastHeartbeat = 0;
  /** The latest client, ready to be used by others or not yet. */
  #latest: SubscriptionClient | undefined;
  /** Settled when a heartbeat came over it, or it ended. */
  #firstHeartbeat = handledPromise();
  readonly #connected = handledPromise();

  constructor(options: SubscriberOptions) {
    const { clock, settings } = options;
    this.#options = options;
    this.#connection = new ReconnectingConnection<SubscriptionClient>({
      clock,
      backoff: { minMs: settings.reconnectMinMs, maxMs: settings.reconnectMaxMs },
      open: (ended) => this.#open(ended),
      prepare: (client, isAgain) => this.#prepare(client, isAgain),
    });
  }

  async start(): Promise<void> {
    this.#timers = [
      setInterval(() => this.#ping(), PING_EVERY_MS),
      setInterval(() => this.#checkHeartbeat(), HEARTBEAT_INTERVAL_MS),
    ];
    for (const timer of this.#timers) timer.unref?.();
    await this.#connection.start();
  }

  get health(): EngineHealth {
    return healthOf(this.#connection.health);
  }

  /** The server that it is connected to, where there is one. */
  get address(): string | undefined {
    return this.#connection.current?.address;
  }

  get isUp(): boolean {
    return this.#connection.current !== undefined;
  }

  /** Resolves when there is a connection for the first time, though it may not be ready to be used. */
  get connected(): Promise<void> {
    return this.#connected.promise;
  }

  /** There is a connection, though it may not be ready to be used. */
  get isConnected(): boolean {
    return this.#latest !== undefined;
  }

  get channels(): readonly ChannelRef[] {
    return [...this.#subscriptions.values()].map(({ app, channel }) => ({ app, channel }));
  }

  /** Resolves when Redis has confirmed it; rejects with NotSentError when it has not in time. It stays wanted all the same. */
  async subscribe(subject: string, app: string, channel: string): Promise<void> {
    const { clock, settings } = this.#options;
    if (!this.#subscriptions.has(subject)) {
      this.#subscriptions.set(subject, { app, channel, seen: new Map(), isPositioned: false });
    }
    this.#change(subject);
    const untilMs = clock.monotonicMs() + settings.commandTimeoutMs;
    while (this.#subscriptions.has(subject)) {
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) throw new NotSentError("not confirmed in time");
      await this.#connection.waitUntilUp(leftMs);
      // What changed in this tick goes in one command.
      await Promise.resolve();
      this.#flush();
      if (await this.#isConfirmed(subject, untilMs)) return;
    }
  }

  unsubscribe(subject: string): void {
    if (this.#subscriptions.delete(subject)) this.#change(subject);
  }

  /** From now on a client may know a position in it. Answers whether it is subscribed to. */
  markPositioned(subject: string): boolean {
    const subscription = this.#subscriptions.get(subject);
    if (subscription) subscription.isPositioned = true;
    return subscription !== undefined;
  }

  /** Channels in which a client may know a position. */
  get positionedChannels(): readonly ChannelRef[] {
    return [...this.#subscriptions.values()].filter(({ isPositioned }) => isPositioned);
  }

  /** The connection is made anew. */
  drop(why: string): void {
    this.#connection.dropCurrent(why);
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#subscriptions.clear();
    this.#latest = undefined;
    this.#firstHeartbeat.reject(new Error("closed"));
    void this.#connection.close();
  }

  // ---- the connection

  #open(ended: (why: string) => void): Promise<SubscriptionClient> {
    const { connector, shard } = this.#options;
    this.#requested.clear();
    this.#held = [];
    this.#latest = undefined;
    this.#heartbeat.reset();
    const firstHeartbeat = handledPromise();
    this.#firstHeartbeat = firstHeartbeat;
    return connector.openSubscriptions(shard, {
      ended: (why) => {
        this.#latest = undefined;
        firstHeartbeat.reject(new Error(why));
        ended(why);
      },
      message: (subject, text) => this.#receive(subject, text),
    });
  }

  async #prepare(client: SubscriptionClient, isAgain: boolean): Promise<void> {
    const { heartbeat, readySubject, interrupted, up } = this.#options;
    this.#changed.clear();
    const subjects = [...this.#subscriptions.keys()];
    const subscribed = client.subscribe([heartbeat.subject, ...subjects]);
    for (const subject of subjects) this.#requested.set(subject, subscribed);
    this.#latest = client;
    this.#connected.resolve();
    void this.#sendFirstHeartbeat(client);
    // Nothing but the heartbeat shows that publications would come.
    await Promise.all([subscribed, this.#firstHeartbeat.promise]);
    await client.subscribe([readySubject]);
    if (isAgain) interrupted();
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const [subject, text] of held) this.#receive(subject, text);
    this.#pingedAtMs = undefined;
    // As soon as the connection is ready to be used.
    setTimeout(() => {
      this.#flush();
      up();
    }, 0);
  }

  #drop(client: SubscriptionClient, error: unknown): void {
    this.#connection.drop(client, messageOf(error));
  }

  // ---- subscribing

  async #isConfirmed(subject: string, untilMs: number): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(resolve, Math.max(0, untilMs - this.#options.clock.monotonicMs()), false);
    const confirmed = this.#requested.get(subject)?.then(
      () => true,
      () => false,
    );
    const isConfirmed = await Promise.race([confirmed ?? false, late]);
    clearTimeout(timer);
    return isConfirmed;
  }

  #change(subject: string): void {
    this.#changed.add(subject);
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    queueMicrotask(() => {
      this.#isFlushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const client = this.#connection.current;
    if (!client || this.#changed.size === 0) return;
    const changed = [...this.#changed];
    this.#changed.clear();
    const removed = changed.filter((subject) => !this.#subscriptions.has(subject) && this.#requested.delete(subject));
    const added = changed.filter((subject) => this.#subscriptions.has(subject) && !this.#requested.has(subject));
    if (removed.length > 0) this.#request(client, [], client.unsubscribe(removed));
    if (added.length > 0) this.#request(client, added, client.subscribe(added));
  }

  #request(client: SubscriptionClient, subjects: readonly string[], confirmed: Promise<void>): void {
    for (const subject of subjects) this.#requested.set(subject, confirmed);
    confirmed.catch((error) => this.#drop(client, error));
  }

  // ---- receiving

  #receive(subject: string, text: string): void {
    if (subject === this.#options.heartbeat.subject) {
      this.#heartbeat.received(Number(text));
      this.#firstHeartbeat.resolve();
      return;
    }
    if (this.#held) {
      if (this.#held.length < MAX_HELD) this.#held.push([subject, text]);
      return;
    }
    const subscription = this.#subscriptions.get(subject);
    if (!subscription) return;
    try {
      const { publication, messageId } = decode(subscription.app, subscription.channel, text);
      const isFirst = !messageId || markSeen(subscription.seen, messageId);
      if (publication.type === "event" && publication.position) {
        subscription.isPositioned = true;
        // Sent again it may have another position, which counts; that it was received before is seen by its id.
        return this.#options.receive(messageId ? { ...publication, messageId } : publication);
      }
      if (isFirst) this.#options.receive(publication);
    } catch (error) {
      this.#options.malformed(error);
    }
  }

  // ---- signs of life

  /** Until Redis has taken one; the others follow at intervals. */
  async #sendFirstHeartbeat(client: SubscriptionClient): Promise<void> {
    while (this.#latest === client && !(await this.#sendHeartbeat())) await Bun.sleep(HEARTBEAT_AGAIN_MS);
  }

  #checkHeartbeat(): void {
    if (!this.#latest) return;
    if (this.#heartbeat.isLost()) this.#connection.drop(this.#latest, HEARTBEAT_LOST);
    else void this.#sendHeartbeat();
  }

  /** Answers whether Redis took it. */
  async #sendHeartbeat(): Promise<boolean> {
    const number = ++this.#lastHeartbeat;
    const { promise } = this.#firstHeartbeat;
    try {
      await this.#options.heartbeat.send(String(number));
    } catch {
      return false;
    }
    // Else another connection is made meanwhile.
    if (this.#firstHeartbeat.promise === promise) this.#heartbeat.sent(number);
    return true;
  }

  #ping(): void {
    const client = this.#connection.current;
    if (!client) return;
    const { clock, settings } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#pingedAtMs !== undefined) {
      if (nowMs - this.#pingedAtMs < settings.commandTimeoutMs) return;
      return this.#connection.drop(client, `no sign of life within ${settings.commandTimeoutMs} ms`);
    }
    this.#pingedAtMs = nowMs;
    client.ping().then(
      () => {
        this.#pingedAtMs = undefined;
      },
      (error) => this.#drop(client, error),
    );
  }
}

/** A promise whose rejection need not be handled. */
function handledPromise(): PromiseWithResolvers<void> {
  const settled = Promise.withResolvers<void>();
  settled.promise.catch(() => {});
  return settled;
}
