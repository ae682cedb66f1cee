/** One node's place at the switchboard: what it is told, what of that it has worked off, and what it has written down. */

import type { Clock, NodeReport, NodeState } from "../../domain/ports.ts";
import { BACKPRESSURE_BYTES, bytesOf, type HubBatch, type Message, type Send } from "./messages.ts";
import { TickBatch } from "./tick-batch.ts";
import { WorkerState } from "./worker-state.ts";

export class WorkerSession {
  readonly owned = new WorkerState();
  /** Whether it holds sockets: the others are not listed. */
  readonly isListed: boolean;
  readonly #clock: Clock;
  readonly #outbox: TickBatch<Message>;
  readonly #send: Send<HubBatch>;
  /** Parcels that the node has not worked off, oldest first. */
  readonly #open: { readonly number: number; readonly bytes: number }[] = [];
  #number = 0;
  #bytesDue = 0;
  #bytesOpen = 0;
  #report: NodeReport | undefined;
  #heardAtMs: number;
  #isClosed = false;

  constructor(clock: Clock, isListed: boolean, send: Send<HubBatch>) {
    this.#clock = clock;
    this.isListed = isListed;
    this.#send = send;
    this.#heardAtMs = clock.monotonicMs();
    this.#outbox = new TickBatch((told) => this.#post(told));
  }

  send(word: Message): void {
    if (this.#isClosed) return;
    this.#bytesDue += bytesOf(word);
    this.#outbox.add(word);
  }

  /** A sign of life. */
  sendHeartbeat(): void {
    if (!this.#isClosed) this.#outbox.schedule();
  }

  /** The node has worked off this parcel and all before it. */
  acknowledge(number: number): void {
    while (this.#open[0] && this.#open[0].number <= number) this.#bytesOpen -= this.#open.shift()?.bytes ?? 0;
  }

  /** How much waits for the node, in bytes. */
  get backlogBytes(): number {
    return this.#bytesOpen + this.#bytesDue;
  }

  /** So much waits for it that whoever publishes should wait a little, too. */
  get isBehind(): boolean {
    return this.backlogBytes > BACKPRESSURE_BYTES;
  }

  setReport(report: NodeReport): void {
    this.#report = report;
    this.#heardAtMs = this.#clock.monotonicMs();
  }

  get state(): NodeState | undefined {
    return this.#report && { ...this.#report, silentMs: Math.round(this.#clock.monotonicMs() - this.#heardAtMs) };
  }

  /** What it is owed goes out now, and nothing any more. */
  close(): void {
    this.#outbox.flush();
    this.#isClosed = true;
  }

  #post(told: readonly Message[]): void {
    if (this.#isClosed) return;
    const number = ++this.#number;
    this.#open.push({ number, bytes: this.#bytesDue });
    this.#bytesOpen += this.#bytesDue;
    this.#bytesDue = 0;
    this.#send({ number, atMs: this.#clock.monotonicMs(), messages: told });
  }
}
