/**
 * What one shard has to publish, in order. One batch at a time is on its way, so that when Redis goes away no more than that batch
 * is in doubt; what waits longer than it may is withdrawn, and its publisher gets an error.
 */

import type { Position } from "../../domain/message.ts";
import type { Clock } from "../../domain/ports.ts";
import { NoAnswerError, NotSentError, type Pending, type PendingBudget } from "../shared/pending.ts";
import { isUnavailable, ReplyError, unavailable } from "./errors.ts";

export interface PendingPublish {
  readonly subject: string;
  readonly bytes: number;
  /** May be called again after no answer came: subscribers know it by its number. */
  send(): Promise<unknown>;
  /** Where it is, by what `send` was answered. */
  positionOf(answer: unknown): Position | undefined;
  /**
   * It was withdrawn, and Redis may have carried it out when nodes were not connected to receive it. Then it is published again, for those
   * that have not received it; else nothing is done.
   */
  resend?(): Promise<unknown>;
}

/** How long, and how much in all shards together, may wait. */
export type QueueLimits = Pick<PendingBudget, "open">;

interface Entry {
  readonly publish: PendingPublish;
  readonly pending: Pending<Position | undefined>;
  /** It was sent, and no answer came. */
  isDoubtful: boolean;
}

export interface PublishQueueOptions {
  readonly clock: Clock;
  readonly limits: QueueLimits;
  /** Whether subscribers would receive it. */
  isOpen(): boolean;
  /** Why what waits is not sent, where that is known. */
  why(): string | undefined;
}

const BATCH_SIZE = 1_000;
const PAUSE_AFTER_REFUSAL_MS = 100;
/** How long after its withdrawal a publication is worth sending again. */
const RESEND_WITHIN_MS = 20_000;

export class PublishQueue {
  readonly #options: PublishQueueOptions;
  #waiting: Entry[] = [];
  #sending: readonly Entry[] = [];
  #isPumping = false;
  #isClosed = false;

  constructor(options: PublishQueueOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#sending.length === 0;
  }

  publish(publish: PendingPublish): Promise<Position | undefined> {
    const pending = this.#isClosed ? undefined : this.#options.limits.open<Position | undefined>(publish.bytes);
    if (!pending) return Promise.reject(this.#unavailable());
    this.#waiting.push({ publish, pending, isDoubtful: false });
    this.pump();
    return pending.promise;
  }

  /** Sends what there is, as soon as this tick is over. */
  pump(): void {
    if (this.#isPumping || this.#waiting.length === 0 || !this.#options.isOpen()) return;
    this.#isPumping = true;
    queueMicrotask(() => void this.#sendAll());
  }

  /** Withdraws what has waited too long. */
  expire(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const isLate = ({ pending }: Entry) => pending.untilMs <= nowMs;
    for (const entry of this.#sending) if (isLate(entry)) entry.pending.reject(this.#unavailable());
    const firstInTime = this.#waiting.findIndex((entry) => !isLate(entry));
    const late = this.#waiting.splice(0, firstInTime < 0 ? this.#waiting.length : firstInTime);
    for (const entry of late) entry.pending.reject(this.#unavailable());
    this.#waiting.unshift(...late.filter((entry) => isToResend(entry, nowMs)));
  }

  close(): void {
    this.#isClosed = true;
    for (const { pending } of [...this.#sending, ...this.#waiting]) pending.reject(this.#unavailable());
    this.#waiting = [];
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0 && this.#options.isOpen()) {
      const batch = this.#waiting.splice(0, BATCH_SIZE);
      this.#sending = batch;
      const errors = await Promise.all(batch.map((entry) => this.#send(entry)));
      this.#sending = [];
      const isRefused = this.#takeBack(batch, errors);
      if (isRefused) await Bun.sleep(PAUSE_AFTER_REFUSAL_MS);
    }
    this.#isPumping = false;
  }

  /** The error that it failed with, or nothing. */
  async #send({ publish, pending }: Entry): Promise<unknown> {
    try {
      if (pending.isSettled) await publish.resend?.();
      else pending.resolve(publish.positionOf(await publish.send()));
      return undefined;
    } catch (error) {
      return error ?? new Error("failed");
    }
  }

  /** Puts back what may be sent again, unless something later of its channel went, or may have gone, before. Says whether Redis refused any. */
  #takeBack(batch: readonly Entry[], errors: readonly unknown[]): boolean {
    if (errors.every((error) => error === undefined)) return false;
    const answered = new Set<string>();
    const doubtful = new Set<string>();
    const isOvertaken = (error: unknown, subject: string) =>
      answered.has(subject) || (error instanceof ReplyError && !error.isElsewhere && doubtful.has(subject));
    const nowMs = this.#options.clock.monotonicMs();
    const back: Entry[] = [];
    let isRefused = false;
    for (const [at, entry] of [...batch.entries()].reverse()) {
      const error = errors[at];
      const { publish, pending } = entry;
      if (error instanceof NoAnswerError) entry.isDoubtful = true;
      if (error === undefined) answered.add(publish.subject);
      else if (!isUnavailable(error) || isOvertaken(error, publish.subject)) pending.reject(unavailable(error));
      else if (!pending.isSettled || isToResend(entry, nowMs)) {
        isRefused ||= error instanceof ReplyError;
        back.push(entry);
      }
      if (error instanceof NoAnswerError) doubtful.add(publish.subject);
    }
    this.#waiting = [...back.reverse(), ...this.#waiting];
    return isRefused;
  }

  #unavailable(): Error {
    return unavailable(new NotSentError(this.#options.why() ?? "it was not sent"));
  }
}

function isToResend({ publish, pending, isDoubtful }: Entry, nowMs: number): boolean {
  return isDoubtful && publish.resend !== undefined && nowMs < pending.untilMs + RESEND_WITHIN_MS;
}
