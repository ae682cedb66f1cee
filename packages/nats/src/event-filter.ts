/** Which registry events count: those that were neither read from the stream nor received before, of incarnations that are not over. */

import type { StoredMessage } from "./read-stream.ts";
import type { Subjects } from "./subjects.ts";

export class EventFilter {
  readonly #subjects: Subjects;
  /** Of each subject that was read: what is received of it up to there is older. */
  #read: Map<string, number> | undefined;
  #readUpTo = 0;
  /** The last of the stream that was received since. */
  #receivedUpTo = 0;

  constructor(subjects: Subjects) {
    this.#subjects = subjects;
  }

  /** These were read on another connection. */
  reset(stored: readonly StoredMessage[]): void {
    this.#receivedUpTo = 0;
    this.#read = new Map(stored.map(({ subject, seq }) => [this.#subjects.registryKey(subject), seq]));
    this.#readUpTo = stored.reduce((most, { seq }) => Math.max(most, seq), 0);
  }

  /** Call it for each event, in the order of arrival. */
  isNew(subject: string, seq: number): boolean {
    // The stream sends everything once and in order: what comes again is a replay.
    if (seq <= this.#receivedUpTo) return false;
    this.#receivedUpTo = seq;
    if (seq > this.#readUpTo) this.#read = undefined;
    return (this.#read?.get(this.#subjects.registryKey(subject)) ?? 0) < seq;
  }
}

/** How many are remembered. */
const MAX_REMEMBERED = 10_000;

/** Those that are over, the latest last: what they still write does not count. */
export class ReapedIncarnations {
  readonly #names = new Set<string>();

  has(incarnation: string): boolean {
    return this.#names.has(incarnation);
  }

  add(incarnation: string): void {
    this.#names.add(incarnation);
    for (const oldest of this.#names) {
      if (this.#names.size <= MAX_REMEMBERED) return;
      this.#names.delete(oldest);
    }
  }
}
