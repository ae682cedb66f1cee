/** Waiting that an AbortSignal ends. */

/** Rejects with the signal's reason once it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Which comes first: the promise (it may reject), the end of the time, or the abort. Never rejects. */
export function firstOf(
  promise: Promise<unknown>,
  ms: number,
  signal: AbortSignal | undefined,
): Promise<"settled" | "time" | "aborted"> {
  return new Promise((resolve) => {
    const end = (what: "settled" | "time" | "aborted") => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      resolve(what);
    };
    const onAbort = () => end("aborted");
    const timer = setTimeout(end, ms, "time");
    const onSettled = () => end("settled");
    promise.then(onSettled, onSettled);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}
