/** What a node has asked and waits for: each answered by its number, or given up when it takes too long. */

import { CommandError } from "../../domain/error.ts";
import type { Clock } from "../../domain/ports.ts";
import { Outbox } from "./outbox.ts";
import { type Ask, type Asked, away, type FromNode, type Send, type Told, type ToNode } from "./wire.ts";

const LOOK_EVERY_MS = 250;
/** More asks than this may not wait, however small. */
const MOST_WAITING = 100_000;
/** Parcels that are worked off before that is said with nothing else to say. */
const ACKNOWLEDGE_EVERY = 32;

/** How long an answer may take, and how many bytes of publications may wait for one. */
export interface Patience {
  readonly waitMs: number;
  readonly waitBytes: number;
}

interface Waiting {
  readonly until: number;
  readonly bytes: number;
  /** Whoever asked has to be done with the answer before anything else is told. */
  readonly isTurn: boolean;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** What is no answer. */
export type Heard = Exclude<Told, readonly ["answer" | "refusal", ...unknown[]]>;

export class Calls {
  readonly #clock: Clock;
  readonly #patience: Patience;
  readonly #send: Send<FromNode>;
  readonly #hear: (word: Heard) => void;
  /** In the order in which they were asked. */
  readonly #waiting = new Map<number, Waiting>();
  readonly #outbox: Outbox<Asked>;
  readonly #looking: ReturnType<typeof setInterval>;
  /** What came and is not worked off, while somebody has a turn. */
  #inbox: Told[] | undefined;
  #lastId = 0;
  #bytes = 0;
  #got = 0;
  #acknowledged = 0;
  #heardAtMs: number;
  /** From this process's clock to the other's, at least. */
  #offsetMs: number | undefined;
  #isClosed = false;

  constructor(clock: Clock, patience: Patience, send: Send<FromNode>, hear: (word: Heard) => void) {
    this.#clock = clock;
    this.#patience = patience;
    this.#send = send;
    this.#hear = hear;
    this.#heardAtMs = clock.monotonicMs();
    this.#outbox = new Outbox((asked) => this.#post(asked));
    this.#looking = setInterval(() => this.#giveUp(), LOOK_EVERY_MS);
  }

  /** Rejects with CommandError: the engine's own, or `engine_unavailable` when no answer comes in time. */
  ask<Answer>(ask: Ask, isTurn = false): Promise<Answer> {
    const bytes = weightOf(ask);
    if (this.#isClosed || this.#waiting.size >= MOST_WAITING || this.#bytes + bytes > this.#patience.waitBytes) {
      return Promise.reject(away());
    }
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const id = ++this.#lastId;
    const until = this.#clock.monotonicMs() + this.#patience.waitMs;
    // Both sides are of one version: what answers an ask is what the ask is answered with.
    this.#waiting.set(id, { until, bytes, isTurn, resolve: (value) => resolve(value as Answer), reject });
    this.#bytes += bytes;
    this.#outbox.put([id, ask]);
    return promise;
  }

  /** Wants no answer. */
  say(ask: Ask): void {
    if (!this.#isClosed) this.#outbox.put([0, ask]);
  }

  receive({ number, atMs, told }: ToNode): void {
    const nowMs = this.#clock.monotonicMs();
    this.#heardAtMs = nowMs;
    // What took long to come says too little; the quickest is nearest to the truth.
    this.#offsetMs = Math.max(this.#offsetMs ?? Number.NEGATIVE_INFINITY, atMs - nowMs);
    this.#got = number;
    if (this.#inbox) this.#inbox.push(...told);
    else this.#work(told);
    if (number - this.#acknowledged >= ACKNOWLEDGE_EVERY) this.#outbox.due();
  }

  /** Time since the other side was heard, in milliseconds. */
  get silentMs(): number {
    return this.#clock.monotonicMs() - this.#heardAtMs;
  }

  /** Resolves when nothing waits for an answer, or after the time. */
  async settled(withinMs: number): Promise<void> {
    const deadline = this.#clock.monotonicMs() + withinMs;
    do await Bun.sleep(1);
    while (this.#waiting.size > 0 && this.#clock.monotonicMs() < deadline);
  }

  /** Those that wait are refused, and nothing is heard any more. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#looking);
    for (const { reject } of this.#waiting.values()) reject(away());
    this.#waiting.clear();
  }

  // ---- private

  #post(asked: readonly Asked[]): void {
    this.#acknowledged = this.#got;
    const { waitMs } = this.#patience;
    const untilMs = this.#offsetMs === undefined ? null : this.#clock.monotonicMs() + this.#offsetMs + waitMs;
    this.#send({ got: this.#got, untilMs, asked });
  }

  #work(told: readonly Told[]): void {
    for (const [at, word] of told.entries()) {
      if (this.#isClosed) return;
      if (this.#isTurnAfter(word)) return this.#pause(told.slice(at + 1));
    }
  }

  /** Works one word off; says whether whoever it was for comes first now. */
  #isTurnAfter(word: Told): boolean {
    switch (word[0]) {
      case "answer": {
        const waiting = this.#take(word[1]);
        waiting?.resolve(word[2]);
        return waiting?.isTurn === true;
      }
      case "refusal":
        this.#take(word[1])?.reject(new CommandError(word[2], word[3]));
        return false;
      case "publication":
      case "facts":
        this.#hear(word);
        return false;
    }
  }

  /** Goes on when all that the answer set going has come to rest. */
  #pause(rest: readonly Told[]): void {
    this.#inbox = [...rest];
    setImmediate(() => {
      const told = this.#inbox ?? [];
      this.#inbox = undefined;
      this.#work(told);
    });
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (!waiting) return undefined;
    this.#waiting.delete(id);
    this.#bytes -= waiting.bytes;
    return waiting;
  }

  #giveUp(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, { until }] of this.#waiting) {
      if (until > nowMs) return;
      this.#take(id)?.reject(away());
    }
  }
}

function weightOf(ask: Ask): number {
  return ask[0] === "publish" && ask[1].type === "event" ? ask[1].data.length : 0;
}
