/** Call: an event the protocol does not know is the program's own; its handler's result is the answer. */

import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { Command } from "../../domain/message.ts";
import type { Hub } from "../hub.ts";
import { checkEventName, takeEventToken } from "../limits.ts";

type Call = Extract<Command, { type: "call" }>;

export async function call(hub: Hub, connection: Connection, { event, data, ref }: Call): Promise<void> {
  checkEventName(connection.app, event);
  hub.checkReserved(event, true);
  takeEventToken(connection, hub.clock.monotonicMs());
  const { handleCall } = hub.deciders;
  if (!handleCall)
    throw new CommandError("unknown_command", `Nothing on this server handles ${JSON.stringify(event)}.`);
  const result = await handleCall(connection, event, data);
  if (ref !== undefined) hub.push(connection, { type: "result", data: result ?? null, ref });
}
