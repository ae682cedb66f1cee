/** Writes what this node says about itself: events of its present incarnation, each with the next number. */

import { type EngineHost, HEARTBEAT_LOST, Heartbeat } from "fanfare/engine";
import { encodeEvent, type RegistryEvent, type UnnumberedEvent } from "./registry-event.ts";
import type { StreamStore } from "./stream-store.ts";
import type { Subjects } from "./subjects.ts";

export class NodeWriter {
  /** The node's name in the stream; another after it was reaped. */
  incarnation = crypto.randomUUID();
  /** The incarnation has been written into the present stream. */
  isKnown = false;
  /** The node's own reports, by their sequence: written over the connection and received on it. */
  readonly heartbeat = new Heartbeat();
  readonly #subjects: Subjects;
  readonly #store: StreamStore;
  readonly #report: EngineHost["report"];
  readonly #lost: (why: string) => void;
  #n = 0;

  constructor(subjects: Subjects, store: StreamStore, report: EngineHost["report"], lost: (why: string) => void) {
    this.#subjects = subjects;
    this.#store = store;
    this.#report = report;
    this.#lost = lost;
  }

  /** Whether the other nodes receive what is written now. */
  get canWrite(): boolean {
    return this.#store.isOpen && this.isKnown;
  }

  restart(): void {
    this.incarnation = crypto.randomUUID();
    this.isKnown = false;
    this.#n = 0;
  }

  /** The event's number. */
  write(key: string, event: UnnumberedEvent): number {
    const n = ++this.#n;
    this.#append(this.#subjects.ofIncarnation(this.incarnation, key), { ...event, n });
    return n;
  }

  /** Which node it is, and how it is. */
  writeReport(isFresh: boolean, isComplete: boolean): void {
    const event = { type: "node", n: this.#n, report: this.#report(), isFresh, isComplete } as const;
    this.#append(this.#subjects.node(this.incarnation), event, (seq) => this.heartbeat.sent(seq));
  }

  /** Call it once an interval. */
  beat(): void {
    if (this.heartbeat.isLost()) this.#lost(HEARTBEAT_LOST);
    else this.writeReport(false, true);
  }

  reap(incarnation: string): void {
    this.#append(this.#subjects.reap(incarnation), { type: "reap", by: this.incarnation });
  }

  /** Removes everything that this node has, by one event, and from the stream. */
  async close(): Promise<void> {
    const event = encodeEvent({ type: "reap", by: this.incarnation });
    await this.#store.append(this.#subjects.reap(this.incarnation), event);
    await this.#store.purge(this.#subjects.ofIncarnation(this.incarnation));
  }

  /** Events are not sent again: where one fails, everything is compared anew. */
  #append(subject: string, event: RegistryEvent, written: (seq: number) => void = () => {}): void {
    this.#store
      .append(subject, encodeEvent(event))
      .then(written, () => this.#lost("a registry event could not be written"));
  }
}
