/**
 * What one bucket has to publish, in order. One batch at a time is on its way, so that when Redis goes away no more than that
 * batch is in doubt; what waits longer than it may is withdrawn, and its publisher told.
 */

import type { Position } from "../../domain/message.ts";
import type { Clock } from "../../domain/ports.ts";
import { NoAnswerError, NotSentError } from "../shared/errors.ts";
import { isUnavailable, ReplyError, unavailable } from "./errors.ts";

export interface PendingPublish {
  readonly subject: string;
  readonly bytes: number;
  /** May be called again after no answer came: the receiving side knows it by its number. */
  send(): Promise<Position | undefined>;
  /**
   * It was withdrawn, and Redis may have carried it out when nobody was connected to hear. Then it is said again, to whoever
   * has not heard it; else nothing is done.
   */
  resend?(): Promise<unknown>;
}

/** What all outboxes of a node share. */
export interface QueuedBytes {
  bytes: number;
}

interface Waiting {
  readonly letter: PendingPublish;
  readonly untilMs: number;
  readonly resolve: (position: Position | undefined) => void;
  readonly reject: (error: unknown) => void;
  isOver: boolean;
  /** It was sent, and no answer came. */
  isDoubtful: boolean;
}

export interface PublishQueueOptions {
  readonly clock: Clock;
  readonly load: QueuedBytes;
  readonly waitMs: number;
  readonly mostBytes: number;
  /** Whether whoever is subscribed would hear it. */
  isOpen(): boolean;
  /** Why what waits does not get away, where that is known. */
  why(): string | undefined;
}

const BATCH_SIZE = 1_000;
const PAUSE_AFTER_REFUSAL_MS = 100;
/** How long after its withdrawal something is worth settling. */
const SETTLE_WITHIN_MS = 20_000;

export class PublishQueue {
  readonly #options: PublishQueueOptions;
  #waiting: Waiting[] = [];
  #sending: readonly Waiting[] = [];
  #isPumping = false;
  #isClosed = false;

  constructor(options: PublishQueueOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#sending.length === 0;
  }

  publish(letter: PendingPublish): Promise<Position | undefined> {
    const { clock, load, waitMs, mostBytes } = this.#options;
    if (this.#isClosed || load.bytes + letter.bytes > mostBytes) return Promise.reject(this.#away());
    load.bytes += letter.bytes;
    const { promise, resolve, reject } = Promise.withResolvers<Position | undefined>();
    this.#waiting.push({
      letter,
      untilMs: clock.monotonicMs() + waitMs,
      resolve,
      reject,
      isOver: false,
      isDoubtful: false,
    });
    this.pump();
    return promise;
  }

  /** Sends what there is, as soon as this tick is over. */
  pump(): void {
    if (this.#isPumping || this.#waiting.length === 0 || !this.#options.isOpen()) return;
    this.#isPumping = true;
    queueMicrotask(() => void this.#run());
  }

  /** Withdraws what has waited too long. */
  expire(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const each of this.#sending) if (each.untilMs <= nowMs) this.#end(each, this.#away());
    let count = 0;
    for (; count < this.#waiting.length; count++) {
      const each = this.#waiting[count];
      if (!each || each.untilMs > nowMs) break;
      this.#end(each, this.#away());
    }
    const late = this.#waiting.splice(0, count).filter((each) => isToSettle(each, nowMs));
    if (late.length > 0) this.#waiting.unshift(...late);
  }

  close(): void {
    this.#isClosed = true;
    for (const each of [...this.#sending, ...this.#waiting]) this.#end(each, this.#away());
    this.#waiting = [];
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && this.#options.isOpen()) {
      const batch = this.#waiting.splice(0, BATCH_SIZE);
      this.#sending = batch;
      const errors = await Promise.all(batch.map((each) => this.#send(each)));
      this.#sending = [];
      const isRefused = this.#takeBack(batch, errors);
      if (isRefused) await Bun.sleep(PAUSE_AFTER_REFUSAL_MS);
    }
    this.#isPumping = false;
  }

  /** What it failed of, or nothing. */
  async #send(each: Waiting): Promise<unknown> {
    try {
      if (each.isOver) {
        await each.letter.resend?.();
        return undefined;
      }
      const position = await each.letter.send();
      this.#end(each, undefined, position);
      return undefined;
    } catch (error) {
      return error ?? new Error("failed");
    }
  }

  /** Puts back what may be sent again, unless something later of its channel has, or may have, gone before. Says whether Redis refused any. */
  #takeBack(batch: readonly Waiting[], errors: readonly unknown[]): boolean {
    const answered = new Set<string>();
    const doubtful = new Set<string>();
    const isOvertaken = (error: unknown, subject: string) =>
      answered.has(subject) || (error instanceof ReplyError && !error.isElsewhere && doubtful.has(subject));
    const back: Waiting[] = [];
    let isRefused = false;
    for (let at = batch.length - 1; at >= 0; at--) {
      const each = batch[at];
      const error = errors[at];
      if (!each) continue;
      const { subject } = each.letter;
      if (error instanceof NoAnswerError) each.isDoubtful = true;
      if (error === undefined) answered.add(subject);
      else if (!isUnavailable(error) || isOvertaken(error, subject)) this.#end(each, unavailable(error));
      else if (!each.isOver || isToSettle(each, this.#options.clock.monotonicMs())) {
        isRefused ||= error instanceof ReplyError;
        back.push(each);
      }
      if (error instanceof NoAnswerError) doubtful.add(subject);
    }
    this.#waiting = [...back.reverse(), ...this.#waiting];
    return isRefused;
  }

  #away(): Error {
    return unavailable(new NotSentError(this.#options.why() ?? "nobody took it"));
  }

  #end(each: Waiting, error: unknown, position?: Position): void {
    if (each.isOver) return;
    each.isOver = true;
    this.#options.load.bytes -= each.letter.bytes;
    if (error === undefined) each.resolve(position);
    else each.reject(error);
  }
}

function isToSettle({ letter, untilMs, isDoubtful }: Waiting, nowMs: number): boolean {
  return isDoubtful && letter.resend !== undefined && nowMs < untilMs + SETTLE_WITHIN_MS;
}
