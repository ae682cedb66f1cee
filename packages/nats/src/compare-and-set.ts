/**
 * Small values that several nodes change: each change is written only over the value that it was made from, and made again where
 * another node was quicker. Changes that wait while one of the same value is on its way go together with the next.
 */

import { asRecord, type Clock } from "fanfare/engine";
import { unavailable, WriteConflict } from "./errors.ts";
import type { StoredMessage } from "./read-stream.ts";
import type { AppendOptions } from "./stream.ts";

export type Value = Readonly<Record<string, unknown>>;

/** Reads the value, may put another in its place by `set`, and answers. Called again, on another value, where another node was quicker. */
export type Updater<Answer> = (update: Update) => Answer;

export class Update {
  value: Value;
  isChanged = false;
  /** Runs when the value is written: an updater that is called again must find nothing of the first time. */
  readonly after: (() => void)[] = [];

  constructor(value: Value) {
    this.value = value;
  }

  set(value: Value): void {
    this.value = value;
    this.isChanged = true;
  }
}

/** Where the values are kept. */
export interface LastValueStore {
  /** Throws WriteConflict. */
  append(subject: string, text: string, options: AppendOptions): Promise<number>;
  last(subject: string): Promise<StoredMessage | undefined>;
}

interface PendingUpdate {
  readonly updater: Updater<unknown>;
  readonly untilMs: number;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

interface VersionedValue {
  readonly seq: number;
  readonly value: Value;
}

const MAX_CACHED = 10_000;
const PAUSE_AFTER_ERROR_MS = 50;

export class CompareAndSetStore {
  readonly #clock: Clock;
  readonly #store: LastValueStore;
  readonly #waitMs: number;
  readonly #cached = new Map<string, VersionedValue>();
  readonly #pending = new Map<string, PendingUpdate[]>();
  #isClosed = false;

  constructor(clock: Clock, store: LastValueStore, waitMs: number) {
    this.#clock = clock;
    this.#store = store;
    this.#waitMs = waitMs;
  }

  async update<Answer>(subject: string, updater: Updater<Answer>): Promise<Answer> {
    if (this.#isClosed) throw unavailable();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const untilMs = this.#clock.monotonicMs() + this.#waitMs;
    const update = { updater, untilMs, resolve: (answer: unknown) => resolve(answer as Answer), reject };
    const pending = this.#pending.get(subject);
    if (pending) pending.push(update);
    else {
      this.#pending.set(subject, [update]);
      void this.#run(subject);
    }
    return promise;
  }

  /** As the stream has it; empty where it has none. */
  async read(subject: string): Promise<Value> {
    try {
      return (await this.#fetch(subject)).value;
    } catch {
      throw unavailable();
    }
  }

  /** Of the value that was written last, as far as that is known. */
  sequence(subject: string): number {
    return this.#cached.get(subject)?.seq ?? 0;
  }

  clear(): void {
    this.#cached.clear();
  }

  close(): void {
    this.#isClosed = true;
    for (const { reject } of [...this.#pending.values()].flat()) reject(unavailable());
  }

  async #run(subject: string): Promise<void> {
    for (;;) {
      // What is asked in one tick goes together.
      await Promise.resolve();
      const pending = this.#pending.get(subject) ?? [];
      if (pending.length === 0 || this.#isClosed) break;
      this.#pending.set(subject, []);
      await this.#runAll(subject, pending);
    }
    this.#pending.delete(subject);
  }

  async #runAll(subject: string, pending: readonly PendingUpdate[]): Promise<void> {
    for (;;) {
      try {
        const answers = await this.#attempt(subject, pending);
        for (const [at, { resolve }] of pending.entries()) resolve(answers[at]);
        return;
      } catch (error) {
        this.#cached.delete(subject);
        if (error instanceof WriteConflict) continue;
        const nowMs = this.#clock.monotonicMs();
        if (this.#isClosed || pending.every(({ untilMs }) => untilMs <= nowMs)) {
          for (const { reject } of pending) reject(unavailable());
          return;
        }
        await Bun.sleep(PAUSE_AFTER_ERROR_MS);
      }
    }
  }

  async #attempt(subject: string, pending: readonly PendingUpdate[]): Promise<readonly unknown[]> {
    const cached = this.#cached.get(subject);
    const known = cached ?? (await this.#fetch(subject));
    const update = new Update(known.value);
    const answers = pending.map(({ updater }) => updater(update));
    if (!update.isChanged && cached) {
      // A write finds out that others wrote meanwhile; a "no" would go by an old value for ever.
      this.#cached.delete(subject);
      return this.#attempt(subject, pending);
    }
    if (update.isChanged) {
      const seq = await this.#store.append(subject, JSON.stringify(update.value), { expect: known.seq });
      this.#cache(subject, { seq, value: update.value });
    }
    for (const run of update.after) run();
    return answers;
  }

  async #fetch(subject: string): Promise<VersionedValue> {
    const stored = await this.#store.last(subject);
    return stored ? { seq: stored.seq, value: asRecord(JSON.parse(stored.text)) } : { seq: 0, value: {} };
  }

  #cache(subject: string, known: VersionedValue): void {
    if (this.#cached.size >= MAX_CACHED) this.#cached.clear();
    this.#cached.set(subject, known);
  }
}
