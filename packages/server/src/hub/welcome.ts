/**
 * Welcomes a client: the first frame it gets, with what it has to know of the server. One that says by its own first frame who it is
 * (`?auth=frame`), so that its token is in no address and no access log, is still at the door until then: what is wrong ends the
 * connection, as it would have during the handshake.
 */

import type { Connection } from "../domain/connection.ts";
import { CommandError, Disconnect } from "../domain/error.ts";
import type { Command, User } from "../domain/message.ts";
import type { Awaitable } from "../domain/ports.ts";
import type { Frame } from "../domain/transport.ts";
import { identify, signInOnConnect } from "./commands/signin.ts";
import type { Hub } from "./hub.ts";
import { clientLimits } from "./limits.ts";

export function welcome(hub: Hub, connection: Connection, user: User | undefined): void {
  const { frameBytes, activityTimeoutS } = hub.limits;
  const { id, app, backend, socket } = connection;
  hub.push(connection, {
    type: "welcome",
    connection: id,
    user,
    reconnectToken: backend?.reconnectToken,
    activityTimeoutS,
    frameBytes,
    limits: clientLimits(app),
    serverTimeMs: hub.clock.wallMs(),
    session: socket?.session,
  });
}

/** `pass` asks the guards. Rejects with what goes wrong once the client is welcome. */
export async function receiveFirstFrame(
  hub: Hub,
  connection: Connection,
  frame: Frame,
  pass: (command: Command) => Awaitable<Command>,
): Promise<void> {
  const askedAtMs = hub.clock.wallMs();
  let user: User;
  try {
    user = await userIn(hub, connection, frame, pass);
  } catch (error) {
    return hub.disconnect(connection, disconnectFor(hub, connection, error));
  }
  if (connection.closed) return;
  connection.awaitsAuthentication = false;
  hub.observe({ type: "opened", connection });
  welcome(hub, connection, user);
  await signInOnConnect(hub, connection, user, askedAtMs);
}

async function userIn(
  hub: Hub,
  connection: Connection,
  frame: Frame,
  pass: (command: Command) => Awaitable<Command>,
): Promise<User> {
  const command = connection.protocol.decode(frame);
  const passed = command.type === "signin" ? await pass(command) : command;
  if (passed.type === "signin") return identify(hub, connection, passed.by);
  throw new CommandError("malformed", `it is "${command.type}"`);
}

function disconnectFor(hub: Hub, connection: Connection, error: unknown): Disconnect {
  if (error instanceof Disconnect) return error;
  if (!(error instanceof CommandError)) {
    hub.observe({ type: "failed", error, during: "the first frame", connection });
    return new Disconnect("internal", "Something went wrong on the server.");
  }
  const { code, message } = error;
  if (code === "engine_unavailable" || code === "issuer_unavailable") return new Disconnect(code, message);
  if (code === "backend_unavailable") return new Disconnect(code, message, error.retryAfterMs, error.detail);
  if (code !== "malformed") return new Disconnect("token_invalid", message);
  return new Disconnect("unauthorized", `The first frame has to be authenticate (?auth=frame): ${message}`);
}
