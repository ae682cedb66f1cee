/** A connection that outlives its HTTP requests: whose it is, and how often it may ask. */

import type { Connection, TokenBucket } from "../../domain/connection.ts";
import type { Disconnect } from "../../domain/error.ts";
import { spendTokens } from "../../hub/token-bucket.ts";
import type { CommandQueue } from "./commands.ts";
import type { HttpSocket } from "./http-socket.ts";

export interface Session {
  readonly id: string;
  /** The page's, which all of its requests have in common: see `isOfPage`. */
  origin: string | null;
  /** It was opened by a GET that named no origin. */
  readonly isUnnamed: boolean;
  readonly socket: HttpSocket;
  /** Undefined where it was not let in: then the socket has the reason, and is closed. */
  readonly connection: Connection | undefined;
  /** Why it was not let in. */
  readonly refusal: Disconnect | undefined;
  /** Settles when what the client sent so far is handled. */
  sending: Promise<unknown>;
  /** What a client sends that numbers its commands. */
  readonly commands: CommandQueue;
  /** How many requests it may still make. Only where there is a limit. */
  requests?: TokenBucket;
  /** When other nodes were last told that it is here; undefined where its id says so. */
  notedAtMs: number | undefined;
}

/**
 * Browsers name no origin where a page reads from its own by GET, as an EventSource does, but with all that it sends. The first that
 * such a session hears of is its page's.
 */
export function isOfPage(session: Session, origin: string | null): boolean {
  if (!session.isUnnamed) return session.origin === origin;
  session.origin ??= origin;
  return origin === null || session.origin === origin;
}

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
