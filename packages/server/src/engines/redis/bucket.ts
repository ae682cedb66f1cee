/** One bucket: the way to it, what is heard of it, and what is to be published in it. */

import type { Publication } from "../../domain/message.ts";
import type { Clock, EngineHealth } from "../../domain/ports.ts";
import type { Dialer } from "./client.ts";
import { Ear } from "./ear.ts";
import { HEAD_TTL_MS, LISTENING, TOUCH } from "./history-scripts.ts";
import { type Keys, placeOf } from "./keys.ts";
import { Line, type Send } from "./line.ts";
import { type Load, Outbox } from "./outbox.ts";
import type { RedisSettings } from "./settings.ts";

export interface BucketEvents {
  receive(publication: Publication): void;
  interrupted(): void;
  garbage(error: unknown): void;
  /** The way to the bucket is there, again or for the first time; nothing else goes there until this has resolved. */
  reached(bucket: number, send: Send): Promise<void>;
}

export interface Parts {
  readonly dialer: Dialer;
  readonly keys: Keys;
  readonly settings: RedisSettings;
  readonly clock: Clock;
  readonly load: Load;
}

const EXPIRE_EVERY_MS = 50;
const TOUCH_EVERY_MS = HEAD_TTL_MS / 4;
const TOUCH_AT_ONCE = 500;
const WHEREABOUTS_EVERY_MS = 1_000;
/** Longer than any pause between attempts: by then the other nodes have subscribed again, too. */
const SETTLE = 1.2;

export class Bucket {
  readonly index: number;
  readonly line: Line;
  readonly ear: Ear;
  readonly outbox: Outbox;
  readonly #parts: Parts;
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

  constructor(index: number, parts: Parts, events: BucketEvents) {
    const { dialer, keys, settings, clock, load } = parts;
    this.index = index;
    this.#parts = parts;
    this.line = new Line(index, keys.root(index), dialer, settings, clock, {
      up: async (send, isAgain) => {
        await events.reached(index, send);
        if (isAgain) {
          this.#opensAtMs = clock.monotonicMs() + settings.reconnectMaxMs * SETTLE;
          this.#waitsUntilMs = clock.monotonicMs() + settings.nodeTimeoutMs;
        }
        this.#open();
      },
      down: () => {},
      why: () => this.#why(),
    });
    const subject = keys.beat(index);
    const publish = dialer.sharded ? "SPUBLISH" : "PUBLISH";
    const beat = { subject, send: (text: string) => this.line.beat(publish, [subject, text]) };
    this.ear = new Ear(index, { ...parts, beat, last: keys.listeners(index) }, { ...events, up: () => this.#open() });
    this.outbox = new Outbox({
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
      this.outbox.expire();
      void this.#awaitListeners();
      this.outbox.pump();
    }, EXPIRE_EVERY_MS);
    this.#expiring.unref?.();
    this.#touching = setInterval(() => void this.#touch(), TOUCH_EVERY_MS);
    this.#touching.unref?.();
    if (this.#parts.dialer.whereabouts) {
      this.#watching = setInterval(() => void this.#look(), WHEREABOUTS_EVERY_MS);
      this.#watching.unref?.();
    }
    const heard = this.ear.start();
    await this.line.start();
    // Without a way for commands, it waits for that.
    await (this.line.isUp ? heard : Promise.race([heard, this.ear.connected]));
  }

  get health(): EngineHealth {
    const [heard, reached] = [this.ear.health, this.line.health];
    if (heard.reachable || (!reached.reachable && reached.refusal !== undefined)) return reached;
    // Connected, it may only wait for the way for commands.
    return this.ear.isConnected && !reached.reachable ? reached : heard;
  }

  #why(): string | undefined {
    const { health } = this;
    return health.reachable ? undefined : health.why;
  }

  /** Whether something is on its way that may still come to an end. */
  get isBusy(): boolean {
    return this.line.isUp && (this.line.isAwaited || !this.outbox.isEmpty);
  }

  /** Nothing is published or received any more; commands still go. */
  hush(): void {
    this.outbox.close();
    this.ear.close();
  }

  close(): void {
    clearInterval(this.#expiring);
    clearInterval(this.#touching);
    clearInterval(this.#watching);
    clearTimeout(this.#opening);
    this.hush();
    this.line.close();
  }

  get #isReachable(): boolean {
    return this.line.isUp && this.ear.isUp && this.#parts.clock.monotonicMs() >= this.#opensAtMs;
  }

  #open(): void {
    clearTimeout(this.#opening);
    const waitMs = Math.max(0, this.#opensAtMs - this.#parts.clock.monotonicMs());
    this.#opening = setTimeout(() => {
      void this.#awaitListeners();
      this.outbox.pump();
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
      const areMissing = await this.line.eval(LISTENING, [ask, keys.listeners(this.index)]);
      const isOver = areMissing === 0 || this.#parts.clock.monotonicMs() >= untilMs;
      if (isOver && this.#waitsUntilMs === untilMs) this.#waitsUntilMs = undefined;
    } catch {
      // It is asked again.
    } finally {
      this.#isAsking = false;
    }
    this.outbox.pump();
  }

  /** Numberings that somebody here may know a position in are not to be forgotten. */
  async #touch(): Promise<void> {
    const places = this.ear.numbered.map(({ app, channel }) => placeOf(app, channel));
    try {
      for (let from = 0; from < places.length; from += TOUCH_AT_ONCE) {
        await this.line.eval(TOUCH, places.slice(from, from + TOUCH_AT_ONCE));
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
    const at = await this.#parts.dialer.whereabouts?.(this.index);
    if (at === undefined) return;
    for (const part of [this.line, this.ear]) {
      const isSure = part === this.line || this.#seenAt === at;
      if (isSure && part.at !== undefined && part.at !== at) part.drop(`it is at ${at} now`);
    }
    this.#seenAt = at;
  }
}
