/** The ledger of one process: places, buckets and keys in maps that shrink back to nothing. */

import type { Clock, Ledger } from "../../domain/ports.ts";
import { type TokenBucket, takeToken } from "../../hub/token-bucket.ts";
import { ExpiringKeys } from "./expiring-keys.ts";

interface Level {
  readonly number: number;
  readonly untilMs: number;
}

/** A bucket gains in a second what it holds, so one that nobody asked for that long is full again. */
const FULL_AFTER_MS = 1_000;

export class MemoryLedger implements Ledger {
  readonly #clock: Clock;
  readonly #places = new Map<string, Set<string>>();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #levels = new Map<string, Level>();
  readonly #notes: ExpiringKeys;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#notes = new ExpiringKeys(clock);
  }

  acquire(place: string, holder: string, most: number): boolean {
    const holders = this.#places.get(place) ?? new Set<string>();
    if (holders.has(holder)) return true;
    if (holders.size >= most) return false;
    this.#places.set(place, holders.add(holder));
    return true;
  }

  release(place: string, holder: string): void {
    const holders = this.#places.get(place);
    if (holders?.delete(holder) && holders.size === 0) this.#places.delete(place);
  }

  takeToken(name: string, perSecond: number): number {
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(name) ?? { tokens: perSecond, atMs: nowMs };
    this.#buckets.set(name, bucket);
    return takeToken(bucket, nowMs, perSecond) ?? 0;
  }

  setIfAbsent(key: string, ttlMs: number): boolean {
    return this.#notes.setIfAbsent(key, ttlMs);
  }

  exists(key: string): boolean {
    return this.#notes.has(key);
  }

  delete(key: string): void {
    this.#notes.delete(key);
  }

  setMax(name: string, to: number, ttlMs: number): void {
    const untilMs = this.#clock.monotonicMs() + ttlMs;
    const before = this.#levels.get(name);
    const number = Math.max(to, this.get(name) ?? to);
    this.#levels.set(name, { number, untilMs: Math.max(untilMs, before?.untilMs ?? untilMs) });
  }

  get(name: string): number | undefined {
    const level = this.#levels.get(name);
    return level && level.untilMs > this.#clock.monotonicMs() ? level.number : undefined;
  }

  /** Forgets what no longer counts. */
  prune(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#notes.prune();
    for (const [name, { untilMs }] of this.#levels) if (untilMs <= nowMs) this.#levels.delete(name);
    for (const [name, { atMs }] of this.#buckets) {
      if (nowMs - atMs >= FULL_AFTER_MS) this.#buckets.delete(name);
    }
  }

  /** How much it remembers. */
  get entries(): number {
    return this.#places.size + this.#buckets.size + this.#levels.size + this.#notes.size;
  }

  close(): void {
    this.#places.clear();
    this.#buckets.clear();
    this.#levels.clear();
    this.#notes.clear();
  }
}
