/** Subscribe: may the client be in this channel, and as whom? Then it is, and hears so before anything else from it. */

import type { App } from "../../domain/app.ts";
import { channelOf, matches, type Traits, traitsOf, userChannel, userOfChannel } from "../../domain/channel.ts";
import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { Membership } from "../../domain/memberships.ts";
import type { Command, Member, Proof } from "../../domain/message.ts";
import type { Hub } from "../hub.ts";
import { checkChannelName, checkUserId, isLongerThan, takeSubscribeToken } from "../limits.ts";
import { checkChannelProof } from "../signature.ts";

type Subscribe = Extract<Command, { type: "subscribe" }>;

export function subscribe(hub: Hub, connection: Connection, command: Subscribe): Promise<void> | undefined {
  checkLimits(hub, connection, command);
  const member = admit(connection, command);
  return act(hub, connection, command, member);
}

function checkLimits(hub: Hub, connection: Connection, { channel }: Subscribe): void {
  const { app } = connection;
  checkChannelName(app, channel);
  if (connection.isIn(channel)) {
    throw new CommandError("already_subscribed", `Existing subscription to channel ${channel}`);
  }
  if (channelCount(connection) >= app.limits.channelsPerConnection) {
    const most = app.limits.channelsPerConnection;
    throw new CommandError("too_many_channels", `A connection may be in ${most} channels at a time.`);
  }
  const { maxSubscribers } = (hub.channel(app, channel) ?? channelOf(app, channel)).policy;
  if (hub.subscribersHere(app, channel) >= maxSubscribers) {
    throw new CommandError(
      "channel_full",
      `The channel has ${maxSubscribers} subscribers, which is as many as it may.`,
    );
  }
  takeSubscribeToken(connection, hub.clock.monotonicMs());
}

/** The user's own channel comes with signing in, so it takes no room from those the client asks for. */
function channelCount({ memberships, user }: Connection): number {
  if (!memberships) return 0;
  return memberships.size - (user && memberships.has(userChannel(user.id)) ? 1 : 0);
}

/** As whom the client may be in the channel; undefined in channels without members. Throws where it may not. */
function admit(connection: Connection, command: Subscribe): Membership {
  const { channel, proof } = command;
  const owner = userOfChannel(channel);
  if (owner !== undefined) return checkOwner(connection, channel, owner);
  const traits = traitsOf(channel);
  if (!traits.private) return undefined;
  if (proof) checkChannelProof(connection.app, connection.id, channel, proof);
  else checkGrant(connection, channel);
  connection.proven = true;
  return membershipOf(connection, traits, proof);
}

function checkOwner(connection: Connection, channel: string, owner: string): undefined {
  if (connection.user?.id === owner) return undefined;
  throw new CommandError("unauthorized", `Only a connection signed in as that user may subscribe to ${channel}.`);
}

/** Without a signature, the token the client came with has to name the channel. */
function checkGrant({ user }: Connection, channel: string): void {
  if (user?.channels?.some((pattern) => matches(pattern, channel))) return;
  throw new CommandError(
    "unauthorized",
    `The channel ${channel} needs permission: a signature by the app's back end, or a token that names it.`,
  );
}

function membershipOf(connection: Connection, traits: Traits, proof: Proof | undefined): Membership {
  if (!traits.presence) return undefined;
  const member = proof?.data === undefined ? memberOfUser(connection) : parseMember(connection, proof.data);
  checkUserId(connection.app, member.id);
  return member;
}

function memberOfUser({ app, user }: Connection): Member {
  if (!user) {
    throw new CommandError(
      "user_invalid",
      "A presence channel needs channel_data with a user_id, or a signed-in user.",
    );
  }
  const info = user.info ?? null;
  checkMemberData(app, JSON.stringify(info));
  return { id: user.id, info };
}

function checkMemberData(app: App, text: string): void {
  const most = app.limits.memberDataBytes;
  if (isLongerThan(text, most)) {
    throw new CommandError("data_too_large", `The member's data is larger than ${most} bytes.`);
  }
}

/** Pusher protocol, presence channels: `{"user_id": string | number, "user_info"?: any}`. */
function parseMember({ app }: Connection, text: string): Member {
  checkMemberData(app, text);
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new CommandError("user_invalid", "channel_data is not JSON.");
  }
  const { user_id: id, user_info: info } = (data ?? {}) as { user_id?: unknown; user_info?: unknown };
  if (typeof id !== "string" && typeof id !== "number") {
    throw new CommandError("user_invalid", "channel_data has no user_id, or one that is neither string nor number.");
  }
  return { id: String(id), info: info ?? null };
}

async function act(hub: Hub, connection: Connection, command: Subscribe, member: Membership): Promise<void> {
  const { channel, ref } = command;
  const mark = ref === undefined ? undefined : { ref };
  const { cache } = traitsOf(channel);
  await hub.join(connection, channel, member, (members, cached) => {
    hub.push(connection, { type: "subscribed", channel, ...(members && { members }), ...mark });
    if (cached) return hub.push(connection, cached);
    if (!cache) return;
    hub.push(connection, { type: "missed", channel });
    hub.observe({ type: "missed", app: connection.app, channel });
  });
}
