/** Subscribe: may the client be in this channel, and as whom? Then it joins, and gets the answer before anything else from it. */

import type { App } from "../../domain/app.ts";
import { type Channel, type Traits, userChannel, userOfChannel } from "../../domain/channel.ts";
import type { Connection, Membership } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import { exactId, memberText } from "../../domain/json-text.ts";
import type { ChannelProof, Command, Member, User } from "../../domain/message.ts";
import type { Awaitable } from "../../domain/ports.ts";
import { consistentUserInfo, parseUserInfo, userInfoJson } from "../../domain/user-info.ts";
import { andThen } from "../awaitable.ts";
import { isGranted, noteGrant, type Permission } from "../grants.ts";
import type { Hub } from "../hub.ts";
import { channelFull, checkChannelName, checkMemberData, checkUserId, takeSubscribeToken } from "../limits.ts";
import { subscribedReply } from "../membership.ts";
import { checkChannelProof, notePermission } from "../signature.ts";
import { permitWatching } from "./watch.ts";

type Subscribe = Extract<Command, { type: "subscribe" }>;

export function subscribe(hub: Hub, connection: Connection, command: Subscribe, nowMs: number): Awaitable<void> {
  checkChannelName(connection.app, command.channel);
  const channel = hub.channelOf(connection.app, command.channel);
  if (isGiven(connection, command.channel)) {
    takeSubscribeToken(connection, nowMs);
    const answer = command.resume === undefined ? {} : { recovered: false };
    return hub.push(connection, { type: "subscribed", channel: command.channel, ...answer });
  }
  checkLimits(hub, connection, channel, nowMs);
  const permission = admit(hub, connection, command, channel);
  return permission instanceof Promise
    ? actLater(hub, connection, command, channel, permission)
    : act(hub, connection, command, channel, permission);
}

async function actLater(
  hub: Hub,
  connection: Connection,
  command: Subscribe,
  channel: Channel,
  permission: Promise<Permission>,
): Promise<void> {
  return act(hub, connection, command, channel, await permission);
}

/** It is in the channel since it signed in, and only waits for the answer. */
function isGiven(connection: Connection, channel: string): boolean {
  const { user, protocol } = connection;
  return (
    protocol.asksForUserChannel && user !== undefined && channel === userChannel(user.id) && connection.isIn(channel)
  );
}

function checkLimits(hub: Hub, connection: Connection, channel: Channel, nowMs: number): void {
  const { app } = connection;
  if (connection.isIn(channel.name)) {
    throw new CommandError("already_subscribed", `Existing subscription to channel ${channel.name}`);
  }
  if (connection.channelCount >= app.limits.channelsPerConnection) {
    const most = app.limits.channelsPerConnection;
    throw new CommandError(
      "too_many_channels",
      `A connection may be in ${most} channels at a time (channelsPerConnection).`,
    );
  }
  checkRoom(hub, app, channel);
  takeSubscribeToken(connection, nowMs);
}

/** What is known without asking the engine; the cluster is asked when the client joins. */
function checkRoom(hub: Hub, app: App, { name, policy: { maxSubscribers } }: Channel): void {
  if (maxSubscribers === Number.POSITIVE_INFINITY) return;
  if (hub.localHolderCount(app, name) >= maxSubscribers) throw channelFull(maxSubscribers);
}

/** By what the client may be in the channel, with a member only where the channel has them. Refuses where it may not. */
function admit(hub: Hub, connection: Connection, command: Subscribe, channel: Channel): Awaitable<Permission> {
  const { name, traits, policy } = channel;
  const owner = userOfChannel(name);
  if (owner !== undefined) return checkOwner(connection, name, owner);
  if (policy.auth && !connection.user) {
    throw new CommandError(
      "unauthorized",
      `Only a connection that is signed in may subscribe to ${name} (auth, of its rule).`,
    );
  }
  if (command.watch) return permitWatching(hub, connection, command, channel);
  if (!traits.private) return andThen(confirm(hub, connection, command), withoutMember);
  return admitByPermission(hub, connection, command, traits);
}

function admitByPermission(
  hub: Hub,
  connection: Connection,
  command: Subscribe,
  traits: Traits,
): Awaitable<Permission> {
  return andThen(permit(hub, connection, command, traits), ({ member: named, ...grant }) => {
    connection.isAuthenticated = true;
    const member = membershipOf(connection, traits, named);
    return { ...grant, ...(member && { member }) };
  });
}

function withoutMember(permission: Permission): Permission {
  if (!permission.member) return permission;
  const { member: _, ...grant } = permission;
  return grant;
}

function checkOwner(connection: Connection, channel: string, owner: string): Permission {
  if (connection.user?.id === owner) return NOTHING_SAID;
  throw new CommandError("unauthorized", `Only a connection signed in as that user may subscribe to ${channel}.`);
}

/** Where there is a signature, it decides; then the token the client came with; then the program, or the app's back end. */
function permit(hub: Hub, connection: Connection, command: Subscribe, traits: Traits): Awaitable<Permission> {
  const { channel, proof } = command;
  if (proof) {
    notePermission(connection, checkChannelProof(connection.app, connection.id, channel, proof));
    return confirm(hub, connection, command, signedPermission(hub, connection, traits, proof));
  }
  if (isGranted(connection.user, channel)) {
    connection.grantedByToken ??= new Set();
    connection.grantedByToken.add(channel);
    return confirm(hub, connection, command);
  }
  return andThen(hub.deciders.authorize?.(connection, command), (verdict) => {
    if (verdict === true) return NOTHING_SAID;
    if (verdict) return checked(connection.app, verdict);
    throw new CommandError(
      "unauthorized",
      `The channel ${channel} needs permission: a signature by the app's back end, or a token that names it.`,
    );
  });
}

/** The back end may have the last word even where the client has permission: on whether, and as whom. */
function confirm(
  hub: Hub,
  connection: Connection,
  command: Subscribe,
  permission = NOTHING_SAID,
): Awaitable<Permission> {
  return connection.app.hooks?.subscribe?.when === "always"
    ? confirmByBackEnd(hub, connection, command, permission)
    : permission;
}

function confirmByBackEnd(
  hub: Hub,
  connection: Connection,
  command: Subscribe,
  permission: Permission,
): Awaitable<Permission> {
  const said = hub.deciders.confirm?.(connection, command);
  return andThen(said, (more) => (more ? { ...permission, ...checked(connection.app, more) } : permission));
}

const NOTHING_SAID: Permission = {};

function checked(app: App, { member, ...grant }: Permission): Permission {
  return { ...grant, ...(member && { member: memberOf(app, member) }) };
}

/** A member that the program names, or a signed-in user: both are held to the same limits. */
function memberOf(app: App, user: Member | User): Member {
  const info = consistentUserInfo(user);
  checkMemberData(app, userInfoJson(info));
  return { id: String(user.id), ...info };
}

/** As the member that the permission names, or else as the signed-in user. */
function membershipOf(connection: Connection, traits: Traits, named: Member | undefined): Membership {
  if (!traits.presence) return undefined;
  const { app, user } = connection;
  const member = named ?? (user && memberOf(app, user));
  if (!member) {
    const message = "A presence channel needs channel_data with a user_id, or a signed-in user.";
    throw new CommandError("user_invalid", message);
  }
  checkUserId(app, member.id);
  return member;
}

/**
 * What is signed beside the channel's name. Pusher protocol, presence channels: `{"user_id": string | number, "user_info"?: any}`; not
 * of the protocol, for private channels, too: `"expires_at"`, in Unix seconds.
 */
function signedPermission(hub: Hub, { app }: Connection, traits: Traits, { data: text }: ChannelProof): Permission {
  if (text === undefined) return NOTHING_SAID;
  if (traits.presence) checkMemberData(app, text);
  const data = signedData(text, traits);
  const { user_id: id, expires_at: expiresAtS } = data;
  const isAboutMember = traits.presence && (id !== undefined || expiresAtS === undefined);
  const permission = isAboutMember ? { member: memberIn(id, text) } : NOTHING_SAID;
  if (expiresAtS === undefined) return permission;
  if (typeof expiresAtS !== "number") {
    throw new CommandError("user_invalid", "expires_at of channel_data is a number: Unix seconds.");
  }
  const expiresAtMs = expiresAtS * 1000;
  if (expiresAtMs > hub.clock.wallMs()) return { ...permission, expiresAtMs };
  throw new CommandError("unauthorized", "This permission has ended (expires_at of channel_data): ask for another.");
}

/** A private channel's may be any text. */
function signedData(text: string, { presence }: Traits): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text));
  } catch {
    if (presence) throw new CommandError("user_invalid", "channel_data is not JSON.");
    return {};
  }
}

function memberIn(id: unknown, text: string): Member {
  if (!isUserId(id)) {
    throw new CommandError("user_invalid", "channel_data has no user_id, or one that is neither string nor number.");
  }
  return { id: exactId(id, memberText(text, "user_id")), ...parseUserInfo(memberText(text, "user_info")) };
}

function isUserId(id: unknown): id is string | number {
  return typeof id === "string" || typeof id === "number";
}

function act(
  hub: Hub,
  connection: Connection,
  command: Subscribe,
  asked: Channel,
  permission: Permission,
): Awaitable<void> {
  const channel = asked.name;
  // Again: while permission was asked for others may have come, or the channel may have become another.
  checkRoom(hub, connection.app, hub.channel(connection.app, channel) ?? asked);
  const reply = subscribedReply(hub, connection, channel, command.ref);
  const joined = hub.join(connection, channel, permission.member, reply, command);
  if (joined instanceof Promise) return noteLater(hub, connection, channel, permission, joined);
  if (connection.isIn(channel)) noteGrant(connection, channel, permission, hub.clock);
}

async function noteLater(
  hub: Hub,
  connection: Connection,
  channel: string,
  permission: Permission,
  joined: Promise<void>,
): Promise<void> {
  await joined;
  if (connection.isIn(channel)) noteGrant(connection, channel, permission, hub.clock);
}
