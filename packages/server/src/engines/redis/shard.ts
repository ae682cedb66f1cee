/** One bucket: the way to it, what is heard of it, and what is to be published in it. */

import type { Publication } from "../../domain/message.ts";
import type { Clock, EngineHealth } from "../../domain/ports.ts";
import { CommandConnection, type RunScript } from "./command-connection.ts";
import type { Connector } from "./connector.ts";
import { COUNT_NOT_LISTENING, HEAD_TTL_MS, TOUCH_HEADS } from "./history-scripts.ts";
import { channelKey, type Keys } from "./keys.ts";
import { PublishQueue, type QueuedBytes } from "./publish-queue.ts";
import type { RedisSettings } from "./settings.ts";
import { Subscriber } from "./subscriber.ts";

export interface ShardEvents {
  receive(publication: Publication): void;
  interrupted(): void;
  malformed(error: unknown): void;
  /** The way to the bucket is there, again or for the first time; nothing else goes there until this has resolved. */
  connected(bucket: number, send: RunScript): Promise<void>;
}

export interface ShardOptions {
  readonly dialer: Connector;
  readonly keys: Keys;
  readonly settings: RedisSettings;
  readonly clock: Clock;
  readonly load: QueuedBytes;
}

const EXPIRE_EVERY_MS = 50;
const TOUCH_EVERY_MS = HEAD_TTL_MS / 4;
const TOUCH_AT_ONCE = 500;
const WHEREABOUTS_EVERY_MS = 1_000;
/** Longer than any pause between attempts: by then the other nodes have subscribed again, too. */
const SETTLE = 1.2;

export class Shard {
  readonly index: number;
  readonly commands: CommandConnection;
  readonly subscriber: Subscriber;
  readonly queue: PublishQueue;
  readonly #parts: ShardOptions;
  #opensAtMs = 0;
  /** Until when the other nodes are waited for; undefined where all of them listen. */
  #waitsUntilMs: number | undefined;
  #isAsking = false;
  /** Where the last look found the bucket. */
  #seenAt: string | undefined;
  #opening: ReturnType<typeof setTimeout> | undefined;
  #expiring: ReturnType<typeof setInterval> | undefined;
  #touching: ReturnType<typeof setInterval> | undefined;
  #watching: ReturnType<typeof setInterval> | undefined;

  constructor(index: number, parts: ShardOptions, events: ShardEvents) {
    const { dialer, keys, settings, clock, load } = parts;
    this.index = index;
    this.#parts = parts;
    this.commands = new CommandConnection(index, keys.root(index), dialer, settings, clock, {
      up: async (send, isAgain) => {
        await events.connected(index, send);
        if (isAgain) {
          this.#opensAtMs = clock.monotonicMs() + settings.reconnectMaxMs * SETTLE;
          this.#waitsUntilMs = clock.monotonicMs() + settings.nodeTimeoutMs;
        }
        this.#open();
      },
      why: () => this.#why(),
    });
    const subject = keys.heartbeatSubject(index);
    const publish = dialer.sharded ? "SPUBLISH" : "PUBLISH";
    const beat = { subject, send: (text: string) => this.commands.sendHeartbeat(publish, [subject, text]) };
    this.subscriber = new Subscriber(
      index,
      { ...parts, heartbeat: beat, readySubject: keys.readySubject(index) },
      { ...events, up: () => this.#open() },
    );
    this.queue = new PublishQueue({
      clock,
      load,
      waitMs: settings.publishWaitMs,
      mostBytes: settings.publishWaitBytes,
      why: () => this.#why(),
      isOpen: () => this.#isReachable && this.#waitsUntilMs === undefined,
    });
  }

  async start(): Promise<void> {
    this.#expiring = setInterval(() => {
      this.queue.expire();
      void this.#awaitListeners();
      this.queue.pump();
    }, EXPIRE_EVERY_MS);
    this.#expiring.unref?.();
    this.#touching = setInterval(() => void this.#touch(), TOUCH_EVERY_MS);
    this.#touching.unref?.();
    if (this.#parts.dialer.resolveAddress) {
      this.#watching = setInterval(() => void this.#look(), WHEREABOUTS_EVERY_MS);
      this.#watching.unref?.();
    }
    const heard = this.subscriber.start();
    await this.commands.start();
    // Without a way for commands, it waits for that.
    await (this.commands.isUp ? heard : Promise.race([heard, this.subscriber.connected]));
  }

  get health(): EngineHealth {
    const [heard, reached] = [this.subscriber.health, this.commands.health];
    if (heard.reachable || (!reached.reachable && reached.refusal !== undefined)) return reached;
    // Connected, it may only wait for the way for commands.
    return this.subscriber.isConnected && !reached.reachable ? reached : heard;
  }

  #why(): string | undefined {
    const { health } = this;
    return health.reachable ? undefined : health.why;
  }

  /** Whether something is on its way that may still come to an end. */
  get isBusy(): boolean {
    return this.commands.isUp && (this.commands.isBusy || !this.queue.isEmpty);
  }

  /** Nothing is published or received any more; commands still go. */
  stopPublishing(): void {
    this.queue.close();
    this.subscriber.close();
  }

  close(): void {
    clearInterval(this.#expiring);
    clearInterval(this.#touching);
    clearInterval(this.#watching);
    clearTimeout(this.#opening);
    this.stopPublishing();
    this.commands.close();
  }

  get #isReachable(): boolean {
    return this.commands.isUp && this.subscriber.isUp && this.#parts.clock.monotonicMs() >= this.#opensAtMs;
  }

  #open(): void {
    clearTimeout(this.#opening);
    const waitMs = Math.max(0, this.#opensAtMs - this.#parts.clock.monotonicMs());
    this.#opening = setTimeout(() => {
      void this.#awaitListeners();
      this.queue.pump();
    }, waitMs + 1);
  }

  /**
   * After the way was lost, nothing is published before every node that lives listens where this one publishes: the
   * bucket may be somewhere else now. One that is silent for as long counts as dead.
   */
  async #awaitListeners(): Promise<void> {
    const untilMs = this.#waitsUntilMs;
    if (untilMs === undefined || this.#isAsking || !this.#isReachable) return;
    this.#isAsking = true;
    try {
      const { keys, dialer } = this.#parts;
      const ask = dialer.sharded ? "SHARDNUMSUB" : "NUMSUB";
      const areMissing = await this.commands.eval(COUNT_NOT_LISTENING, [ask, keys.readySubject(this.index)]);
      const isOver = areMissing === 0 || this.#parts.clock.monotonicMs() >= untilMs;
      if (isOver && this.#waitsUntilMs === untilMs) this.#waitsUntilMs = undefined;
    } catch {
      // It is asked again.
    } finally {
      this.#isAsking = false;
    }
    this.queue.pump();
  }

  /** Numberings that somebody here may know a position in are not to be forgotten. */
  async #touch(): Promise<void> {
    const places = this.subscriber.positionedChannels.map(({ app, channel }) => channelKey(app, channel));
    try {
      for (let from = 0; from < places.length; from += TOUCH_AT_ONCE) {
        await this.commands.eval(TOUCH_HEADS, places.slice(from, from + TOUCH_AT_ONCE));
      }
    } catch {
      // There are several more occasions before one is forgotten.
    }
  }

  /**
   * A server that is no longer in charge may not say so. What is published may still go there until the server itself has heard
   * of it, so whoever listens leaves it at the second look.
   */
  async #look(): Promise<void> {
    const at = await this.#parts.dialer.resolveAddress?.(this.index);
    if (at === undefined) return;
    for (const part of [this.commands, this.subscriber]) {
      const isSure = part === this.commands || this.#seenAt === at;
      if (isSure && part.address !== undefined && part.address !== at) part.drop(`it is at ${at} now`);
    }
    this.#seenAt = at;
  }
}
