/**
 * Small values that several nodes change: each change is written after the value that it was made from, and made again where
 * another node was quicker. What is asked of one value while a change of it is on its way goes with the next, all at once.
 */

import type { Clock } from "../../domain/ports.ts";
import { record } from "../fields.ts";
import { Conflict, unavailable } from "./fault.ts";
import type { Store } from "./store.ts";

export type Value = Readonly<Record<string, unknown>>;

/** Looks at the value, puts another in its place by `set`, and answers. Called again, on another value, where somebody was quicker. */
export type Step<Answer> = (cell: Draft) => Answer;

export interface Draft {
  value: Value;
  isChanged: boolean;
  /** Done when the value is written: a step that is called again must find nothing of the first time. */
  readonly after: (() => void)[];
}

interface Asked {
  readonly step: Step<unknown>;
  readonly untilMs: number;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** Where the values are. */
export type Drawer = Pick<Store, "append" | "last">;

interface Known {
  readonly seq: number;
  readonly value: Value;
}

const MOST_CACHED = 10_000;
const PAUSE_AFTER_FAULT_MS = 50;

export class Cells {
  readonly #clock: Clock;
  readonly #store: Drawer;
  readonly #waitMs: number;
  readonly #cached = new Map<string, Known>();
  readonly #asked = new Map<string, Asked[]>();
  #isClosed = false;

  constructor(clock: Clock, store: Drawer, waitMs: number) {
    this.#clock = clock;
    this.#store = store;
    this.#waitMs = waitMs;
  }

  async change<Answer>(subject: string, step: Step<Answer>): Promise<Answer> {
    if (this.#isClosed) throw unavailable();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const asked: Asked = {
      step,
      untilMs: this.#clock.monotonicMs() + this.#waitMs,
      resolve: (answer) => resolve(answer as Answer),
      reject,
    };
    const waiting = this.#asked.get(subject);
    if (waiting) waiting.push(asked);
    else {
      this.#asked.set(subject, [asked]);
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

  /** Nothing that was known need be so any more. */
  clear(): void {
    this.#cached.clear();
  }

  close(): void {
    this.#isClosed = true;
    for (const asked of this.#asked.values()) for (const { reject } of asked) reject(unavailable());
  }

  async #run(subject: string): Promise<void> {
    for (;;) {
      // What is asked in one tick goes together.
      await Promise.resolve();
      const asked = this.#asked.get(subject) ?? [];
      if (asked.length === 0 || this.#isClosed) break;
      this.#asked.set(subject, []);
      await this.#settle(subject, asked);
    }
    this.#asked.delete(subject);
  }

  async #settle(subject: string, asked: readonly Asked[]): Promise<void> {
    for (;;) {
      try {
        const answers = await this.#attempt(subject, asked);
        for (const [at, { resolve }] of asked.entries()) resolve(answers[at]);
        return;
      } catch (error) {
        this.#cached.delete(subject);
        if (error instanceof Conflict) continue;
        const nowMs = this.#clock.monotonicMs();
        if (this.#isClosed || asked.every(({ untilMs }) => untilMs <= nowMs)) {
          for (const { reject } of asked) reject(unavailable());
          return;
        }
        await Bun.sleep(PAUSE_AFTER_FAULT_MS);
      }
    }
  }

  async #attempt(subject: string, asked: readonly Asked[]): Promise<readonly unknown[]> {
    const cached = this.#cached.get(subject);
    const known = cached ?? (await this.#fetch(subject));
    const draft: Draft = { value: known.value, isChanged: false, after: [] };
    const answers = asked.map(({ step }) => step(draft));
    if (!draft.isChanged) {
      if (!cached) return done(draft, answers);
      // What is written finds out that others wrote meanwhile; a "no" would go by an old value for ever.
      this.#cached.delete(subject);
      return this.#attempt(subject, asked);
    }
    const seq = await this.#store.append(subject, JSON.stringify(draft.value), { expect: known.seq });
    this.#cache(subject, { seq, value: draft.value });
    return done(draft, answers);
  }

  async #fetch(subject: string): Promise<Known> {
    const stored = await this.#store.last(subject);
    return stored ? { seq: stored.seq, value: record(JSON.parse(stored.text)) } : { seq: 0, value: {} };
  }

  #cache(subject: string, known: Known): void {
    if (this.#cached.size >= MOST_CACHED) this.#cached.clear();
    this.#cached.set(subject, known);
  }
}

function done<Answers>({ after }: Draft, answers: Answers): Answers {
  for (const each of after) each();
  return answers;
}
