/** How late this process runs its timers: what a busy event loop looks like from outside. */

import type { Clock } from "../../domain/ports.ts";

export class EventLoopLag {
  readonly #clock: Clock;
  #lastMs: number;
  /** Of the last beat, in milliseconds. */
  ms = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.monotonicMs();
  }

  /** Call it from a timer of that period. */
  tick(periodMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.ms = Math.max(0, Math.round(nowMs - this.#lastMs - periodMs));
    this.#lastMs = nowMs;
  }
}
