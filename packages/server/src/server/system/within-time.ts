/** What a piece of work answers, unless it takes too long. */

/** Undefined when the time is over first. The work goes on; when it fails later, no one hears of it. */
export async function withinTime<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, ms, undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
