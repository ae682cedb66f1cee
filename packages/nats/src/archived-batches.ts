/** The batches of one channel by their numbers: the head, and those before it as far as they are there. Each is read once. */

import type { ChannelHead } from "./channel-heads.ts";
import { type Batch, decodeBatch, lastOffset } from "./codec.ts";
import { slotCount, slotOf } from "./publish-queue.ts";
import type { StreamStore } from "./stream-store.ts";
import type { Subjects } from "./subjects.ts";

export interface StoredBatch extends Batch {
  readonly seq: number;
  readonly subject: string;
  readonly text: string;
}

interface ArchivedBatchesOptions {
  readonly store: Pick<StreamStore, "last">;
  readonly subjects: Subjects;
  readonly channelKey: string;
  readonly head: ChannelHead;
  /** The head, decoded. */
  readonly batch: Batch;
}

/** Batches that are requested at a time. */
export const BATCHES_PER_READ = 32;

export class ArchivedBatches {
  readonly head: ChannelHead;
  readonly #options: ArchivedBatchesOptions;
  readonly #read = new Map<number, Promise<StoredBatch | undefined>>();

  constructor(options: ArchivedBatchesOptions) {
    this.#options = options;
    this.head = options.head;
    const { head, batch, subjects, channelKey } = options;
    const stored = { ...batch, seq: head.seq, text: head.text, subject: subjects.head(channelKey) };
    this.#read.set(head.number, Promise.resolve(stored));
  }

  /** Undefined where it is not there any more. */
  get(number: number): Promise<StoredBatch | undefined> {
    const known = this.#read.get(number) ?? this.#load(number);
    this.#read.set(number, known);
    return known;
  }

  /** All from the first number to the last. */
  range(first: number, last: number): Promise<readonly (StoredBatch | undefined)[]> {
    return Promise.all(Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => this.get(first + n)));
  }

  /** The first that has a publication behind the offset. */
  firstAfter(offset: number): Promise<StoredBatch | undefined> {
    return this.#first(
      (batch) => lastOffset(batch) > offset,
      ({ position }) => Math.max(0, (position?.previousOffset ?? 0) - offset),
    );
  }

  /** The first that was published at that time or later. */
  firstSince(ms: number): Promise<StoredBatch | undefined> {
    return this.#first(
      ({ position }) => (position?.atMs ?? 0) >= ms,
      ({ position }) => (position?.previousOffset === 0 ? 0 : BATCHES_PER_READ),
    );
  }

  /**
   * The first of those that are there and fit: whoever comes after one that fits does so, too. Most look for something near to the
   * head, so what is before that is read at once; what is farther away is halved. `most` says how many may come before one that fits.
   */
  async #first(fits: (batch: Batch) => boolean, most: (batch: Batch) => number): Promise<StoredBatch | undefined> {
    let found = await this.get(this.head.number);
    if (!found || !fits(found)) return undefined;
    const lowest = Math.max(1, this.head.number - slotCount(this.head.size));
    let right = this.head.number;
    const near = Math.min(BATCHES_PER_READ, most(found), right - lowest);
    for (const batch of (await this.range(right - near, right - 1)).toReversed()) {
      if (!batch || !fits(batch)) return found;
      found = batch;
      right--;
    }
    let left = near > 0 && most(found) > 0 ? lowest : right;
    while (left < right) {
      const middle = Math.floor((left + right) / 2);
      const batch = await this.get(middle);
      if (batch && fits(batch)) {
        found = batch;
        right = middle;
      } else left = middle + 1;
    }
    return found;
  }

  async #load(number: number): Promise<StoredBatch | undefined> {
    const { store, subjects, channelKey, head } = this.#options;
    if (number < 1 || number > head.number) return undefined;
    const stored = await store.last(subjects.archive(channelKey, slotOf(number, head.size)));
    if (!stored) return undefined;
    const batch = decodeBatch("", "", stored.text);
    const { position } = batch;
    return position?.epoch === head.epoch && position.batch === number ? { ...batch, ...stored } : undefined;
  }
}
