/** How often one session may ask: what comes too fast is handled later, and refused where that does not help. */

import { spendTokens } from "../../hub/token-bucket.ts";
import type { Session } from "./session.ts";

/** However few frames an app allows: a client that polls asks after each event. */
const LEAST_PER_SECOND = 20;
/** A second's worth waits; what comes beyond that is refused. */
const MOST_WAIT_MS = 1_000;

/** Counts a request. For how many milliseconds it has to wait; undefined where too many wait already. */
export function takeRequest(session: Session, nowMs: number): number | undefined {
  const frames = session.connection?.app.limits.framesPerSecond ?? Number.POSITIVE_INFINITY;
  if (frames === Number.POSITIVE_INFINITY) return 0;
  const rate = Math.max(LEAST_PER_SECOND, frames);
  session.requests ??= { tokens: rate, atMs: nowMs };
  const { requests } = session;
  spendTokens(requests, nowMs, 1, rate, rate);
  const waitMs = Math.max(0, (-requests.tokens / rate) * 1000);
  if (waitMs <= MOST_WAIT_MS) return waitMs;
  // A refused one costs nothing, or it could never be tried again.
  requests.tokens++;
  return undefined;
}
