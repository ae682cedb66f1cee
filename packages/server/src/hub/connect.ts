/** A client connects: it is taken in, welcomed, and signed in where a token came with it. One that sends its token in its first frame waits. */

import type { Connection } from "../domain/connection.ts";
import { Disconnect } from "../domain/error.ts";
import type { User } from "../domain/message.ts";
import type { Socket } from "../domain/transport.ts";
import { signInOnConnect } from "./commands/signin.ts";
import { takeTurn } from "./execute.ts";
import { setExpiry } from "./expiry.ts";
import type { Hub } from "./hub.ts";
import { welcome } from "./welcome.ts";

/** Never throws; a client for which there is no room is closed with that reason. */
export function connect(hub: Hub, connection: Connection, socket: Socket, user: User | undefined): void {
  try {
    hub.open(connection, socket);
  } catch (error) {
    return reject(hub, connection, socket, error);
  }
  if (connection.awaitsAuthentication) return;
  welcome(hub, connection, user);
  if (user) return takeTurn(hub, connection, signInOnConnect(hub, connection, user));
  if (connection.backend) setExpiry(connection, { expiresAtMs: connection.backend.endsAtMs }, hub.clock);
}

function reject(hub: Hub, connection: Connection, socket: Socket, error: unknown): void {
  const known = error instanceof Disconnect;
  if (!known) hub.observe({ type: "failed", error, during: "opening a connection" });
  const why = known ? error : new Disconnect("internal", "Something went wrong on the server.");
  connection.closed = true;
  connection.disconnectReason = why;
  hub.quotas.releaseConnection(connection);
  hub.observe({ type: "rejected", address: connection.address, why, app: connection.app });
  const { frame, code, reason } = connection.protocol.encodeClose(why);
  if (frame !== undefined) socket.send(frame);
  socket.close(code, reason);
}
