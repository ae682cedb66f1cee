/** Waits for what is bound to become true, without guessing how long it takes. */

export interface Patience {
  readonly withinMs?: number;
  readonly everyMs?: number;
}

/** Tries the assertion until it passes, and answers with its result. Throws its last error when time is up. */
export async function eventually<T>(assertion: () => T | Promise<T>, patience: Patience = {}): Promise<T> {
  const { withinMs = 20_000, everyMs = 10 } = patience;
  const deadline = performance.now() + withinMs;
  while (true) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() >= deadline) throw error;
      await sleep(everyMs);
    }
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
