/**
 * How long a client may stay. Tokens end: the client is sent word in time to renew its token on the open connection, or its app's back
 * end is asked whether it may go on; one that may not is closed. And a node that is cut off hears of nobody who may no longer stay:
 * after a time, if one is set, it lets go whom it cannot vouch for. The sweep looks at all connections, so that none has a timer.
 */

import { type App, isReserved } from "../domain/app.ts";
import type { BackendContext, Connection } from "../domain/connection.ts";
import { Disconnect } from "../domain/error.ts";
import type { Push, User } from "../domain/message.ts";
import type { Clock, EngineHealth } from "../domain/ports.ts";
import { type ExpelHost, leaveWithdrawn } from "./grants.ts";
import type { Deciders } from "./options.ts";
import type { AuthProof } from "./revocations.ts";

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

// ---- the app's back end is asked whether a connection may go on whose token, or what a hook said of it, is about to end

/** As the hub is. */
export interface RefreshHost extends ExpelHost {
  readonly clock: Clock;
  readonly deciders: Pick<Deciders, "refresh">;
  readonly users: { signIn(connection: Connection, user: User, proof: AuthProof): Promise<void> };
  readonly memberUpdates: { showIdentity(connection: Connection, before: User | undefined): void };
  disconnect(connection: Connection, why: Disconnect): void;
}

/** Where there was no answer it is asked again: soon while there is time, and then once a minute. */
const AGAIN_MS = 5_000;
const LATE_AGAIN_MS = 60_000;
/** So long after the end the connection goes on without an answer. */
const GRACE_MS = 600_000;
/** An answer that sets no end is one for so long. */
const DEFAULT_MS = 300_000;

/** A reason to disconnect where the back end did not answer for too long. Call it every second or so, once the end is near. */
function checkRefresh(
  host: RefreshHost,
  connection: Connection,
  nowMs: number,
  spreadMs: number,
): Disconnect | undefined {
  const { expiresAtMs, app } = connection;
  connection.backend ??= { forwarded: {} };
  const { backend } = connection;
  backend.refresh ??= {
    atMs: nowMs + Math.max(0, Math.min(spreadMs, (expiresAtMs - nowMs) / 2)),
    untilMs: expiresAtMs + GRACE_MS,
  };
  const { atMs, untilMs } = backend.refresh;
  if (nowMs > untilMs && app.hooks?.refresh?.whenDown !== "allow") {
    return new Disconnect("token_expired", "The app's back end could not be asked whether the connection may go on.");
  }
  if (nowMs < atMs) return undefined;
  backend.refresh.atMs = Number.POSITIVE_INFINITY;
  void ask(host, connection, backend).catch((error: unknown) => {
    // What the back end gave cannot be: it is asked again.
    askAgain(host, connection, backend);
    host.observe({ type: "failed", error, during: "the hook refresh", connection });
  });
  return undefined;
}

async function ask(host: RefreshHost, connection: Connection, backend: BackendContext): Promise<void> {
  const atMs = host.clock.wallMs();
  try {
    const answer = await host.deciders.refresh?.(connection);
    if (connection.closed) return;
    if (answer === undefined || answer === "unknown") return askAgain(host, connection, backend);
    const outdated = () => new Disconnect("terminated", "The app's back end ended this user's connections.");
    if (answer.user) {
      const { user: before } = connection;
      await host.users.signIn(connection, answer.user, { atMs, outdated });
      leaveWithdrawn(host, connection);
      host.memberUpdates.showIdentity(connection, before);
    }
    const { clock } = host;
    const leftMs = answer.expiresAtMs === undefined ? DEFAULT_MS : answer.expiresAtMs - clock.wallMs();
    connection.expiresAtMs = clock.monotonicMs() + leftMs;
    backend.refresh = undefined;
  } catch (error) {
    if (!(error instanceof Disconnect)) throw error;
    host.disconnect(connection, error);
  }
}

function askAgain({ clock }: RefreshHost, { expiresAtMs }: Connection, { refresh }: BackendContext): void {
  const nowMs = clock.monotonicMs();
  if (refresh) refresh.atMs = nowMs + (nowMs < expiresAtMs ? AGAIN_MS : LATE_AGAIN_MS);
}

// ---- an engine that has been away for too long

/** As the hub is. */
interface DoubtHost {
  readonly health: EngineHealth;
  readonly limits: { readonly accessDoubtS?: number };
  connections(app?: Pick<App, "id">): Iterable<Connection>;
  disconnect(connection: Connection, why: Disconnect): void;
}

/** Ends those that are signed in or in private channels, once the engine has been away for longer. Call it every second or two. */
export function endDoubtful(hub: DoubtHost): void {
  const { health, limits } = hub;
  if (limits.accessDoubtS === undefined || health.reachable || health.sinceMs < limits.accessDoubtS * 1000) return;
  const message = `This server has been cut off for ${limits.accessDoubtS} s, and cannot say whether this client may stay (accessDoubtS).`;
  for (const connection of [...hub.connections()]) {
    if (connection.isAuthenticated && !isReserved(connection.app)) {
      hub.disconnect(connection, new Disconnect("engine_unavailable", message));
    }
  }
}
