/**
 * Calls that act: on connections and on what a channel keeps, wherever it is; and send, drain, rebalance, replay, retry rows. Each is
 * recorded in the audit log.
 */

import * as z from "zod/mini";
import type { PurgeRange } from "../../domain/message.ts";
import { LONGEST_BAN_MS } from "../../hub/bans.ts";
import {
  checkChannelName,
  checkEventData,
  checkEventName,
  checkOpenChannelName,
  checkUserId,
} from "../../hub/limits.ts";
import { ENDED, KICKED, RECONNECT, UNSUBSCRIBED, type Whose } from "../../hub/steer-act.ts";
import type { Reached } from "../../hub/steering.ts";
import { LONGEST_STICKY_MS } from "../../hub/sticky-subscriptions.ts";
import { AdminError } from "../admin-error.ts";
import type { Acted, Done, Purged, Rebalanced, Replayed } from "../api-types.ts";
import { appOf, type Call, type Handler, inputOf, outboxesOf, recordInAudit, required } from "../call.ts";

const message = z.optional(z.string().check(z.minLength(1), z.maxLength(100)));
const channel = z.string();
const user = z.optional(z.string());
const connection = z.optional(z.string().check(z.maxLength(100)));
const position = z.optional(z.strictObject({ epoch: z.string(), offset: z.int().check(z.nonnegative()) }));
const seconds = (mostMs: number) => z.optional(z.number().check(z.positive(), z.maximum(mostMs / 1000)));

const NoInput = z.strictObject({});
const DisconnectInput = z.strictObject({ message });
/**
 * POST api/apps/:app/subscribe: into the channel, whatever the client may. One of `user` and `connection`; for a user, for so long also
 * the connections that come.
 */
const SubscribeInput = z.strictObject({ channel, user, connection, stickyS: seconds(LONGEST_STICKY_MS) });
/** POST api/apps/:app/unsubscribe: one of `user` and `connection`. The client may come again. */
const UnsubscribeInput = z.strictObject({ channel, user, connection, message });
/** POST api/apps/:app/kick: one of `user`, `connection` and `all`. A user may be kept out of the channel for so long. */
const KickInput = z.strictObject({
  ...{ channel, user, connection, all: z.optional(z.literal(true)) },
  ...{ banS: seconds(LONGEST_BAN_MS), message },
});
/** POST api/apps/:app/unban: ends a ban, if there is one. */
const UnbanInput = z.strictObject({ channel, user: z.string() });
/**
 * POST api/apps/:app/reconnect: one of `user`, `connection` and `channel`. What the clients may they still may; each comes back at
 * another time within `spreadMs`.
 */
const ReconnectInput = z.strictObject({
  ...{ channel: z.optional(channel), user, connection, message },
  spreadMs: z.optional(z.int().check(z.nonnegative(), z.maximum(3_600_000))),
});
/**
 * POST api/apps/:app/purge: all that the channel keeps, or what one of the bounds says: what came before that position, what was
 * published before that time, or that event alone. 409 where the epoch is gone.
 */
const PurgeInput = z.strictObject({
  ...{ channel, before: position, event: position },
  toMs: z.optional(z.int().check(z.nonnegative())),
});

/** POST api/apps/:app/events. `data` is text: JSON where it parses as JSON, else a string. */
const EventInput = z.strictObject({ channel: z.string(), event: z.string(), data: z.string() });
/** These, or all that are dead, of the app or of all. */
const ReplayInput = z.strictObject({
  ids: z.optional(z.array(z.int().check(z.positive())).check(z.maxLength(1000))),
  app: z.optional(z.string().check(z.maxLength(128))),
});

export const disconnect: Handler = async (call): Promise<Acted> => {
  const { message = ENDED } = inputOf(call, DisconnectInput);
  const whose = { connection: call.params.id ?? "" };
  const reached = await steering(call).steer(appOf(call), { type: "disconnect", whose, message }, true);
  return acted(call, "connection.disconnect", whose, reached);
};

export const terminate: Handler = async (call): Promise<Acted> => {
  inputOf(call, NoInput);
  const app = appOf(call);
  const user = call.params.id ?? "";
  checkUserId(app, user);
  return acted(call, "user.terminate", { user }, await steering(call).terminate(app, user, true, true));
};

export const subscribe: Handler = async (call): Promise<Acted> => {
  const { channel, stickyS, ...given } = inputOf(call, SubscribeInput);
  const whose = whoseOf(call, given);
  if (stickyS !== undefined && !("user" in whose)) throw invalid("stickyS is for a user.");
  const sticky = stickyS !== undefined && { stickyUntilMs: untilMs(call, stickyS) };
  const act = { whose, channel: channelOf(call, channel), ...sticky };
  const reached = await steering(call).subscribe(appOf(call), act, true);
  return acted(call, "channel.subscribe", { ...whose, channel, ...(stickyS && { stickyS }) }, reached);
};

export const unsubscribe: Handler = async (call): Promise<Acted> => {
  const { channel, message = UNSUBSCRIBED, ...given } = inputOf(call, UnsubscribeInput);
  const act = { whose: whoseOf(call, given), channel: channelOf(call, channel), message };
  const reached = await steering(call).unsubscribe(appOf(call), act, true);
  return acted(call, "channel.unsubscribe", { ...act.whose, channel }, reached);
};

/** With a time, it is a ban. */
export const kick: Handler = async (call): Promise<Acted> => {
  const { channel, banS, message = KICKED, all, ...given } = inputOf(call, KickInput);
  const whose = whoseOf(call, { ...given, ...(all && { channel }) });
  if (banS !== undefined && !("user" in whose)) throw invalid("banS is for a user.");
  const ban = banS !== undefined && { bannedUntilMs: untilMs(call, banS) };
  const act = { whose, channel: channelOf(call, channel), message, ...ban };
  const reached = await steering(call).kick(appOf(call), act, true);
  const what = banS === undefined ? "channel.kick" : "user.ban";
  return acted(call, what, { ...whose, channel, ...(banS && { banS }) }, reached);
};

export const unban: Handler = async (call): Promise<Done> => {
  const { channel, user } = inputOf(call, UnbanInput);
  const app = appOf(call);
  checkUserId(app, user);
  await steering(call).liftBan(app, channelOf(call, channel), user, true);
  await recordInAudit(call, "user.unban", { app: app.id, user, channel });
  return { outcome: "done" };
};

export const reconnect: Handler = async (call): Promise<Acted> => {
  const { spreadMs = 0, message = RECONNECT, ...given } = inputOf(call, ReconnectInput);
  const act = { type: "reconnect", whose: whoseOf(call, given), message, spreadMs } as const;
  return acted(call, "connection.reconnect", act.whose, await steering(call).steer(appOf(call), act, true));
};

export const purge: Handler = async (call): Promise<Purged> => {
  const { channel, ...bounds } = inputOf(call, PurgeInput);
  if (Object.keys(bounds).length > 1) throw invalid("before, toMs and event exclude each other.");
  const app = appOf(call);
  const range = rangeOf(bounds);
  const { purged, position } = await call.services.hub.histories.purge(app, channelOf(call, channel), range, true);
  await recordInAudit(call, "history.purge", { app: app.id, channel, purged, ...bounds });
  if ("position" in range && range.position.epoch !== position.epoch) {
    throw new AdminError("conflict", "The channel has begun anew since then: look at it again.");
  }
  return { purged };
};

/** As a back end's event would be: to everybody in the channel. What it says is not written down, only where it went. */
export const send: Handler = async (call): Promise<Done> => {
  const { channel, event, data } = inputOf(call, EventInput);
  const { hub } = call.services;
  const app = appOf(call);
  if (!app.enabled) throw new AdminError("conflict", "The app is disabled.");
  checkChannelName(app, channel);
  checkEventName(app, event);
  checkEventData(app, data);
  await hub.publish(app, { type: "event", app: app.id, channel, event, data });
  await recordInAudit(call, "event.send", { app: app.id, channel, event, bytes: Buffer.byteLength(data) });
  return { outcome: "done" };
};

export const drain: Handler = (call) => toDrain(call, true);
export const endDrain: Handler = (call) => toDrain(call, false);

async function toDrain(call: Call, isOn: boolean): Promise<Done> {
  inputOf(call, NoInput);
  const { hub, live, canDrain } = call.services;
  required(canDrain || undefined, "This server cannot drain nodes: stop the process instead.");
  const node = (await hub.nodes()).find(({ id }) => id === call.params.id);
  if (!node) throw new AdminError("not_found", "There is no such node any more.");
  await live.command({ type: "drain", node: node.id, isOver: !isOn });
  await recordInAudit(call, isOn ? "node.drain" : "node.drain.end", { node: node.id, name: node.name });
  return { outcome: "asked" };
}

export const rebalance: Handler = async (call): Promise<Rebalanced> => {
  inputOf(call, NoInput);
  const shares = await call.services.rebalance();
  await recordInAudit(call, "cluster.rebalance", { nodes: shares.nodes, surplus: shares.surplus });
  return shares;
};

export const replay: Handler = async (call): Promise<Replayed> => {
  const { ids, app } = inputOf(call, ReplayInput);
  const deliveries = required(call.services.webhooks, "This server sends no webhooks.");
  const count = ids?.length === 0 ? 0 : await deliveries.replay({ ids, app });
  await recordInAudit(call, "webhooks.replay", { count, ...(ids && { ids }), ...(app !== undefined && { app }) });
  return { count };
};

export const retryRows: Handler = async (call): Promise<Replayed> => {
  const { ids } = inputOf(call, ReplayInput);
  const outbox = call.params.id ?? "";
  const tables = outboxesOf(call);
  const count = ids?.length === 0 ? 0 : await tables.retry(outbox, ids);
  if (count === undefined) throw new AdminError("not_found", "There is no such outbox.");
  await recordInAudit(call, "outbox.retry", { outbox, count, ...(ids && { ids }) });
  return { count };
};

function rangeOf({ before, toMs, event }: Omit<z.output<typeof PurgeInput>, "channel">): PurgeRange {
  if (event) return { type: "event", position: event };
  if (before) return { type: "before", position: before };
  return toMs === undefined ? { type: "all" } : { type: "older", toMs };
}

async function acted(
  call: Call,
  what: string,
  about: Readonly<Record<string, unknown>>,
  { connections, nodesMissing }: Reached,
): Promise<Acted> {
  await recordInAudit(call, what, { app: appOf(call).id, ...about, connections });
  return { outcome: nodesMissing > 0 ? "asked" : "done", connections, nodesMissing };
}

interface Given {
  readonly user?: string | undefined;
  readonly connection?: string | undefined;
  readonly channel?: string | undefined;
}

/** Throws AdminError where it is not exactly one of them. */
function whoseOf(call: Call, { user, connection, channel }: Given): Whose {
  if ([user, connection, channel].filter((one) => one !== undefined).length === 1) {
    if (connection !== undefined) return { connection };
    if (channel !== undefined) return { channel: channelOf(call, channel) };
    if (user !== undefined) checkUserId(appOf(call), user);
    if (user !== undefined) return { user };
  }
  throw invalid("Whose connections is one of a user, a connection and all in the channel.");
}

function channelOf(call: Call, name: string): string {
  checkOpenChannelName(appOf(call), name);
  return name;
}

function steering({ services }: Call) {
  return services.hub.steering;
}

function untilMs({ services }: Call, seconds: number): number {
  return services.hub.clock.wallMs() + Math.ceil(seconds * 1000);
}

function invalid(message: string): AdminError {
  return new AdminError("input_invalid", message);
}
