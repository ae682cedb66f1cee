/** What a channel receives when a user joins or leaves it: engines publish it in the step in which they write the entry. */

import { userOfOnlineChannel } from "./channel.ts";
import type { Publication } from "./message.ts";
import type { PresenceEntry } from "./ports.ts";

/** The user's own connection does not receive it. */
export function joinPublication({ app, channel, connection, member }: PresenceEntry): Publication {
  const user = userOfOnlineChannel(channel);
  if (user !== undefined) return { type: "online", app, channel, user };
  return { type: "joined", app, channel, member, except: [connection] };
}

export function leavePublication({
  app,
  channel,
  member,
}: Pick<PresenceEntry, "app" | "channel" | "member">): Publication {
  const user = userOfOnlineChannel(channel);
  if (user !== undefined) return { type: "offline", app, channel, user };
  return { type: "left", app, channel, member: { id: member.id } };
}
