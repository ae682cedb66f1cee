/** Limits how often one app calls the HTTP API. */

import type { App } from "../domain/app.ts";
import { CommandError, isEngineAway } from "../domain/error.ts";
import type { Awaitable, Clock, Engine, Guard } from "../domain/ports.ts";
import { andThen } from "../hub/awaitable.ts";
import { type TokenBucket, takeToken } from "../hub/token-bucket.ts";

/** How long a call waits for the cluster's count. */
const LEDGER_TIMEOUT_MS = 500;

/**
 * Counts signed calls, in the whole cluster: calls without a valid signature are rejected before, and cost the app nothing. While the
 * engine cannot count, each node limits the rate by itself.
 */
export function apiRateGuard(engine: Pick<Engine, "ledger" | "health">, clock: Clock): Guard {
  const local = new Map<string, TokenBucket>();
  const takeLocally = ({ id }: App, rate: number): number => {
    const bucket = local.get(id) ?? { tokens: rate, atMs: clock.monotonicMs() };
    local.set(id, bucket);
    return takeToken(bucket, clock.monotonicMs(), rate) ?? 0;
  };
  const take = (app: App, rate: number): Awaitable<void> => {
    const shared = engine.health().reachable ? inTime(engine.ledger.takeToken(`api ${app.id}`, rate)) : undefined;
    return andThen(shared, (counted) => {
      if (counted !== undefined) local.delete(app.id);
      if ((counted ?? takeLocally(app, rate)) === 0) return;
      throw new CommandError("rate_limited", `More than ${rate} API calls in a second (apiRequestsPerSecond).`);
    });
  };
  return {
    apiCall(app) {
      const rate = app.limits.apiRequestsPerSecond;
      return rate === Number.POSITIVE_INFINITY ? undefined : take(app, rate);
    },
  };
}

/** What the ledger answers; undefined where it is unavailable or slow. */
function inTime(asked: Awaitable<number>): Awaitable<number | undefined> {
  if (!(asked instanceof Promise)) return asked;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, LEDGER_TIMEOUT_MS);
  return Promise.race([asked, promise])
    .catch((error: unknown) => {
      if (isEngineAway(error)) return undefined;
      throw error;
    })
    .finally(() => clearTimeout(timer));
}
