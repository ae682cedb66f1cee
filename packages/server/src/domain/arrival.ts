/** What a channel is told when a user comes or goes for good: engines say it in the same breath in which they write it down. */

import { userOfOnlineChannel } from "./channel.ts";
import type { Publication } from "./message.ts";
import type { Row } from "./ports.ts";

/** The newcomer's own connection does not hear it. */
export function arrivalOf({ app, channel, connection, member }: Row): Publication {
  const user = userOfOnlineChannel(channel);
  if (user !== undefined) return { type: "online", app, channel, user };
  return { type: "joined", app, channel, member, except: [connection] };
}

export function departureOf({ app, channel, member }: Pick<Row, "app" | "channel" | "member">): Publication {
  const user = userOfOnlineChannel(channel);
  if (user !== undefined) return { type: "offline", app, channel, user };
  return { type: "left", app, channel, member: { id: member.id } };
}
