/** The token bucket: the one arithmetic behind every rate. It starts full, and what it holds may go in one burst. */

export interface TokenBucket {
  tokens: number;
  atMs: number;
}

/** What is in a bucket now. By default it holds one second's worth; a negative number is one never used, and full. */
export function refill(tokens: number, sinceMs: number, nowMs: number, perSecond: number, holds = perSecond): number {
  if (tokens < 0) return holds;
  return Math.min(holds, tokens + ((nowMs - sinceMs) / 1000) * perSecond);
}

/** Takes a token; where there is none, the seconds until there is one. */
export function takeToken(
  bucket: TokenBucket,
  nowMs: number,
  perSecond: number,
  holds = perSecond,
): number | undefined {
  const left = refill(bucket.tokens, bucket.atMs, nowMs, perSecond, holds);
  bucket.atMs = nowMs;
  bucket.tokens = left < 1 ? left : left - 1;
  return left < 1 ? (1 - left) / perSecond : undefined;
}
