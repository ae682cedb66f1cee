/** Asks the app's back end whether a connection may go on whose token, or what a hook said of it, is about to end. */

import type { BackendContext, Connection } from "../domain/connection.ts";
import { Disconnect } from "../domain/error.ts";
import type { User } from "../domain/message.ts";
import type { Clock } from "../domain/ports.ts";
import type { ExpelHost } from "./expel.ts";
import { leaveWithdrawn } from "./grants.ts";
import type { Deciders } from "./options.ts";
import type { AuthProof } from "./revocations.ts";

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
export function checkRefresh(
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
