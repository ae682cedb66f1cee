/** One worker as the hub process sees it: what it owns in the engine, what it is sent, and what of that it has processed; and publishers, who wait while one is behind. */

import type { Awaitable, Clock, NodeReport, NodeState } from "../../domain/ports.ts";
import type { ChannelRef } from "../shared/channels.ts";
import { LocalState } from "../shared/local-state.ts";
import { BACKPRESSURE_BYTES, bytesOf, type HubBatch, type Message, type Send, TickBatch } from "./messages.ts";

export class WorkerSession {
  readonly owned = new LocalState();
  readonly subscriptions = new Map<string, ChannelRef>();
  /** Whether it holds sockets: the others are not listed. */
  readonly isListed: boolean;
  readonly #clock: Clock;
  readonly #outgoing: TickBatch<Message>;
  readonly #send: Send<HubBatch>;
  /** Batches that the worker has not processed, oldest first. */
  readonly #unacknowledged: { readonly number: number; readonly bytes: number }[] = [];
  #number = 0;
  #queuedBytes = 0;
  #unacknowledgedBytes = 0;
  #report: NodeReport | undefined;
  #reportedAtMs: number;
  #isClosed = false;

  constructor(clock: Clock, isListed: boolean, send: Send<HubBatch>) {
    this.#clock = clock;
    this.isListed = isListed;
    this.#send = send;
    this.#reportedAtMs = clock.monotonicMs();
    this.#outgoing = new TickBatch((messages) => this.#flush(messages));
  }

  send(message: Message): void {
    if (this.#isClosed) return;
    this.#queuedBytes += bytesOf(message);
    this.#outgoing.add(message);
  }

  /** A sign of life. */
  sendHeartbeat(): void {
    if (!this.#isClosed) this.#outgoing.schedule();
  }

  /** The worker has processed this batch and all before it. */
  acknowledge(number: number): void {
    const open = this.#unacknowledged;
    while (open[0] && open[0].number <= number) this.#unacknowledgedBytes -= open.shift()?.bytes ?? 0;
  }

  /** How much waits for the worker, in bytes. */
  get backlogBytes(): number {
    return this.#unacknowledgedBytes + this.#queuedBytes;
  }

  /** So much waits for it that publishers should wait a little, too. */
  get isBehind(): boolean {
    return this.backlogBytes > BACKPRESSURE_BYTES;
  }

  setReport(report: NodeReport): void {
    this.#report = report;
    this.#reportedAtMs = this.#clock.monotonicMs();
  }

  get state(): NodeState | undefined {
    return this.#report && { ...this.#report, silentMs: Math.round(this.#clock.monotonicMs() - this.#reportedAtMs) };
  }

  /** Sends at once what is queued, and nothing any more. */
  close(): void {
    this.#outgoing.flush();
    this.#isClosed = true;
  }

  #flush(messages: readonly Message[]): void {
    if (this.#isClosed) return;
    const number = ++this.#number;
    this.#unacknowledged.push({ number, bytes: this.#queuedBytes });
    this.#unacknowledgedBytes += this.#queuedBytes;
    this.#queuedBytes = 0;
    this.#send({ number, atMs: this.#clock.monotonicMs(), messages });
  }
}

/** One worker that hangs does not delay publishers for longer than this, and no publication is refused for it. */
const MAX_DELAY_MS = 1_000;

/**
 * Lets publishers wait while a worker does not keep up. What they published is on its way already; only the answer comes later, so
 * that a publisher who waits for it publishes no faster than the slowest worker processes.
 */
export class Backpressure {
  readonly #isBehind: () => boolean;
  #waiting: (() => void)[] = [];
  #late: ReturnType<typeof setTimeout> | undefined;

  /** `isBehind` says whether some worker has to catch up. */
  constructor(isBehind: () => boolean) {
    this.#isBehind = isBehind;
  }

  /** The value, when it is time. */
  delay<Value>(value: Value): Awaitable<Value> {
    if (!this.#isBehind()) return value;
    this.#late ??= setTimeout(() => this.release(), MAX_DELAY_MS);
    return new Promise((resolve) => this.#waiting.push(() => resolve(value)));
  }

  /** A worker has processed something, or is gone. */
  check(): void {
    if (this.#waiting.length > 0 && !this.#isBehind()) this.release();
  }

  release(): void {
    clearTimeout(this.#late);
    this.#late = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
