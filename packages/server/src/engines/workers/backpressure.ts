/**
 * Lets those who publish wait while a node does not keep up. What they published is on its way already; only the answer
 * comes later, so that whoever waits for it publishes no faster than the slowest node works off.
 */

import type { Awaitable } from "../../domain/ports.ts";

/** One node that hangs does not hold everybody up for longer than this, and nobody is refused for it. */
const LONGEST_MS = 1_000;

export class Backpressure {
  readonly #isBehind: () => boolean;
  #waiting: (() => void)[] = [];
  #late: ReturnType<typeof setTimeout> | undefined;

  /** `isBehind` says whether some node has to catch up. */
  constructor(isBehind: () => boolean) {
    this.#isBehind = isBehind;
  }

  /** The value, when it is time. */
  delay<Value>(value: Value): Awaitable<Value> {
    if (!this.#isBehind()) return value;
    this.#late ??= setTimeout(() => this.release(), LONGEST_MS);
    return new Promise((resolve) => this.#waiting.push(() => resolve(value)));
  }

  /** A node has worked something off, or is no more. */
  check(): void {
    if (this.#waiting.length > 0 && !this.#isBehind()) this.release();
  }

  /** Whoever waits goes on. */
  release(): void {
    clearTimeout(this.#late);
    this.#late = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}
