/** The latest batch of each channel whose publications have positions: cached, because the next one refers to it. */

import { type Batch, type BatchItem, decodeBatch, lastOffset } from "./codec.ts";
import type { StreamStore } from "./stream-store.ts";
import type { Subjects } from "./subjects.ts";

export interface ChannelHead {
  readonly seq: number;
  /** The batch as it was written. */
  readonly text: string;
  readonly epoch: string;
  readonly number: number;
  readonly offset: number;
  readonly size: number;
  readonly atMs: number;
  /** Up to this offset the history was purged. */
  readonly floor: number;
  /** Of what was published in it under a key: until when that counts, by the server's clock. */
  readonly keys: ReadonlyMap<string, number>;
}

const MAX_CACHED = 1_000;

export class ChannelHeads {
  readonly #store: StreamStore;
  readonly #subjects: Subjects;
  readonly #cached = new Map<string, ChannelHead>();

  constructor(store: StreamStore, subjects: Subjects) {
    this.#store = store;
    this.#subjects = subjects;
  }

  /** Undefined where the channel never had one. May be out of date: then writing after it fails. */
  async get(channelKey: string): Promise<ChannelHead | undefined> {
    return this.#cached.get(channelKey) ?? (await this.read(channelKey))?.head;
  }

  /** As the stream has it now. */
  async read(channelKey: string): Promise<{ readonly head: ChannelHead; readonly batch: Batch } | undefined> {
    const stored = await this.#store.last(this.#subjects.head(channelKey));
    if (!stored) return undefined;
    const batch = decodeBatch("", "", stored.text);
    const head = headOf(stored.seq, stored.text, batch);
    if (head) this.set(channelKey, head);
    return head && { head, batch };
  }

  set(channelKey: string, head: ChannelHead): void {
    const known = this.#cached.get(channelKey);
    if (known && known.epoch === head.epoch && known.number > head.number) return;
    this.#cached.delete(channelKey);
    this.#cached.set(channelKey, head);
    if (this.#cached.size <= MAX_CACHED) return;
    for (const oldest of this.#cached.keys()) {
      this.#cached.delete(oldest);
      return;
    }
  }

  /** A batch was received of a channel that this node may write to. */
  observe(channelKey: string, seq: number, text: string, batch: Batch): void {
    if (!this.#cached.has(channelKey)) return;
    const head = headOf(seq, text, batch);
    if (head) this.set(channelKey, head);
  }

  invalidate(channelKey: string): void {
    this.#cached.delete(channelKey);
  }

  clear(): void {
    this.#cached.clear();
  }
}

export function keysOf(items: readonly Pick<BatchItem, "once">[], atMs: number): ReadonlyMap<string, number> {
  return new Map(items.flatMap(({ once }) => (once ? [[once.key, atMs + once.ttlMs] as const] : [])));
}

function headOf(seq: number, text: string, batch: Batch): ChannelHead | undefined {
  const { position } = batch;
  if (!position) return undefined;
  const { epoch, batch: number, size, atMs, floor = 0 } = position;
  return { seq, text, epoch, number, offset: lastOffset(batch), size, atMs, floor, keys: keysOf(batch.items, atMs) };
}
