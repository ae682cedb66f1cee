/** How long events take to reach their readers, counted in classes, so that the counts of several nodes can be added up. */

/** Upper bounds of the classes, in seconds. Redis on the same machine answers in a tenth of a millisecond. */
export const LATENCY_BOUNDS_S = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

/**
 * What so large a part of them took at most, in milliseconds: 0.99 for all but the slowest in a hundred. `counts` are those of the
 * classes in their order, and one of what took longer than the last bound, which is then the answer. Undefined where none was timed.
 */
export function latencyQuantileMs(counts: readonly number[], part: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let before = 0;
  for (const [index, boundS] of LATENCY_BOUNDS_S.entries()) {
    const count = counts[index] ?? 0;
    if (count > 0 && before + count >= part * total) {
      const fromS = LATENCY_BOUNDS_S[index - 1] ?? 0;
      return (fromS + (boundS - fromS) * ((part * total - before) / count)) * 1000;
    }
    before += count;
  }
  return (LATENCY_BOUNDS_S.at(-1) ?? 0) * 1000;
}
