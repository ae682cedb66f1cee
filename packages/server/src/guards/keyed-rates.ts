/** A rate for each of many keys, such as clients' addresses, in bounded memory. */

import type { Clock } from "../domain/ports.ts";
import { type TokenBucket, takeToken } from "../hub/token-bucket.ts";

const MINUTE_MS = 60_000;
/** Most keys in one generation of two; then the older one is forgotten early. About 15 MB in all. */
const GENERATION = 50_000;

export class KeyedRates {
  readonly #clock: Clock;
  /**
   * Those used since the last turn, and those used between the two last turns: by the next they are full, and forgotten all
   * at once. (Taking the oldest out of one map, one by one, costs a walk over all that were taken out before.)
   */
  #young = new Map<string, TokenBucket>();
  #old = new Map<string, TokenBucket>();
  #turnedAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#turnedAtMs = clock.monotonicMs();
  }

  /** How many keys it remembers. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** Takes one of so many per minute; where there is none, the seconds until there is. So many may come at once. */
  take(key: string, perMinute: number, atOnce = perMinute): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#young.get(key) ?? this.#old.get(key) ?? { tokens: atOnce, atMs: nowMs };
    this.#young.set(key, bucket);
    if (this.#young.size >= GENERATION) this.#turn();
    return takeToken(bucket, nowMs, perMinute / 60, atOnce);
  }

  /** Whether there is none to take. */
  isSpent(key: string, perMinute: number, atOnce = perMinute): boolean {
    const bucket = this.#young.get(key) ?? this.#old.get(key);
    if (!bucket) return false;
    const isSpent = takeToken(bucket, this.#clock.monotonicMs(), perMinute / 60, atOnce) !== undefined;
    if (!isSpent) bucket.tokens++;
    return isSpent;
  }

  /** Forgets keys whose minute is over: their buckets are full again. Call it every second or two. */
  sweep(): void {
    if (this.#clock.monotonicMs() - this.#turnedAtMs >= MINUTE_MS) this.#turn();
  }

  #turn(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#turnedAtMs = this.#clock.monotonicMs();
  }
}
