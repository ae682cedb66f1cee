/** Calls that act on what is there: disconnect, send, drain, replay. Each is written down. */

import { z } from "zod";
import { Disconnect } from "../../domain/error.ts";
import { checkChannelName, checkEventData, checkEventName, checkUserId } from "../../hub/limits.ts";
import { type Act, appOf, type Call, inputOf, need, noted } from "../call.ts";
import { Refused } from "../refused.ts";
import type { Done, Replayed } from "../wire.ts";

const Farewell = z.strictObject({ message: z.string().max(100).optional() });
const Event = z.strictObject({ channel: z.string(), event: z.string(), data: z.string() });
const Ids = z.strictObject({ ids: z.array(z.number().int().positive()).max(1000).optional() });
const NOTHING = z.strictObject({});

const FAREWELL = "An operator ended this connection.";

export const disconnect: Act = async (call): Promise<Done> => {
  const { message = FAREWELL } = inputOf(call, Farewell);
  const { hub, view } = call.means;
  const app = appOf(call);
  const connection = call.params.id ?? "";
  const found = hub.connection(app, connection);
  if (found) hub.disconnect(found, new Disconnect("terminated", message));
  else await view.ask({ type: "disconnect", app: app.id, connection, message });
  await noted(call, "connection.disconnect", { app: app.id, connection });
  return { outcome: found ? "done" : "asked" };
};

export const terminate: Act = async (call): Promise<Done> => {
  inputOf(call, NOTHING);
  const app = appOf(call);
  const user = call.params.id ?? "";
  checkUserId(app, user);
  await call.means.hub.users.terminate(app, user);
  await noted(call, "user.terminate", { app: app.id, user });
  return { outcome: "asked" };
};

/** As a back end's event would be: to everybody in the channel. What it says is not written down, only where it went. */
export const send: Act = async (call): Promise<Done> => {
  const { channel, event, data } = inputOf(call, Event);
  const { hub } = call.means;
  const app = appOf(call);
  if (!app.enabled) throw new Refused("conflict", "The app is disabled.");
  checkChannelName(app, channel);
  checkEventName(app, event);
  checkEventData(app, data);
  await hub.publish(app, { type: "event", app: app.id, channel, event, data });
  await noted(call, "event.send", { app: app.id, channel, event, bytes: Buffer.byteLength(data) });
  return { outcome: "done" };
};

export const drain: Act = (call) => toDrain(call, true);
export const endDrain: Act = (call) => toDrain(call, false);

async function toDrain(call: Call, isOn: boolean): Promise<Done> {
  inputOf(call, NOTHING);
  const { hub, view, canDrain } = call.means;
  need(canDrain || undefined, "This server cannot drain nodes: stop the process instead.");
  const node = (await hub.nodes()).find(({ id }) => id === call.params.id);
  if (!node) throw new Refused("not_found", "There is no such node any more.");
  await view.ask({ type: "drain", node: node.id, isOver: !isOn });
  await noted(call, isOn ? "node.drain" : "node.drain.end", { node: node.id, name: node.name });
  return { outcome: "asked" };
}

export const replay: Act = async (call): Promise<Replayed> => {
  const { ids } = inputOf(call, Ids);
  const letters = need(call.means.letters, "This server sends no webhooks.");
  const count = ids?.length === 0 ? 0 : await letters.replay(ids);
  await noted(call, "webhooks.replay", { count, ...(ids && { ids }) });
  return { count };
};
