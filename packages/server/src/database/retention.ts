/** Forgets once a day what is older than it is to be kept: by the page, between which messages pass. */

import { yieldToMessages } from "./transact.ts";

export interface RetentionRule {
  /** For people: "statistics". */
  readonly name: string;
  readonly keepDays: number;
  /** Forgets what is from before that time, and tells after each page how many rows went with it. */
  forget(beforeMs: number): AsyncGenerator<number>;
}

export interface RetentionOptions {
  readonly rules: readonly RetentionRule[];
  readonly wallMs: () => number;
  readonly failed: (error: unknown, during: string) => void;
}

/** Rows that are forgotten at a time: 3 ms in SQLite. */
export const DELETE_PAGE = 500;
const DAY_MS = 24 * 3_600_000;
const AGAIN_MS = 3_600_000;

export class RetentionJob {
  readonly #options: RetentionOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** At once, and from then on by itself. */
  start(): void {
    void this.run();
  }

  /** Never throws: what cannot be forgotten now is forgotten an hour later. */
  run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** What is not forgotten yet is forgotten after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { rules: all, wallMs, failed } = this.#options;
    let pauseMs = DAY_MS;
    for (const kept of all) {
      try {
        for await (const _ of kept.forget(timeBefore(wallMs(), kept.keepDays))) {
          if (this.#closed) return;
          await yieldToMessages();
        }
      } catch (error) {
        pauseMs = AGAIN_MS;
        if (!this.#closed) failed(error, `forgetting old ${kept.name}`);
      }
    }
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.run(), pauseMs);
    this.#timer.unref?.();
  }
}

/** Forgets all of it; how many rows. */
export async function forgetAll(pages: AsyncGenerator<number>): Promise<number> {
  let sum = 0;
  for await (const count of pages) sum += count;
  return sum;
}

export function timeBefore(nowMs: number, days: number): number {
  return Math.max(0, nowMs - days * DAY_MS);
}
