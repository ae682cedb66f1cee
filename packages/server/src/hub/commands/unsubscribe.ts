/** Unsubscribe: out of the channel, whatever is still on its way there. */

import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { Command } from "../../domain/message.ts";
import type { Hub } from "../hub.ts";

type Unsubscribe = Extract<Command, { type: "unsubscribe" }>;

export async function unsubscribe(hub: Hub, connection: Connection, { channel, ref }: Unsubscribe): Promise<void> {
  if (!connection.isIn(channel)) {
    throw new CommandError("not_subscribed", `No current subscription to channel ${channel}.`);
  }
  await hub.leave(connection, channel);
  hub.push(connection, { type: "unsubscribed", channel, ...(ref !== undefined && { ref }) });
}
