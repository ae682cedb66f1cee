/** What a channel is told when a user comes or goes for good: engines say it in the same breath in which they write it down. */

import { userOfOnlineChannel } from "./channel.ts";
import type { Publication } from "./message.ts";
import type { PresenceEntry } from "./ports.ts";

/** The newcomer's own connection does not hear it. */
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
