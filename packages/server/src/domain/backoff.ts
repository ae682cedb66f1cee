/** How long to wait before the next attempt: twice as long after each failure, less a random part so that many do not return at once. */

export interface BackoffRange {
  readonly minMs: number;
  readonly maxMs: number;
}

/** `failures` counts from 0. `random` is from 0 to 1; the less it is, the more is taken away, up to half. */
export function backoffMs(failures: number, { minMs, maxMs }: BackoffRange, random = 1): number {
  const pauseMs = Math.min(maxMs, minMs * 2 ** Math.min(failures, 30));
  return pauseMs * (0.5 + random / 2);
}
