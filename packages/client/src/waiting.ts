/** Waiting that ends: by a result, too late, or by an abort. */

import { after, type Environment } from "./environment.ts";
import { FanfareError } from "./errors.ts";
import { unsubscriber } from "./listeners.ts";
import type { Awaitable, Channel } from "./types.ts";

export function abortedError(signal: AbortSignal): FanfareError {
  return new FanfareError("aborted", "It was aborted.", { cause: signal.reason });
}

/** Rejects with `timeout`, and with `aborted` as soon as the signal says so; no timer is left then. */
export function within<T>(
  environment: Environment,
  ms: number,
  what: string,
  signal: AbortSignal | undefined,
  work: () => Awaitable<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) return reject(abortedError(signal));
    const stop = unsubscriber(() => {
      cancel();
      // Where it was settled before, this says nothing.
      if (signal?.aborted) reject(abortedError(signal));
    }, signal);
    const cancel = after(environment, ms, () => {
      reject(new FanfareError("timeout", `${what} took more than ${ms} ms.`, { retryable: true }));
      stop();
    });
    (async () => work())().then(resolve, reject).then(stop);
  });
}

/** Waits for a change after which `look` gives `true`, or an error to reject with. Rejects with `aborted` when the signal says so. */
export function until(
  watched: { subscribe(onChange: () => void): () => void },
  signal: AbortSignal | undefined,
  look: () => FanfareError | boolean | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => {
      const found = signal?.aborted ? abortedError(signal) : look();
      if (!found) return;
      stop();
      signal?.removeEventListener("abort", check);
      if (found === true) resolve();
      else reject(found);
    };
    const stop = watched.subscribe(check);
    signal?.addEventListener("abort", check);
    check();
  });
}

/** Waits until the channel is subscribed, which somebody has to hold meanwhile. Rejects if it is refused. */
export function whenAttached(channel: Channel, signal?: AbortSignal): Promise<void> {
  return until(channel, signal, () => {
    const { state, error } = channel.snapshot;
    return state === "attached" || (state === "refused" && error);
  });
}

export async function sleep(environment: Environment, ms: number, signal: AbortSignal): Promise<void> {
  const never = () => new Promise<never>(() => {});
  await within(environment, ms, "", signal, never).catch(() => {});
  if (signal.aborted) throw abortedError(signal);
}
