/** Waiting that ends: by a result, too late, or by an abort. */

import { after, type Environment } from "./environment.ts";
import { FanfareError } from "./errors.ts";
import type { Awaitable } from "./types.ts";

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
    const abort = () => settle(() => reject(abortedError(signal as AbortSignal)));
    const settle = (how: () => void) => {
      cancel();
      signal?.removeEventListener("abort", abort);
      how();
    };
    const late = () => reject(new FanfareError("timeout", `${what} took more than ${ms} ms.`, { retryable: true }));
    const cancel = after(environment, ms, () => settle(late));
    signal?.addEventListener("abort", abort);
    (async () => work())().then(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => reject(error)),
    );
  });
}

export async function sleep(environment: Environment, ms: number, signal: AbortSignal): Promise<void> {
  const never = () => new Promise<never>(() => {});
  await within(environment, ms, "", signal, never).catch(() => {});
  if (signal.aborted) throw abortedError(signal);
}
