/** Taking a connection out of a channel that its client did not ask to leave. */

import type { Connection } from "../domain/connection.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { Push } from "../domain/message.ts";
import { holdTurn } from "./turns.ts";

/** As the hub is. */
export interface ExpelHost {
  leave(connection: Connection, channel: string): Promise<void>;
  push(connection: Connection, push: Push): void;
  observe(event: HubEvent): void;
}

/** Takes the connection out of the channel. Whether it was in it. What the client sent next waits until the cluster knows. */
export function expel(hub: ExpelHost, connection: Connection, channel: string, code: string, message: string): boolean {
  if (!connection.isIn(channel)) return false;
  const left = hub.leave(connection, channel).catch((error) => {
    hub.observe({ type: "failed", error, during: `taking a connection out of ${channel}`, connection });
  });
  hub.push(connection, { type: "unsubscribed", channel, by: { code, message } });
  holdTurn(connection, left);
  return true;
}
