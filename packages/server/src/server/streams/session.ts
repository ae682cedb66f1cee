/** A connection that outlives its HTTP requests. */

import type { Connection, TokenBucket } from "../../domain/connection.ts";
import type { Disconnect } from "../../domain/error.ts";
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
