/** The calls of the HTTP API that act on connections: out of a channel, closed, connect again, and which there are. Not of the protocol. */

import * as z from "zod/mini";
import { CommandError } from "../../domain/error.ts";
import { memberText } from "../../domain/json-text.ts";
import { LONGEST_BAN_MS } from "../../hub/bans.ts";
import type { ListedConnection } from "../../hub/connection-list.ts";
import { checkMemberData, checkOpenChannelName, checkUserId } from "../../hub/limits.ts";
import { ENDED, KICKED, RECONNECT, UNSUBSCRIBED, type Whose } from "../../hub/steer-act.ts";
import type { Reached } from "../../hub/steering.ts";
import { LONGEST_STICKY_MS } from "../../hub/sticky-subscriptions.ts";
import { CHANNEL } from "./api-shapes.ts";
import { type ApiCall, parseBody } from "./request-body.ts";
import { json } from "./responses.ts";

/** What a close frame has room for. */
const MOST_MESSAGE = 120;
/** An hour. */
const MOST_SPREAD_MS = 3_600_000;

const message = z.nullish(z.string().check(z.minLength(1), z.maxLength(MOST_MESSAGE)));

export const Kick = z
  .strictObject({
    user_id: z.nullish(z.string()),
    connection: z.nullish(z.string()),
    all: z.nullish(z.literal(true)),
    ban_s: z.nullish(z.number().check(z.positive(), z.maximum(LONGEST_BAN_MS / 1000))),
    message,
  })
  .register(z.globalRegistry, {
    description: "One of user_id, connection and all. A ban is for a user.",
    examples: [{ user_id: "ada", ban_s: 60 }, { connection: "1.2", message: "Bye." }, { all: true }],
  });
export const Unban = z.strictObject({
  user_id: z.string().register(z.globalRegistry, { minLength: 1, maxLength: 128 }),
});
export const Unsubscribe = z.strictObject({ channel: z.string().register(z.globalRegistry, CHANNEL), message });
export const Subscribe = z
  .strictObject({
    channel: z.string().register(z.globalRegistry, CHANNEL),
    info: z.optional(z.unknown()),
    user_id: z.nullish(z.string()),
    sticky_s: z.nullish(z.number().check(z.positive(), z.maximum(LONGEST_STICKY_MS / 1000))),
    expires_at: z.nullish(z.number().check(z.positive())),
  })
  .register(z.globalRegistry, {
    description:
      "user_id, as which member, is for one connection; sticky_s is for a user's; expires_at is a time to come, in Unix seconds.",
    examples: [
      { channel: "orders" },
      { channel: "orders", info: { name: "Ada" } },
      { channel: "orders", expires_at: 4102444800 },
    ],
  });
export const End = z.strictObject({ message });
export const Reconnect = z.strictObject({
  spread_ms: z.nullish(z.int().check(z.minimum(0), z.maximum(MOST_SPREAD_MS))),
  message,
});

/** How many there are; with any parameter, a page of them. */
export async function connections(call: ApiCall): Promise<Response> {
  const { app, hub, query } = call;
  if (!["limit", "cursor", "user_id", "channel"].some((name) => query.has(name))) {
    return json({ connections: await hub.clusterConnectionCount(app) });
  }
  const [user, channel, after] = [query.get("user_id"), query.get("channel"), query.get("cursor")];
  const page = await hub.connectionList.page(app, {
    ...(user !== null && { user: userIn(call, user) }),
    ...(channel !== null && { channel: channelIn(call, channel) }),
    ...(after !== null && { after }),
    limit: limitOf(query),
  });
  const body = {
    items: page.connections.map(itemOf),
    next: page.next ?? null,
    nodes_missing: page.nodesMissing,
  };
  return json(body, page.nodesMissing > 0 ? 202 : 200);
}

const FEW = 100;
const MOST = 1_000;

function limitOf(query: URLSearchParams): number {
  const text = query.get("limit") ?? String(FEW);
  const limit = Number(text);
  if (/^\d+$/.test(text) && limit >= 1 && limit <= MOST) return limit;
  throw new CommandError("data_invalid", `limit is a whole number from 1 to ${MOST}.`);
}

function itemOf({ user, openedAtMs, channels, channelCount, ...connection }: ListedConnection): object {
  const { id, address, protocol, transport, node } = connection;
  return {
    id,
    user: user ?? null,
    address,
    protocol,
    transport,
    node,
    opened_at_ms: openedAtMs,
    channels,
    channel_count: channelCount,
  };
}

export async function kick(call: ApiCall, name = ""): Promise<Response> {
  const { app, hub } = call;
  const channel = channelIn(call, name);
  const { user_id: user, connection, all, ban_s, message } = bodyIn(call, Kick);
  const given = [
    ...(user ? [{ user: userIn(call, user) }] : []),
    ...(connection ? [{ connection }] : []),
    ...(all ? [{ channel }] : []),
  ] satisfies Whose[];
  const [whose] = given;
  if (!whose || given.length > 1) {
    throw new CommandError("data_invalid", "Whom to kick is one of user_id, connection and all: true.");
  }
  if (ban_s && !user) throw new CommandError("data_invalid", "ban_s needs user_id: a ban is for a user.");
  const reached = await hub.steering.kick(app, {
    whose,
    channel,
    message: message ?? KICKED,
    ...(ban_s && { bannedUntilMs: hub.clock.wallMs() + Math.ceil(ban_s * 1000) }),
  });
  return answered(reached);
}

export async function unban(call: ApiCall, name = ""): Promise<Response> {
  const channel = channelIn(call, name);
  const { user_id } = bodyIn(call, Unban);
  await call.hub.steering.liftBan(call.app, channel, userIn(call, user_id));
  return json({});
}

export function subscribeUser(call: ApiCall, user = ""): Promise<Response> {
  return subscribe(call, { user: userIn(call, user) });
}

export function subscribeConnection(call: ApiCall, connection = ""): Promise<Response> {
  return subscribe(call, { connection });
}

async function subscribe(call: ApiCall, whose: Whose): Promise<Response> {
  const { value, text } = parseBody(call, Subscribe);
  const { sticky_s: stickyS, user_id: member, expires_at: expiresAtS } = value;
  if ("user" in whose ? member : stickyS) {
    throw new CommandError("data_invalid", "user_id is for one connection, sticky_s for a user's.");
  }
  const { app, hub } = call;
  if (expiresAtS && expiresAtS * 1000 <= hub.clock.wallMs()) {
    throw new CommandError("data_invalid", "expires_at is over already: it is in Unix seconds.");
  }
  const infoText = memberText(text, "info");
  if (infoText !== undefined) checkMemberData(app, infoText);
  const reached = await hub.steering.subscribe(app, {
    whose,
    channel: channelIn(call, value.channel),
    ...(infoText !== undefined && { infoText }),
    ...(member && { member: userIn(call, member) }),
    ...(stickyS && { stickyUntilMs: hub.clock.wallMs() + Math.ceil(stickyS * 1000) }),
    ...(expiresAtS && { expiresAtMs: expiresAtS * 1000 }),
  });
  return answered(reached);
}

export function unsubscribeUser(call: ApiCall, user = ""): Promise<Response> {
  return unsubscribe(call, { user: userIn(call, user) });
}

export function unsubscribeConnection(call: ApiCall, connection = ""): Promise<Response> {
  return unsubscribe(call, { connection });
}

async function unsubscribe(call: ApiCall, whose: Whose): Promise<Response> {
  const { channel, message: given } = bodyIn(call, Unsubscribe);
  const message = given ?? UNSUBSCRIBED;
  const act = { whose, channel: channelIn(call, channel), message };
  return answered(await call.hub.steering.unsubscribe(call.app, act));
}

export function reconnectChannel(call: ApiCall, name = ""): Promise<Response> {
  return reconnect(call, { channel: channelIn(call, name) });
}

export function reconnectUser(call: ApiCall, user = ""): Promise<Response> {
  return reconnect(call, { user: userIn(call, user) });
}

export function reconnectConnection(call: ApiCall, connection = ""): Promise<Response> {
  return reconnect(call, { connection });
}

async function reconnect(call: ApiCall, whose: Whose): Promise<Response> {
  const { spread_ms: spreadMs, message: given } = bodyIn(call, Reconnect);
  const message = given ?? RECONNECT;
  return answered(
    await call.hub.steering.steer(call.app, { type: "reconnect", whose, message, spreadMs: spreadMs ?? 0 }),
  );
}

export async function disconnect(call: ApiCall, connection = ""): Promise<Response> {
  const { message = null } = bodyIn(call, End);
  const text = message ?? ENDED;
  return answered(
    await call.hub.steering.steer(call.app, { type: "disconnect", whose: { connection }, message: text }),
  );
}

/** Of the protocol, whose libraries know no other status than 200. */
export async function terminate(call: ApiCall, user = ""): Promise<Response> {
  checkUserId(call.app, user);
  // Not of the protocol: tokens that were issued before go on counting.
  const reached = await call.hub.steering.terminate(call.app, user, call.query.get("revoke") !== "false");
  return json(bodyOf(reached));
}

function answered(reached: Reached): Response {
  return json(bodyOf(reached), reached.nodesMissing > 0 ? 202 : 200);
}

function bodyOf({ connections, nodesMissing }: Reached): object {
  return { connections, nodes_missing: nodesMissing };
}

/** An absent body is an empty one. */
function bodyIn<T>(call: ApiCall, schema: z.ZodMiniType<T>): T {
  return parseBody(call.body.length === 0 ? { ...call, body: EMPTY } : call, schema).value;
}

const EMPTY = new TextEncoder().encode("{}");

function userIn({ app }: ApiCall, id: string): string {
  checkUserId(app, id);
  return id;
}

function channelIn({ app }: ApiCall, name: string): string {
  checkOpenChannelName(app, name);
  return name;
}
