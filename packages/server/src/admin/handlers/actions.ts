/** Calls that act: send, drain, rebalance, replay, retry rows. Each is recorded in the audit log. */

import * as z from "zod/mini";
import { checkChannelName, checkEventData, checkEventName } from "../../hub/limits.ts";
import { AdminError } from "../admin-error.ts";
import type { Done, Rebalanced, Replayed } from "../api-types.ts";
import { appOf, type Call, type Handler, inputOf, outboxesOf, recordInAudit, required } from "../call.ts";

const EventInput = z.strictObject({ channel: z.string(), event: z.string(), data: z.string() });
const ReplayInput = z.strictObject({
  ids: z.optional(z.array(z.int().check(z.positive())).check(z.maxLength(1000))),
  app: z.optional(z.string().check(z.maxLength(128))),
});
const NoInput = z.strictObject({});

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
