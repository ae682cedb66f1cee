/** Writes the numbers down once an interval; a database that is away costs only resolution. */

import type { Awaitable, Clock } from "../../domain/ports.ts";

/** `Counted` is what is written of an app. */
export interface StatisticsOptions<Counted> {
  readonly counters: {
    /** What came since the last time, by the app's id. */
    take(): Map<string, Counted>;
    giveBack(taken: ReadonlyMap<string, Counted>): void;
  };
  readonly store: { add(taken: ReadonlyMap<string, Counted>, atMs: number, intervalMs: number): Awaitable<void> };
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Whether an app's numbers are kept. */
  readonly wants: (app: string) => boolean;
  readonly failed: (error: unknown, during: string) => void;
}

export class Statistics<Counted> {
  readonly #options: StatisticsOptions<Counted>;
  #timer: ReturnType<typeof setInterval> | undefined;
  #writing: Promise<void> | undefined;
  #isAway = false;

  constructor(options: StatisticsOptions<Counted>) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.snapshot(), this.#options.intervalMs);
    this.#timer.unref?.();
  }

  /** Writes what was counted since the last time. Never throws; what cannot be written is written with the next. */
  snapshot(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  /** Writes the last numbers. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
    await this.snapshot();
  }

  async #write(): Promise<void> {
    const { counters, store, clock, intervalMs, wants, failed } = this.#options;
    const taken = counters.take();
    for (const app of taken.keys()) if (!wants(app)) taken.delete(app);
    try {
      await store.add(taken, clock.wallMs(), intervalMs);
      this.#isAway = false;
    } catch (error) {
      counters.giveBack(taken);
      if (!this.#isAway) failed(error, "writing statistics to the database");
      this.#isAway = true;
    }
  }
}
