/** The calls of the HTTP API that look: at channels, and at who is in them. */

import { channelOf, traitsOf } from "../../domain/channel.ts";
import { CommandError } from "../../domain/error.ts";
import type { PresenceMember } from "../../domain/message.ts";
import type { ChannelSummary } from "../../domain/ports.ts";
import { userInfoJson } from "../../domain/user-info.ts";
import { checkChannelName } from "../../hub/limits.ts";
import type { ApiCall } from "./request-body.ts";
import { json, jsonText } from "./responses.ts";

export async function listChannels(call: ApiCall): Promise<Response> {
  const prefix = call.query.get("filter_by_prefix") ?? "";
  const attributes = attributesOf(call.query.get("info"));
  if (attributes.has("user_count") && !prefix.startsWith("presence-")) {
    throw new CommandError("data_invalid", "user_count needs filter_by_prefix=presence-.");
  }
  const channels = await call.hub.channels(call.app, prefix);
  return jsonText(`{"channels":{${await entriesOf(call.hub, channels, attributes)}}}`);
}

/** So many take half a millisecond: 200,000 channels in one turn took a tenth of a second. */
const CHANNELS_PER_TURN = 2_000;

/** Written in several turns where they are many, so that nobody waits for a long list. */
async function entriesOf(
  hub: Pick<ApiCall["hub"], "nextTurn">,
  channels: readonly ChannelSummary[],
  attributes: ReadonlySet<string>,
): Promise<string> {
  const entry = (summary: ChannelSummary) =>
    `${JSON.stringify(summary.name)}:${attributes.size === 0 ? "{}" : JSON.stringify(counts(summary, attributes))}`;
  const parts: string[] = [];
  for (let from = 0; from < channels.length; from += CHANNELS_PER_TURN) {
    if (from > 0) await hub.nextTurn();
    parts.push(
      channels
        .slice(from, from + CHANNELS_PER_TURN)
        .map(entry)
        .join(),
    );
  }
  return parts.join();
}

export async function showChannel(call: ApiCall, channel = ""): Promise<Response> {
  checkChannelName(call.app, channel);
  const traits = traitsOf(channel);
  const attributes = attributesOf(call.query.get("info"));
  if (attributes.has("user_count") && !traits.presence) {
    throw new CommandError("data_invalid", "user_count is known of presence channels only.");
  }
  if (attributes.has("cache") && !traits.cache) {
    throw new CommandError("data_invalid", "cache is known of cache channels only.");
  }
  const summary = await call.hub.summary(call.app, channel);
  return json({ occupied: summary !== undefined, ...(await describe(call, channel, attributes)) });
}

export async function listUsers(call: ApiCall, channel = ""): Promise<Response> {
  checkChannelName(call.app, channel);
  if (!traitsOf(channel).presence) throw new CommandError("data_invalid", "Only presence channels have users.");
  const members = await call.hub.members(call.app, channel);
  return json({ users: members.map(({ id }) => ({ id })) });
}

/** Not of the protocol: the same with what the app and their clients say of them, as it was written. */
export async function listMembers(call: ApiCall, channel = ""): Promise<Response> {
  checkChannelName(call.app, channel);
  if (!traitsOf(channel).presence) throw new CommandError("data_invalid", "Only presence channels have members.");
  const members = await call.hub.members(call.app, channel);
  return jsonText(`{"members":[${members.map(memberJson).join()}]}`);
}

function memberJson(member: PresenceMember): string {
  const state = member.state === undefined ? "" : `,"state":${member.state}`;
  const said = `"id":${JSON.stringify(member.id)},"info":${userInfoJson(member)}${state}`;
  return `{${said},"joined_at_ms":${member.joinedAtMs}}`;
}

/** The asked-for attributes that the channel has; an empty channel has counts of nought. */
export async function describe(call: ApiCall, channel: string, attributes: ReadonlySet<string>): Promise<object> {
  if (attributes.size === 0) return {};
  const { traits } = channelOf(call.app, channel);
  const empty: ChannelSummary = { name: channel, subscribers: 0, ...(traits.presence && { users: 0 }) };
  const known = counts((await call.hub.summary(call.app, channel)) ?? empty, attributes);
  if (!attributes.has("cache") || !traits.cache) return known;
  const kept = await call.hub.histories.cachedEvent(call.app, channel);
  return { ...known, cache: kept ? { data: kept.publication.data, ttl: Math.ceil(kept.expiresInMs / 1000) } : null };
}

function counts({ subscribers, users, name }: ChannelSummary, attributes: ReadonlySet<string>): object {
  return {
    ...(attributes.has("user_count") && traitsOf(name).presence && { user_count: users ?? 0 }),
    ...(attributes.has("subscription_count") && { subscription_count: subscribers }),
  };
}

const ATTRIBUTES: ReadonlySet<string> = new Set(["user_count", "subscription_count", "cache"]);

/** `more` is what this call knows beside the attributes of every channel. */
export function attributesOf(text: string | null, ...more: readonly string[]): ReadonlySet<string> {
  const asked = (text ?? "").split(",").flatMap((item) => item.trim() || []);
  const unknown = asked.find((item) => !ATTRIBUTES.has(item) && !more.includes(item));
  if (unknown !== undefined) {
    const known = [...ATTRIBUTES, ...more];
    const list = `${known.slice(0, -1).join(", ")} and ${known.at(-1)}`;
    throw new CommandError("data_invalid", `info knows ${list}, not ${JSON.stringify(unknown)}.`);
  }
  return new Set(asked);
}
