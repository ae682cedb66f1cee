/** The token bucket: the one arithmetic behind every rate. It starts full, and what it holds may go in one burst. */

import type { TokenBucket } from "../domain/connection.ts";

export type { TokenBucket } from "../domain/connection.ts";

/** Takes a token; where there is none, the seconds until there is one. By default the bucket holds one second's worth. */
export function takeToken(
  bucket: TokenBucket,
  nowMs: number,
  perSecond: number,
  capacity = perSecond,
): number | undefined {
  refill(bucket, nowMs, perSecond, capacity);
  if (bucket.tokens < 1) return (1 - bucket.tokens) / perSecond;
  bucket.tokens--;
  return undefined;
}

/** Takes as many as were used, whether they were there or not: what is missing has to be refilled first. */
export function spendTokens(
  bucket: TokenBucket,
  nowMs: number,
  count: number,
  perSecond: number,
  capacity: number,
): void {
  refill(bucket, nowMs, perSecond, capacity);
  bucket.tokens -= count;
}

/** What a bucket holds now that held so many tokens some time ago. */
export function refilled(tokens: number, passedMs: number, perSecond: number, capacity: number): number {
  return Math.min(capacity, tokens + (passedMs / 1000) * perSecond);
}

function refill(bucket: TokenBucket, nowMs: number, perSecond: number, capacity: number): void {
  bucket.tokens = refilled(bucket.tokens, nowMs - bucket.atMs, perSecond, capacity);
  bucket.atMs = nowMs;
}
