/** Keys that are noted for a time, in a map that shrinks back to nothing. */

import type { Clock } from "../../domain/ports.ts";

export class ExpiringKeys {
  readonly #clock: Clock;
  /** Each with the time at which it is forgotten. */
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#untilMs.size;
  }

  /** Whether nobody noted it within the last `ttlMs`; notes it. */
  setIfAbsent(key: string, ttlMs: number): boolean {
    if (this.has(key)) return false;
    this.#untilMs.set(key, this.#clock.monotonicMs() + ttlMs);
    return true;
  }

  has(key: string): boolean {
    const untilMs = this.#untilMs.get(key);
    return untilMs !== undefined && untilMs > this.#clock.monotonicMs();
  }

  delete(key: string): void {
    this.#untilMs.delete(key);
  }

  prune(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, untilMs] of this.#untilMs) if (untilMs <= nowMs) this.#untilMs.delete(key);
  }

  clear(): void {
    this.#untilMs.clear();
  }
}
