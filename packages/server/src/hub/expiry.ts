/**
 * Tokens that end: the client is sent word in time to renew its token on the open connection; one that does not is closed. The
 * sweep looks at all connections, so that no connection has a timer of its own.
 */

import type { Connection } from "../domain/connection.ts";
import { Disconnect } from "../domain/error.ts";
import type { Push } from "../domain/message.ts";
import type { Clock } from "../domain/ports.ts";
import { checkRefresh, type RefreshHost } from "./refresh.ts";

/** So long before its token ends, a client is sent word. */
export const NOTICE_MS = 30_000;
/** Tokens that end in the same second end their connections over this time. With the sweep's second, it is five. */
const SPREAD_MS = 4_000;
const DEFAULT_TOLERANCE_S = 5;

/** As the hub is. */
interface Host extends RefreshHost {
  push(connection: Connection, push: Push): void;
}

/** The connection is the user's by this token from now on. */
export function setExpiry(
  connection: Connection,
  { expiresAtMs }: { readonly expiresAtMs?: number | undefined },
  clock: Clock,
): void {
  connection.expiryAnnounced = false;
  if (connection.backend) connection.backend.refresh = undefined;
  // By the clock that does not jump: the token was checked just now, by the other.
  connection.expiresAtMs =
    expiresAtMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() + expiresAtMs - clock.wallMs();
}

/** Sends word where it is time; a reason to disconnect where the time is over. */
export function checkExpiry(hub: Host, connection: Connection, nowMs: number): Disconnect | undefined {
  const leftMs = connection.expiresAtMs - nowMs;
  if (!(leftMs <= NOTICE_MS)) return undefined;
  const { token, hooks } = connection.app;
  if (token?.expiry === "ignore") return undefined;
  if (hooks?.refresh) return checkRefresh(hub, connection, nowMs, spreadOf(connection, SPREAD_MS));
  if (leftMs + (token?.clockToleranceS ?? DEFAULT_TOLERANCE_S) * 1000 + spreadOf(connection, SPREAD_MS) <= 0) {
    return new Disconnect("token_expired", "The token has expired: get another, then connect.");
  }
  if (!connection.expiryAnnounced) {
    connection.expiryAnnounced = true;
    hub.push(connection, { type: "expiring", afterMs: Math.max(0, Math.floor(leftMs)) });
  }
  return undefined;
}

/** Of so many milliseconds another part for each connection, and the same at each look. */
export function spreadOf({ id }: Connection, mostMs: number): number {
  return Number(id.slice(id.indexOf(".") + 1)) % mostMs || 0;
}
