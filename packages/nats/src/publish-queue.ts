/**
 * What this node has to publish, in order per channel. Batches without positions go at once, one after the other; batches with
 * positions go one at a time, because each refers to the one before. What waits longer than it may is withdrawn.
 */

import {
  type Clock,
  CommandError,
  type HistoryPolicy,
  type IdempotencyKey,
  NotSentError,
  type Pending,
  PendingBudget,
  type Position,
  type Publication,
} from "fanfare/engine";
import { type ChannelHead, type ChannelHeads, keysOf } from "./channel-heads.ts";
import { type BatchPosition, encodeBatch, encodeItem } from "./codec.ts";
import { unavailable, WriteConflict } from "./errors.ts";
import type { NatsSettings } from "./settings.ts";
import type { StreamStore } from "./stream-store.ts";
import type { Subjects } from "./subjects.ts";

type PublishResult = Position | "repeated" | undefined;

interface PendingPublish {
  readonly encoded: string;
  readonly keep: HistoryPolicy | undefined;
  readonly once: IdempotencyKey | undefined;
  readonly pending: Pending<PublishResult>;
}

/** Publications that go as one message. */
interface PendingBatch {
  items: readonly PendingPublish[];
  readonly number: number;
  readonly hasPosition: boolean;
  /** It failed before, and goes alone: where it turns out to be written already, it is sent once more, and nothing may overtake that. */
  isRetry: boolean;
  /** As it was sent, where it is not known whether it arrived: it has to be sent as the same again. */
  sent: SentBatch | undefined;
  /** It was withdrawn, and may have been written while no node was connected to receive it: until then that is worth finding out. */
  resolveUntilMs: number | undefined;
}

interface SentBatch {
  readonly head: ChannelHead | undefined;
  readonly position: BatchPosition;
  readonly text: string;
}

interface ChannelQueue {
  readonly channelKey: string;
  waiting: PendingPublish[];
  /** Of which it is not known whether they were written; sent again before anything else. */
  doubtful: PendingBatch[];
  sending: PendingBatch[];
  pausedUntilMs: number;
  /** Number of the latest batch that certainly arrived. */
  arrived: number;
  isScheduled: boolean;
}

const BATCH_ITEMS = 200;
const BATCH_BYTES = 256 * 1024;
/** Beside the publications: what a batch and its headers take at most. */
const ENVELOPE_BYTES = 2_048;
const SWEEP_MS = 100;
const PAUSE_AFTER_ERROR_MS = 100;
/** Less than the server knows an id. */
const RESOLVE_WITHIN_MS = 15_000;
/** More than what can be on its way late, so that nothing overwrites what is newer. */
const MIN_SLOTS = 64;

/** Where a batch is archived when the next becomes the head. The same for sizes that are near to each other. */
export function slotOf(batch: number, size: number): number {
  return batch % slotCount(size);
}

/** Most batches of one channel that are there at a time, its head aside. */
export function slotCount(size: number): number {
  return Math.max(MIN_SLOTS, 2 ** Math.ceil(Math.log2(size + 1)) * 2);
}

export class PublishQueue {
  readonly #clock: Clock;
  readonly #subjects: Subjects;
  readonly #store: StreamStore;
  readonly #heads: ChannelHeads;
  readonly #queues = new Map<string, ChannelQueue>();
  /** Names this node among those that publish; another at each start. */
  readonly #sender = crypto.randomUUID().slice(0, 13);
  readonly #budget: PendingBudget;
  #number = 0;
  #sweeping: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;
  #openAtMs = 0;

  constructor(clock: Clock, settings: NatsSettings, subjects: Subjects, store: StreamStore, heads: ChannelHeads) {
    this.#clock = clock;
    this.#subjects = subjects;
    this.#store = store;
    this.#heads = heads;
    this.#budget = new PendingBudget(clock, { waitMs: settings.publishWaitMs, waitBytes: settings.publishWaitBytes });
  }

  start(): void {
    this.#sweeping = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeping.unref?.();
  }

  publish(channelKey: string, publication: Publication, keep: HistoryPolicy | undefined): Promise<Position | undefined>;
  /** A publication with a key has a position, kept or not, because only one of all who write after the same head succeeds. */
  publish(
    channelKey: string,
    publication: Publication,
    keep: HistoryPolicy | undefined,
    once: IdempotencyKey,
  ): Promise<PublishResult>;
  publish(
    channelKey: string,
    publication: Publication,
    keep: HistoryPolicy | undefined,
    once?: IdempotencyKey,
  ): Promise<PublishResult> {
    const encoded = encodeItem(publication, keep?.ttlMs, once);
    const bytes = Buffer.byteLength(encoded);
    const pending = this.#isClosed ? undefined : this.#budget.open<PublishResult>(bytes);
    if (!pending) return Promise.reject(unavailable());
    const most = this.#store.maxPayloadBytes - ENVELOPE_BYTES;
    if (bytes > most) {
      const message = `The event takes ${bytes} bytes; NATS carries at most ${most} (its max_payload).`;
      pending.reject(new CommandError("data_too_large", message));
      return pending.promise;
    }
    const queue = this.#queueOf(channelKey);
    queue.waiting.push({ encoded, keep, once, pending });
    this.#schedule(queue);
    return pending.promise;
  }

  /** Gives the channel a position, or writes the one it has again, with nothing to publish. */
  async writeHead(channelKey: string): Promise<void> {
    const head = await this.#heads.get(channelKey);
    try {
      await this.#write(channelKey, this.#batchOf([], true), head);
    } catch (error) {
      // Another node did it just now.
      if (!(error instanceof WriteConflict)) throw error;
      this.#heads.invalidate(channelKey);
    }
  }

  /** The connection is up, but for so long other nodes may not be there to receive. */
  resume(afterMs: number): void {
    this.#openAtMs = this.#clock.monotonicMs() + afterMs;
    for (const queue of this.#queues.values()) this.#schedule(queue);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweeping);
    for (const queue of this.#queues.values()) {
      for (const batch of queue.doubtful) this.#refuse(batch);
      for (const item of queue.waiting) item.pending.reject(unavailable());
      queue.doubtful = [];
      queue.waiting = [];
    }
  }

  // ---- what goes when

  #queueOf(channelKey: string): ChannelQueue {
    let queue = this.#queues.get(channelKey);
    if (!queue) {
      const empty = { waiting: [], doubtful: [], sending: [] };
      queue = { channelKey, ...empty, pausedUntilMs: 0, arrived: 0, isScheduled: false };
      this.#queues.set(channelKey, queue);
    }
    return queue;
  }

  /** What is published in one tick goes in one batch. */
  #schedule(queue: ChannelQueue): void {
    if (queue.isScheduled) return;
    queue.isScheduled = true;
    queueMicrotask(() => {
      queue.isScheduled = false;
      this.#send(queue);
    });
  }

  #send(queue: ChannelQueue): void {
    if (!this.#store.isOpen || this.#clock.monotonicMs() < Math.max(queue.pausedUntilMs, this.#openAtMs)) return;
    while (!queue.sending.some(({ hasPosition, isRetry }) => hasPosition || isRetry)) {
      // What is in doubt goes first, and alone: what comes after must not overtake it.
      if (queue.doubtful.length > 0 && queue.sending.length > 0) return;
      const batch = queue.doubtful.shift() ?? this.#nextBatch(queue);
      if (!batch) break;
      queue.sending.push(batch);
      void this.#deliver(queue, batch);
    }
    if (queue.sending.length + queue.waiting.length + queue.doubtful.length === 0) {
      this.#queues.delete(queue.channelKey);
    }
  }

  #nextBatch(queue: ChannelQueue): PendingBatch | undefined {
    const most = Math.min(BATCH_BYTES, this.#store.maxPayloadBytes - ENVELOPE_BYTES);
    let bytes = 0;
    let count = 0;
    const keys = new Set<string>();
    for (const { encoded, once } of queue.waiting) {
      bytes += Buffer.byteLength(encoded) + 1;
      if (count > 0 && (count >= BATCH_ITEMS || bytes > most)) break;
      if (once && keys.has(once.key)) break;
      if (once) keys.add(once.key);
      count++;
    }
    if (count === 0) return undefined;
    const items = queue.waiting.splice(0, count);
    return this.#batchOf(
      items,
      items.some(({ keep, once }) => keep !== undefined || once !== undefined),
    );
  }

  #batchOf(items: readonly PendingPublish[], hasPosition: boolean): PendingBatch {
    return { items, number: ++this.#number, hasPosition, isRetry: false, sent: undefined, resolveUntilMs: undefined };
  }

  /** Withdraws what has waited too long. */
  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const queue of this.#queues.values()) {
      queue.doubtful = queue.doubtful.filter(
        (batch) => batch.items.every(({ pending }) => pending.untilMs > nowMs) || this.#withdraw(batch, nowMs),
      );
      const over = queue.waiting.findIndex(({ pending }) => pending.untilMs > nowMs);
      for (const item of queue.waiting.splice(0, over < 0 ? queue.waiting.length : over))
        item.pending.reject(unavailable());
      this.#send(queue);
    }
  }

  /** Refuses its publishers. Says whether it has to be found out what became of it. */
  #withdraw(batch: PendingBatch, nowMs: number): boolean {
    if (batch.resolveUntilMs !== undefined) return nowMs < batch.resolveUntilMs;
    this.#refuse(batch);
    batch.resolveUntilMs = nowMs + RESOLVE_WITHIN_MS;
    return batch.sent !== undefined && batch.items.some(({ keep, once }) => once && !keep);
  }

  #refuse({ items, resolveUntilMs }: PendingBatch): void {
    if (resolveUntilMs !== undefined) return;
    for (const item of items) item.pending.reject(unavailable());
  }

  // ---- how it goes

  async #deliver(queue: ChannelQueue, batch: PendingBatch): Promise<void> {
    try {
      if (batch.resolveUntilMs !== undefined) await this.#resolveWithdrawn(queue.channelKey, batch);
      else if (batch.hasPosition) await this.#deliverWithPosition(queue.channelKey, batch);
      else await this.#deliverTransient(queue.channelKey, batch);
      queue.sending = queue.sending.filter((each) => each !== batch);
      queue.arrived = Math.max(queue.arrived, batch.number);
    } catch (error) {
      this.#takeBack(queue, batch, error);
    }
    this.#send(queue);
  }

  /** It may be sent again, unless something later of its channel has gone before. */
  #takeBack(queue: ChannelQueue, batch: PendingBatch, error: unknown): void {
    queue.sending = queue.sending.filter((each) => each !== batch);
    if (this.#isClosed || batch.number < queue.arrived) return this.#refuse(batch);
    batch.isRetry = true;
    queue.doubtful.push(batch);
    queue.doubtful.sort((a, b) => a.number - b.number);
    if (!(error instanceof NotSentError)) queue.pausedUntilMs = this.#clock.monotonicMs() + PAUSE_AFTER_ERROR_MS;
  }

  async #deliverTransient(channelKey: string, { items, number }: PendingBatch): Promise<void> {
    const encoded = items.map((item) => item.encoded);
    const text = encodeBatch({ sender: this.#sender, number }, encoded);
    const subject = this.#subjects.transient(channelKey);
    const { isRepeated } = await this.#store.appendOnce(subject, text, { id: this.#idOf({ number }) });
    // It arrived the first time, perhaps while no node was connected. Nodes that did receive it know its number.
    if (isRepeated) await this.#store.append(subject, text);
    for (const item of items) item.pending.resolve(undefined);
  }

  async #deliverWithPosition(channelKey: string, batch: PendingBatch): Promise<void> {
    await this.#store.keepFor(
      Math.max(...batch.items.map(({ keep, once }) => Math.max(keep?.ttlMs ?? 0, once?.ttlMs ?? 0))),
    );
    for (;;) {
      try {
        const head = batch.sent ? batch.sent.head : await this.#heads.get(channelKey);
        if (!batch.sent) await this.#answerRepeated(batch, head);
        if (batch.items.length === 0) return;
        const { epoch, previousOffset } = await this.#write(channelKey, batch, head);
        let offset = previousOffset;
        for (const { keep, pending } of batch.items) pending.resolve(keep && { epoch, offset: ++offset });
        return;
      } catch (error) {
        if (!(error instanceof WriteConflict)) throw error;
        this.#heads.invalidate(channelKey);
        batch.sent = undefined;
        if (batch.items.every(({ pending }) => pending.untilMs <= this.#clock.monotonicMs())) throw error;
      }
    }
  }

  /**
   * Answers what was published before. A node that replaces a head first notes its keys, so what was published under a key is either noted or
   * in the head. That was known before the notes are read: where another head comes after it, writing fails, and everything is looked up again.
   */
  async #answerRepeated(batch: PendingBatch, head: ChannelHead | undefined): Promise<void> {
    const isPublished = async ({ once }: PendingPublish): Promise<boolean> => {
      if (!once) return false;
      const inHead = head?.keys.get(once.key) ?? 0;
      if (inHead > this.#store.nowMs) return true;
      const noted = await this.#store.last(this.#subjects.ledger("published", once.key));
      return noted !== undefined && Number(noted.text) > this.#store.nowMs;
    };
    if (batch.items.every(({ once }) => !once)) return;
    const found = await Promise.all(batch.items.map(isPublished));
    for (const [at, item] of batch.items.entries()) if (found[at]) item.pending.resolve("repeated");
    batch.items = batch.items.filter((_, at) => !found[at]);
  }

  async #noteKeys({ keys }: ChannelHead): Promise<void> {
    const noted = [...keys].map(([key, untilMs]) =>
      this.#store.append(this.#subjects.ledger("published", key), String(untilMs)),
    );
    await Promise.all(noted);
  }

  /** Makes the batch the channel's head, and archives the former head for history. */
  async #write(channelKey: string, batch: PendingBatch, head: ChannelHead | undefined): Promise<BatchPosition> {
    const { items, number } = batch;
    const kept = items.flatMap(({ keep }) => keep ?? []);
    const size = kept.at(-1)?.size ?? head?.size ?? 0;
    if (head && head.keys.size > 0 && !batch.sent) await this.#noteKeys(head);
    batch.sent ??= this.#encode(batch, head, size);
    const { sent } = batch;
    const isNeeded = head !== undefined && kept.length < size;
    const archived = isNeeded
      ? this.#store.append(this.#subjects.archive(channelKey, slotOf(head.number, size)), head.text)
      : undefined;
    const written = this.#store.appendOnce(this.#subjects.head(channelKey), sent.text, {
      expect: head?.seq ?? 0,
      id: this.#idOf({ number }),
    });
    // Where only the first fails, history has a hole, and says so when it is asked for what was in it.
    const [{ seq, isRepeated }] = await Promise.all([written, archived?.catch(() => 0)]);
    if (isRepeated) await this.#sendUnkeptAgain(channelKey, batch);
    const { epoch, batch: place, previousOffset, atMs, floor = 0 } = sent.position;
    const stands = { epoch, number: place, offset: previousOffset + kept.length, size, atMs, floor };
    this.#heads.set(channelKey, { seq, text: sent.text, ...stands, keys: keysOf(items, atMs) });
    return sent.position;
  }

  #encode({ items, number }: PendingBatch, head: ChannelHead | undefined, size: number): SentBatch {
    const position: BatchPosition = {
      epoch: head?.epoch ?? crypto.randomUUID().slice(0, 18),
      batch: (head?.number ?? 0) + 1,
      previousOffset: head?.offset ?? 0,
      size,
      atMs: Math.max(Math.round(this.#store.nowMs), head?.atMs ?? 0),
      floor: head?.floor ?? 0,
    };
    const encoded = items.map((item) => item.encoded);
    return { head, position, text: encodeBatch({ sender: this.#sender, number, position }, encoded) };
  }

  async #resolveWithdrawn(channelKey: string, batch: PendingBatch): Promise<void> {
    const isWritten = await this.#store.isWritten(this.#subjects.head(channelKey), this.#idOf(batch));
    if (isWritten) await this.#sendUnkeptAgain(channelKey, batch);
  }

  /**
   * It is not known which nodes received it: what is kept is found in history, the rest is sent again for nodes that have not
   * received the batch of this number.
   */
  async #sendUnkeptAgain(channelKey: string, { items, number }: PendingBatch): Promise<void> {
    const unkept = items.flatMap(({ keep, encoded }) => (keep ? [] : encoded));
    if (unkept.length === 0) return;
    const text = encodeBatch({ sender: this.#sender, number }, unkept);
    await this.#store.append(this.#subjects.transient(channelKey), text);
  }

  #idOf({ number }: Pick<PendingBatch, "number">): string {
    return `${this.#sender}.${number}`;
  }
}
