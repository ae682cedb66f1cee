/** What a channel receives when a user joins it, changes or leaves it: engines publish it in the step in which they write that. */

import { userOfOnlineChannel } from "./channel.ts";
import type { Member, MemberUpdate, Publication } from "./message.ts";
import type { PresenceEntry, PresenceUpdate } from "./ports.ts";

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

export function updatePublication({
  app,
  channel,
  member,
}: Pick<PresenceUpdate, "app" | "channel" | "member">): Publication {
  return { type: "updated", app, channel, member };
}

/** The member as the update leaves it. */
export function updatedMember<M extends Member>(member: M, { info, infoText, state }: MemberUpdate): M {
  const updated: { -readonly [Key in keyof M]: M[Key] } & { infoText?: string; state?: string } = { ...member };
  if (info !== undefined) {
    updated.info = info;
    delete updated.infoText;
    if (infoText !== undefined) updated.infoText = infoText;
  }
  if (state === null) delete updated.state;
  else if (state !== undefined) updated.state = state;
  return updated;
}
