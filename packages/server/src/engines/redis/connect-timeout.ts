/** How long connecting to a server may take. */

import { type Address, addressText } from "./settings.ts";

/** Rejects with a sentence for people when the work takes longer. */
export async function withConnectTimeout<T>(ms: number, at: Address, work: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`no answer from Redis at ${addressText(at)} within ${ms} ms`)),
    ms,
  );
  try {
    return await Promise.race([work(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
