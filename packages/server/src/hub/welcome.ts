/** Welcomes a client: the first frame it gets, with what it has to know of the server. */

import type { Connection } from "../domain/connection.ts";
import type { User } from "../domain/message.ts";
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
