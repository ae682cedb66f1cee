/**
 * Lets publishers wait while a worker does not keep up. What they published is on its way already; only the answer comes later, so
 * that a publisher who waits for it publishes no faster than the slowest worker processes.
 */

import type { Awaitable } from "../../domain/ports.ts";

/** One worker that hangs does not delay publishers for longer than this, and no publication is refused for it. */
const MAX_DELAY_MS = 1_000;

export class Backpressure {
  readonly #isBehind: () => boolean;
  #waiting: (() => void)[] = [];
  #late: ReturnType<typeof setTimeout> | undefined;

  /** `isBehind` says whether some worker has to catch up. */
  constructor(isBehind: () => boolean) {
    this.#isBehind = isBehind;
  }

  /** The value, when it is time. */
  delay<Value>(value: Value): Awaitable<Value> {
    if (!this.#isBehind()) return value;
    this.#late ??= setTimeout(() => this.release(), MAX_DELAY_MS);
    return new Promise((resolve) => this.#waiting.push(() => resolve(value)));
  }

  /** A worker has processed something, or is gone. */
  check(): void {
    if (this.#waiting.length > 0 && !this.#isBehind()) this.release();
  }

  release(): void {
    clearTimeout(this.#late);
    this.#late = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
