/** Presence: what a client says of itself as a member of a channel, for all others who are there. */

import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { Command } from "../../domain/message.ts";
import type { Hub } from "../hub.ts";
import { checkMemberState, takeMemberUpdateToken } from "../limits.ts";

type Presence = Extract<Command, { type: "presence" }>;

export async function setState(hub: Hub, connection: Connection, command: Presence): Promise<void> {
  const { channel, state, ref } = command;
  takeMemberUpdateToken(connection, hub.clock.monotonicMs());
  if (state !== null) checkMemberState(connection.app, state);
  const member = connection.memberIn(channel);
  if (!member || !(await hub.memberUpdates.update(connection, channel, { id: member.id, state }))) {
    throw new CommandError("not_subscribed", `The connection is not a member of channel ${channel}.`);
  }
  if (ref !== undefined) hub.push(connection, { type: "presence", channel, ref });
}
