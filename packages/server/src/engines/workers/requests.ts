/** A worker's requests that wait for an answer, and the batches that it receives, processed in order and in slices of time. */

import { CommandError } from "../../domain/error.ts";
import type { Clock } from "../../domain/ports.ts";
import { type Pending, PendingBudget } from "../shared/pending.ts";
import {
  type Answer,
  BACKPRESSURE_BYTES,
  bytesOf,
  type HubBatch,
  type HubMethods,
  hubUnavailable,
  type Message,
  type Method,
  type Request,
  type Send,
  TickBatch,
  type WorkerBatch,
} from "./messages.ts";

const EXPIRE_EVERY_MS = 250;
const MAX_PENDING = 100_000;
/** After so many batches, or bytes, are processed, an acknowledgement goes out even if there is nothing else to send. */
const ACKNOWLEDGE_EVERY = 32;
const ACKNOWLEDGE_EVERY_BYTES = BACKPRESSURE_BYTES / 4;
/**
 * How long batches are processed before anything else gets a turn, in milliseconds. Seconds of work may come at once: sockets
 * have to be written to meanwhile, or their readers are cut, and the hub has to see that this process lives, or ends it.
 */
const SLICE_MS = 20;

/** How long an answer may take, and how many bytes of publications may wait for one. */
export interface RequestLimits {
  readonly waitMs: number;
  readonly waitBytes: number;
}

/** What is no answer. */
export type IncomingMessage = Exclude<Message, readonly ["answer" | "refusal", ...unknown[]]>;

export class Requests {
  readonly #clock: Clock;
  readonly #limits: RequestLimits;
  readonly #send: Send<WorkerBatch>;
  readonly #receive: (message: IncomingMessage) => void;
  readonly #budget: PendingBudget;
  /** Oldest first. */
  readonly #pending = new Map<number, Pending<unknown>>();
  /** Of those, requests whose caller has to be done with the answer before the next message is processed. */
  readonly #turns = new Set<number>();
  readonly #outgoing: TickBatch<Request>;
  readonly #expiring: ReturnType<typeof setInterval>;
  /** Batches that are not processed yet, and how many messages of the first one are. */
  readonly #incoming: HubBatch[] = [];
  #processed = 0;
  #isPaused = false;
  #lastId = 0;
  #acknowledgeable = 0;
  #acknowledged = 0;
  #bytesSince = 0;
  #receivedAtMs: number;
  /** From this process's clock to the hub's, at least. */
  #offsetMs: number | undefined;
  #isClosed = false;

  constructor(
    clock: Clock,
    limits: RequestLimits,
    send: Send<WorkerBatch>,
    receive: (message: IncomingMessage) => void,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#send = send;
    this.#receive = receive;
    this.#budget = new PendingBudget(clock, { ...limits, maxCount: MAX_PENDING });
    this.#receivedAtMs = clock.monotonicMs();
    this.#outgoing = new TickBatch((requests) => this.#flush(requests));
    this.#expiring = setInterval(() => this.#expire(), EXPIRE_EVERY_MS);
  }

  /** Rejects with CommandError: the engine's own, or `engine_unavailable` when no answer comes in time. */
  call<M extends Method>(method: M, args: Parameters<HubMethods[M]>, isTurn = false): Promise<Answer<M>> {
    const id = this.#lastId + 1;
    const request = requestOf(id, method, args);
    const pending = this.#isClosed ? undefined : this.#budget.open<unknown>(weightOf(request));
    if (!pending) return Promise.reject(hubUnavailable());
    this.#lastId = id;
    this.#pending.set(id, pending);
    if (isTurn) this.#turns.add(id);
    this.#outgoing.add(request);
    // Both sides are of one version: the answer to a method is what the method returns.
    return pending.promise as Promise<Answer<M>>;
  }

  /** Wants no answer. */
  notify<M extends Method>(method: M, args: Parameters<HubMethods[M]>): void {
    if (!this.#isClosed) this.#outgoing.add(requestOf(0, method, args));
  }

  receive(batch: HubBatch): void {
    const nowMs = this.#clock.monotonicMs();
    this.#receivedAtMs = nowMs;
    // A batch that was long on its way says too little; the quickest is nearest to the truth.
    this.#offsetMs = Math.max(this.#offsetMs ?? Number.NEGATIVE_INFINITY, batch.atMs - nowMs);
    this.#incoming.push(batch);
    if (!this.#isPaused) this.#process();
  }

  /** Time since the hub was last heard, in milliseconds. */
  get silentMs(): number {
    return this.#clock.monotonicMs() - this.#receivedAtMs;
  }

  /** Resolves when nothing waits for an answer, or after the time. */
  async settled(withinMs: number): Promise<void> {
    const deadline = this.#clock.monotonicMs() + withinMs;
    do await Bun.sleep(1);
    while (this.#pending.size > 0 && this.#clock.monotonicMs() < deadline);
  }

  /** Rejects what waits, and processes nothing any more. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#expiring);
    for (const pending of this.#pending.values()) pending.reject(hubUnavailable());
    this.#pending.clear();
  }

  // ---- private

  #flush(requests: readonly Request[]): void {
    this.#acknowledged = this.#acknowledgeable;
    this.#bytesSince = 0;
    const { waitMs } = this.#limits;
    const untilMs = this.#offsetMs === undefined ? null : this.#clock.monotonicMs() + this.#offsetMs + waitMs;
    this.#send({ acknowledged: this.#acknowledged, untilMs, requests });
  }

  #process(): void {
    const untilMs = this.#clock.monotonicMs() + SLICE_MS;
    for (let batch = this.#incoming[0]; batch; batch = this.#incoming[0]) {
      while (this.#processed < batch.messages.length) {
        if (this.#isClosed) return;
        const message = batch.messages[this.#processed++] as Message;
        this.#bytesSince += bytesOf(message);
        if (this.#isTurnAfter(message) || this.#clock.monotonicMs() >= untilMs) return this.#pause();
      }
      this.#incoming.shift();
      this.#processed = 0;
      this.#acknowledge(batch);
    }
  }

  #acknowledge({ number }: HubBatch): void {
    this.#acknowledgeable = number;
    const isMuch = this.#bytesSince >= ACKNOWLEDGE_EVERY_BYTES;
    if (isMuch || number - this.#acknowledged >= ACKNOWLEDGE_EVERY) this.#outgoing.schedule();
  }

  /** Processes one message; says whether the caller that it answers comes first now. */
  #isTurnAfter(message: Message): boolean {
    switch (message[0]) {
      case "answer":
        this.#take(message[1])?.resolve(message[2]);
        return this.#turns.delete(message[1]);
      case "refusal":
        this.#take(message[1])?.reject(new CommandError(message[2], message[3]));
        this.#turns.delete(message[1]);
        return false;
      case "publication":
      case "changes":
        this.#receive(message);
        return false;
    }
  }

  /** Goes on when everything that was set going has come to rest, and sockets have had their turn. */
  #pause(): void {
    this.#isPaused = true;
    setImmediate(() => {
      this.#isPaused = false;
      this.#process();
    });
  }

  #take(id: number): Pending<unknown> | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #expire(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, pending] of this.#pending) {
      if (pending.untilMs > nowMs) return;
      this.#pending.delete(id);
      this.#turns.delete(id);
      pending.reject(hubUnavailable());
    }
  }
}

function requestOf<M extends Method>(id: number, method: M, args: Parameters<HubMethods[M]>): Request {
  // The compiler does not see that a method and its own parameters are one of the union.
  return [id, method, args] as unknown as Request;
}

function weightOf([, method, args]: Request): number {
  const isPublication = method === "publish" || method === "publishOnce";
  return isPublication && args[0].type === "event" ? args[0].data.length : 0;
}
