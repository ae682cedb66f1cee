/** The ledger of one process: quotas, token buckets, keys and numbers in maps that shrink back to nothing. */

import type { Clock, Ledger } from "../../domain/ports.ts";
import { type TokenBucket, takeToken } from "../../hub/token-bucket.ts";
import { ExpiringMap } from "./expiring-map.ts";

/** A bucket gains in a second what it holds, so one that was not used for that long is full again. */
const FULL_AFTER_MS = 1_000;

export class MemoryLedger implements Ledger {
  readonly #clock: Clock;
  /** By quota: its holders. */
  readonly #holders = new Map<string, Set<string>>();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #numbers: ExpiringMap<number>;
  readonly #keys: ExpiringMap<true>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#numbers = new ExpiringMap(clock);
    this.#keys = new ExpiringMap(clock);
  }

  acquire(quota: string, holder: string, limit: number): boolean {
    const holders = this.#holders.get(quota) ?? new Set<string>();
    if (holders.has(holder)) return true;
    if (holders.size >= limit) return false;
    this.#holders.set(quota, holders.add(holder));
    return true;
  }

  release(quota: string, holder: string): void {
    const holders = this.#holders.get(quota);
    if (holders?.delete(holder) && holders.size === 0) this.#holders.delete(quota);
  }

  takeToken(name: string, perSecond: number): number {
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(name) ?? { tokens: perSecond, atMs: nowMs };
    this.#buckets.set(name, bucket);
    return takeToken(bucket, nowMs, perSecond) ?? 0;
  }

  setIfAbsent(key: string, ttlMs: number): boolean {
    return this.#keys.setIfAbsent(key, true, ttlMs);
  }

  exists(key: string): boolean {
    return this.#keys.get(key) !== undefined;
  }

  delete(key: string): void {
    this.#keys.delete(key);
  }

  setMax(name: string, number: number, ttlMs: number): void {
    this.#numbers.set(name, Math.max(number, this.get(name) ?? number), ttlMs);
  }

  get(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  /** Removes what has expired. */
  prune(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#keys.prune();
    this.#numbers.prune();
    for (const [name, { atMs }] of this.#buckets) {
      if (nowMs - atMs >= FULL_AFTER_MS) this.#buckets.delete(name);
    }
  }

  /** How much it remembers. */
  get entries(): number {
    return this.#holders.size + this.#buckets.size + this.#numbers.size + this.#keys.size;
  }

  close(): void {
    this.#holders.clear();
    this.#buckets.clear();
    this.#numbers.clear();
    this.#keys.clear();
  }
}
