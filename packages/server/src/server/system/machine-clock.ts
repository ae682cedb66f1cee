/** The time as this machine has it, and how late this process is for it. */

import type { Clock } from "../../domain/ports.ts";
import type { ScheduleTurn } from "../../hub/turn-queue.ts";

/** See `ScheduleTurn`. */
export const scheduleTurn: ScheduleTurn = (ms, run) => void (ms > 0 ? setTimeout(run, ms) : setImmediate(run));

export const machineClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/** How late this process runs its timers: what a busy event loop looks like from outside. */
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
