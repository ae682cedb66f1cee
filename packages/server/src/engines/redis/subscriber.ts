/**
 * The subscriptions of one bucket. When the connection was lost, they are made again before anything else is received, and
 * the node is told that it may have missed something; a connection that only looks alive is found by asking, and one that
 * answers and delivers nothing by the node's own heartbeat.
 */

import type { Publication } from "../../domain/message.ts";
import { markSeen, type SeenNumbers } from "../../domain/message-id.ts";
import type { Clock, EngineHealth } from "../../domain/ports.ts";
import { NotSentError } from "../shared/errors.ts";
import { HEARTBEAT_INTERVAL_MS, HEARTBEAT_LOST, Heartbeat } from "../shared/heartbeat.ts";
import { ReconnectingConnection } from "../shared/reconnecting-connection.ts";
import { decode } from "./codec.ts";
import type { Connector, SubscriptionClient } from "./connector.ts";
import { refusalOf } from "./errors.ts";
import type { RedisSettings } from "./settings.ts";

export interface SubscriberEvents {
  receive(publication: Publication): void;
  /** Publications may have been missed. */
  interrupted(): void;
  up(): void;
  /** Something that is no publication arrived. */
  malformed(error: unknown): void;
}

/** Where the node's heartbeat goes, and how: over the connection for commands. Rejects where Redis did not take it. */
export interface HeartbeatSender {
  readonly subject: string;
  send(text: string): Promise<unknown>;
}

export interface SubscriberOptions {
  readonly dialer: Connector;
  readonly settings: RedisSettings;
  readonly clock: Clock;
  readonly heartbeat: HeartbeatSender;
  /** The subject that is subscribed to when all others are. */
  readonly readySubject: string;
}

interface Subscription {
  readonly app: string;
  readonly channel: string;
  readonly heard: Map<string, SeenNumbers>;
  /** Somebody here may know a position in it. */
  isPositioned: boolean;
}

const PING_EVERY_MS = 1_000;
/** The pause before a heartbeat is sent again that Redis did not take, while the connection waits for it. */
const AGAIN_MS = 50;
/** What arrives while subscriptions are made again; more than that is lost, and that something was is told anyway. */
const MOST_HELD = 10_000;

export class Subscriber {
  readonly #clock: Clock;
  readonly #settings: RedisSettings;
  readonly #last: string;
  readonly #events: SubscriberEvents;
  readonly #link: ReconnectingConnection<SubscriptionClient>;
  readonly #wanted = new Map<string, Subscription>();
  /** Of the present connection: what it was asked for, and when that is confirmed. */
  readonly #asked = new Map<string, Promise<void>>();
  readonly #changed = new Set<string>();
  #scheduled = false;
  #held: [string, string][] | undefined;
  #pingedAtMs: number | undefined;
  #pinging: ReturnType<typeof setInterval> | undefined;
  #beating: ReturnType<typeof setInterval> | undefined;
  readonly #beat: HeartbeatSender;
  readonly #heartbeat = new Heartbeat();
  #beats = 0;
  /** The latest connection, for use by others or not yet. */
  #wire: SubscriptionClient | undefined;
  /** Settled when a heartbeat came over it, or it ended. */
  #firstHeard = unhandledPromise();
  readonly #connected = unhandledPromise();

  constructor(
    bucket: number,
    { dialer, settings, clock, heartbeat: beat, readySubject: last }: SubscriberOptions,
    events: SubscriberEvents,
  ) {
    this.#last = last;
    this.#clock = clock;
    this.#settings = settings;
    this.#beat = beat;
    this.#events = events;
    this.#link = new ReconnectingConnection<SubscriptionClient>({
      clock,
      backoff: { minMs: settings.reconnectMinMs, maxMs: settings.reconnectMaxMs },
      open: (ended) => {
        this.#asked.clear();
        this.#held = [];
        this.#wire = undefined;
        this.#heartbeat.reset();
        const firstHeard = unhandledPromise();
        this.#firstHeard = firstHeard;
        return dialer.openSubscriptions(bucket, {
          ended: (why) => {
            this.#wire = undefined;
            firstHeard.reject(new Error(why));
            ended(why);
          },
          message: (subject, text) => this.#message(subject, text),
        });
      },
      prepare: (wire, isAgain) => this.#greet(wire, isAgain),
    });
  }

  async start(): Promise<void> {
    this.#pinging = setInterval(() => this.#ping(), PING_EVERY_MS / 2);
    this.#pinging.unref?.();
    this.#beating = setInterval(() => this.#lookAndBeat(), HEARTBEAT_INTERVAL_MS);
    this.#beating.unref?.();
    await this.#link.start();
  }

  get health(): EngineHealth {
    const { health } = this.#link;
    const refusal = health.reachable ? undefined : refusalOf(health.why);
    return refusal && !health.reachable ? { ...health, refusal: refusal.word } : health;
  }

  /** The server that it listens to, where there is one. */
  get address(): string | undefined {
    return this.#link.current?.address;
  }

  get isUp(): boolean {
    return this.#link.current !== undefined;
  }

  /** Resolves when there is a connection for the first time, though it may not be for use yet. */
  get connected(): Promise<void> {
    return this.#connected.promise;
  }

  /** There is a connection, though it may not be for use yet. */
  get isConnected(): boolean {
    return this.#wire !== undefined;
  }

  /** All that are subscribed to. */
  get channels(): readonly { readonly app: string; readonly channel: string }[] {
    return [...this.#wanted.values()].map(({ app, channel }) => ({ app, channel }));
  }

  /** Resolves when Redis has confirmed it; rejects with Unsent when it has not in time. It stays wanted all the same. */
  async subscribe(subject: string, app: string, channel: string): Promise<void> {
    if (!this.#wanted.has(subject)) this.#wanted.set(subject, { app, channel, heard: new Map(), isPositioned: false });
    this.#change(subject);
    const untilMs = this.#clock.monotonicMs() + this.#settings.commandTimeoutMs;
    while (this.#wanted.has(subject)) {
      const leftMs = untilMs - this.#clock.monotonicMs();
      if (leftMs <= 0) throw new NotSentError("not confirmed in time");
      await this.#link.waitUntilUp(leftMs);
      // What changed in this tick goes in one command.
      await Promise.resolve();
      this.#flush();
      if (await this.#confirmed(subject, untilMs)) return;
    }
  }

  unsubscribe(subject: string): void {
    if (this.#wanted.delete(subject)) this.#change(subject);
  }

  /** From now on somebody may know a position in it. Whether it is subscribed to. */
  markPositioned(subject: string): boolean {
    const entry = this.#wanted.get(subject);
    if (entry) entry.isPositioned = true;
    return entry !== undefined;
  }

  /** Channels in which somebody may know a position. */
  get positionedChannels(): readonly { readonly app: string; readonly channel: string }[] {
    return [...this.#wanted.values()].filter(({ isPositioned: isNumbered }) => isNumbered);
  }

  /** The connection is made anew. */
  drop(why: string): void {
    this.#link.dropCurrent(why);
  }

  close(): void {
    clearInterval(this.#pinging);
    clearInterval(this.#beating);
    this.#wanted.clear();
    this.#wire = undefined;
    this.#firstHeard.reject(new Error("closed"));
    this.#link.close();
  }

  async #confirmed(subject: string, untilMs: number): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(resolve, Math.max(0, untilMs - this.#clock.monotonicMs()), false);
    const asked = this.#asked.get(subject)?.then(
      () => true,
      () => false,
    );
    const isConfirmed = await Promise.race([asked ?? false, late]);
    clearTimeout(timer);
    return isConfirmed;
  }

  #change(subject: string): void {
    this.#changed.add(subject);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const wire = this.#link.current;
    if (!wire || this.#changed.size === 0) return;
    const changed = [...this.#changed];
    this.#changed.clear();
    const gone = changed.filter((subject) => !this.#wanted.has(subject) && this.#asked.delete(subject));
    const come = changed.filter((subject) => this.#wanted.has(subject) && !this.#asked.has(subject));
    if (gone.length > 0) this.#ask(wire, [], wire.unsubscribe(gone));
    if (come.length > 0) this.#ask(wire, come, wire.subscribe(come));
  }

  #ask(wire: SubscriptionClient, subjects: readonly string[], asked: Promise<void>): void {
    for (const subject of subjects) this.#asked.set(subject, asked);
    asked.catch((error) => this.#link.drop(wire, error instanceof Error ? error.message : String(error)));
  }

  async #greet(wire: SubscriptionClient, isAgain: boolean): Promise<void> {
    this.#changed.clear();
    const subjects = [...this.#wanted.keys()];
    const asked = wire.subscribe([this.#beat.subject, ...subjects]);
    for (const subject of subjects) this.#asked.set(subject, asked);
    this.#wire = wire;
    this.#connected.resolve();
    void this.#beatSoon(wire);
    // Nothing but the heartbeat shows that publications would come.
    await Promise.all([asked, this.#firstHeard.promise]);
    await wire.subscribe([this.#last]);
    if (isAgain) this.#events.interrupted();
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const [subject, text] of held) this.#message(subject, text);
    this.#pingedAtMs = undefined;
    // As soon as the link has it for use.
    setTimeout(() => {
      this.#flush();
      this.#events.up();
    }, 0);
  }

  /** Until Redis has taken one; the others follow at intervals. */
  async #beatSoon(wire: SubscriptionClient): Promise<void> {
    while (this.#wire === wire && !(await this.#sendBeat())) await Bun.sleep(AGAIN_MS);
  }

  #lookAndBeat(): void {
    if (!this.#wire) return;
    if (this.#heartbeat.isLost()) this.#link.drop(this.#wire, HEARTBEAT_LOST);
    else void this.#sendBeat();
  }

  /** Whether Redis took it. */
  async #sendBeat(): Promise<boolean> {
    const number = ++this.#beats;
    const { promise } = this.#firstHeard;
    try {
      await this.#beat.send(String(number));
    } catch {
      return false;
    }
    // Else another connection is made meanwhile.
    if (this.#firstHeard.promise === promise) this.#heartbeat.sent(number);
    return true;
  }

  #message(subject: string, text: string): void {
    if (subject === this.#beat.subject) {
      this.#heartbeat.received(Number(text));
      this.#firstHeard.resolve();
      return;
    }
    if (this.#held) {
      if (this.#held.length < MOST_HELD) this.#held.push([subject, text]);
      return;
    }
    const entry = this.#wanted.get(subject);
    if (!entry) return;
    try {
      const { publication, messageId } = decode(entry.app, entry.channel, text);
      const isFirst = !messageId || markSeen(entry.heard, messageId);
      if (publication.type === "event" && publication.position) {
        entry.isPositioned = true;
        // Sent again it may have another place, which counts; that it was sent before is seen by its id.
        return this.#events.receive(messageId ? { ...publication, messageId } : publication);
      }
      if (isFirst) this.#events.receive(publication);
    } catch (error) {
      this.#events.malformed(error);
    }
  }

  #ping(): void {
    const wire = this.#link.current;
    if (!wire) return;
    const nowMs = this.#clock.monotonicMs();
    if (this.#pingedAtMs !== undefined) {
      if (nowMs - this.#pingedAtMs < this.#settings.commandTimeoutMs) return;
      return this.#link.drop(wire, `no sign of life within ${this.#settings.commandTimeoutMs} ms`);
    }
    this.#pingedAtMs = nowMs;
    wire.ping().then(
      () => {
        this.#pingedAtMs = undefined;
      },
      (error) => this.#link.drop(wire, error instanceof Error ? error.message : String(error)),
    );
  }
}

function unhandledPromise(): PromiseWithResolvers<void> {
  const settled = Promise.withResolvers<void>();
  settled.promise.catch(() => {});
  return settled;
}
