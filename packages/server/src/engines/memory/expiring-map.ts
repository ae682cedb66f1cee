/** Values that are remembered for a time, in a map that shrinks back to nothing. */

import type { Clock } from "../../domain/ports.ts";

interface Entry<Value> {
  readonly value: Value;
  readonly untilMs: number;
}

export class ExpiringMap<Value> {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry<Value>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    return entry && entry.untilMs > this.#clock.monotonicMs() ? entry.value : undefined;
  }

  /** For at least so long: a time that was longer already stays. */
  set(key: string, value: Value, ttlMs: number): void {
    const untilMs = Math.max(this.#clock.monotonicMs() + ttlMs, this.#entries.get(key)?.untilMs ?? 0);
    this.#entries.set(key, { value, untilMs });
  }

  /** Answers whether it was absent. */
  setIfAbsent(key: string, value: Value, ttlMs: number): boolean {
    if (this.get(key) !== undefined) return false;
    this.set(key, value, ttlMs);
    return true;
  }

  /** For no longer than that. */
  expire(key: string, ttlMs: number): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    const untilMs = Math.min(this.#clock.monotonicMs() + ttlMs, entry.untilMs);
    this.#entries.set(key, { value: entry.value, untilMs });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  prune(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { untilMs }] of this.#entries) if (untilMs <= nowMs) this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}
