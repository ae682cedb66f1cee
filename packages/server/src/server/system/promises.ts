/** Promises of work: that may take too long, that has to wait for the work before it, or that is of another making. */

/** What a piece of work answers; undefined when the time is over first. The work goes on; when it fails later, no one hears of it. */
export async function withinTime<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, ms, undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a program's function returned, where that may be a promise of another making: a query, say, that runs only when it is waited for. */
export function nativePromise(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Promise) return value;
  return "then" in value && typeof value.then === "function" ? Promise.resolve(value) : value;
}

/** One piece of work after the other, whatever becomes of each. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }
}
