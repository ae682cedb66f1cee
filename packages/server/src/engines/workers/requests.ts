/** What a node has asked and waits for: each answered by its number, or given up when it takes too long. */

import { CommandError } from "../../domain/error.ts";
import type { Clock } from "../../domain/ports.ts";
import {
  BACKPRESSURE_BYTES,
  bytesOf,
  type HubBatch,
  hubUnavailable,
  type Message,
  type NumberedRequest,
  type Request,
  type Send,
  type WorkerBatch,
} from "./messages.ts";
import { TickBatch } from "./tick-batch.ts";

const LOOK_EVERY_MS = 250;
/** More asks than this may not wait, however small. */
const MOST_WAITING = 100_000;
/** Parcels, or bytes, that are worked off before that is said with nothing else to say. */
const ACKNOWLEDGE_EVERY = 32;
const ACKNOWLEDGE_EVERY_BYTES = BACKPRESSURE_BYTES / 4;
/**
 * How long it works off without a look at anything else, in milliseconds. Seconds of work may come at once: sockets have to
 * be written to meanwhile, or their readers are cut, and the first process has to hear that this one lives, or it is ended.
 */
const TURN_MS = 20;

/** How long an answer may take, and how many bytes of publications may wait for one. */
export interface RequestLimits {
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

/** A parcel, and how far it is worked off. */
interface InboundBatch {
  readonly number: number;
  readonly told: readonly Message[];
  next: number;
}

/** What is no answer. */
export type IncomingMessage = Exclude<Message, readonly ["answer" | "refusal", ...unknown[]]>;

export class Requests {
  readonly #clock: Clock;
  readonly #patience: RequestLimits;
  readonly #send: Send<WorkerBatch>;
  readonly #hear: (word: IncomingMessage) => void;
  /** In the order in which they were asked. */
  readonly #waiting = new Map<number, Waiting>();
  readonly #outbox: TickBatch<NumberedRequest>;
  readonly #looking: ReturnType<typeof setInterval>;
  /** What came and is not worked off. */
  readonly #inbox: InboundBatch[] = [];
  /** While somebody else has a turn. */
  #isPaused = false;
  #lastId = 0;
  #bytes = 0;
  #got = 0;
  #acknowledged = 0;
  #bytesSince = 0;
  #heardAtMs: number;
  /** From this process's clock to the other's, at least. */
  #offsetMs: number | undefined;
  #isClosed = false;

  constructor(clock: Clock, patience: RequestLimits, send: Send<WorkerBatch>, hear: (word: IncomingMessage) => void) {
    this.#clock = clock;
    this.#patience = patience;
    this.#send = send;
    this.#hear = hear;
    this.#heardAtMs = clock.monotonicMs();
    this.#outbox = new TickBatch((asked) => this.#post(asked));
    this.#looking = setInterval(() => this.#giveUp(), LOOK_EVERY_MS);
  }

  /** Rejects with CommandError: the engine's own, or `engine_unavailable` when no answer comes in time. */
  request<Answer>(ask: Request, isTurn = false): Promise<Answer> {
    const bytes = weightOf(ask);
    if (this.#isClosed || this.#waiting.size >= MOST_WAITING || this.#bytes + bytes > this.#patience.waitBytes) {
      return Promise.reject(hubUnavailable());
    }
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const id = ++this.#lastId;
    const until = this.#clock.monotonicMs() + this.#patience.waitMs;
    // Both sides are of one version: what answers an ask is what the ask is answered with.
    this.#waiting.set(id, { until, bytes, isTurn, resolve: (value) => resolve(value as Answer), reject });
    this.#bytes += bytes;
    this.#outbox.add([id, ask]);
    return promise;
  }

  /** Wants no answer. */
  notify(ask: Request): void {
    if (!this.#isClosed) this.#outbox.add([0, ask]);
  }

  receive({ number, atMs, messages: told }: HubBatch): void {
    const nowMs = this.#clock.monotonicMs();
    this.#heardAtMs = nowMs;
    // What took long to come says too little; the quickest is nearest to the truth.
    this.#offsetMs = Math.max(this.#offsetMs ?? Number.NEGATIVE_INFINITY, atMs - nowMs);
    this.#inbox.push({ number, told, next: 0 });
    if (!this.#isPaused) this.#work();
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
    for (const { reject } of this.#waiting.values()) reject(hubUnavailable());
    this.#waiting.clear();
  }

  // ---- private

  #post(asked: readonly NumberedRequest[]): void {
    this.#acknowledged = this.#got;
    this.#bytesSince = 0;
    const { waitMs } = this.#patience;
    const untilMs = this.#offsetMs === undefined ? null : this.#clock.monotonicMs() + this.#offsetMs + waitMs;
    this.#send({ acknowledged: this.#got, untilMs, requests: asked });
  }

  #work(): void {
    const untilMs = this.#clock.monotonicMs() + TURN_MS;
    for (let parcel = this.#inbox[0]; parcel; parcel = this.#inbox[0]) {
      for (let word = parcel.told[parcel.next]; word; word = parcel.told[parcel.next]) {
        if (this.#isClosed) return;
        parcel.next++;
        this.#bytesSince += bytesOf(word);
        if (this.#isTurnAfter(word) || this.#clock.monotonicMs() >= untilMs) return this.#pause();
      }
      this.#inbox.shift();
      this.#workedOff(parcel);
    }
  }

  #workedOff({ number }: InboundBatch): void {
    this.#got = number;
    const isMuch = this.#bytesSince >= ACKNOWLEDGE_EVERY_BYTES;
    if (isMuch || number - this.#acknowledged >= ACKNOWLEDGE_EVERY) this.#outbox.schedule();
  }

  /** Works one word off; says whether whoever it was for comes first now. */
  #isTurnAfter(word: Message): boolean {
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

  /** Goes on when all that was set going has come to rest, and sockets have had their turn. */
  #pause(): void {
    this.#isPaused = true;
    setImmediate(() => {
      this.#isPaused = false;
      this.#work();
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
      this.#take(id)?.reject(hubUnavailable());
    }
  }
}

function weightOf(ask: Request): number {
  const isPublication = ask[0] === "publish" || ask[0] === "publishOnce";
  return isPublication && ask[1].type === "event" ? ask[1].data.length : 0;
}
