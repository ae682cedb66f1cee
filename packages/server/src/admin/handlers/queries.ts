/** Calls that look: the server as a whole, its nodes, its channels and its connections. */

import { kindOf } from "../../domain/channel.ts";
import { CommandError } from "../../domain/error.ts";
import type { ChannelSummary } from "../../domain/ports.ts";
import { readEvents } from "../../hub/history-page.ts";
import type { Hub } from "../../hub/hub.ts";
import { AdminError } from "../admin-error.ts";
import type {
  ChannelDetail,
  ChannelEntry,
  ChannelList,
  ConnectionDetail,
  ConnectionEntry,
  ConnectionList,
  KeptEvent,
  NodeEntry,
  Overview,
} from "../api-types.ts";
import { appOf, type Call, type Handler, limitOf } from "../call.ts";
import { connectionDetail, connectionEntry, listConnections } from "../connection-view.ts";
import { summaryOf } from "./apps.ts";

const MAX_CHANNELS = 2000;
const MAX_CONNECTIONS = 1000;
const MAX_MEMBERS = 1000;
const MAX_HERE = 100;
const MAX_KEPT = 50;

export const overview: Handler = async ({ services }): Promise<Overview> => {
  const { hub, node, appEditor, statistics, seconds, webhooks, audit, canDrain } = services;
  // An operator has to see most of all that the engine is unavailable.
  const nodes = await nodesOf(hub, node.id).catch((error) => {
    if (error instanceof CommandError) return [];
    throw error;
  });
  const { health } = hub;
  return {
    node,
    engine: health.reachable ? { reachable: true } : { reachable: false, why: health.why },
    nodes,
    connections: nodes.length === 0 ? hub.connectionCount : nodes.reduce((sum, one) => sum + one.connections, 0),
    apps: services.apps().map((app) => summaryOf(services, app)),
    has: {
      ...{ statistics: statistics !== undefined, seconds: seconds !== undefined, apps: appEditor !== undefined },
      ...{ webhooks: webhooks !== undefined, audit: audit.isPersistent, drain: canDrain },
    },
  };
};

export const nodes: Handler = ({ services }): Promise<readonly NodeEntry[]> => nodesOf(services.hub, services.node.id);

async function nodesOf(hub: Hub, here: string): Promise<readonly NodeEntry[]> {
  const all = await hub.nodes();
  return all.map((node) => ({ ...node, isThis: node.id === here }));
}

export const channels: Handler = async (call): Promise<ChannelList> => {
  const app = appOf(call);
  const search = call.query.get("search") ?? "";
  const found = (await call.services.hub.channels(app)).filter(({ name }) => name.includes(search));
  const sorted = found.toSorted((one, other) => other.subscribers - one.subscribers || order(one.name, other.name));
  const limit = limitOf(call, 500, MAX_CHANNELS);
  return { channels: sorted.slice(0, limit).map((summary) => entryOfChannel(call, summary)), total: found.length };
};

export const channel: Handler = async (call): Promise<ChannelDetail> => {
  const { hub, redact, node } = call.services;
  const app = appOf(call);
  const name = call.query.get("name") ?? "";
  const summary = await hub.summary(app, name);
  if (!summary) throw new AdminError("not_found", "Nobody is in this channel.");
  const members = await hub.members(app, name);
  return {
    ...entryOfChannel(call, summary),
    members: members.slice(0, MAX_MEMBERS).map(({ id, info, state, joinedAtMs }) => ({
      id,
      info: redact(info, 500),
      ...(state !== undefined && { state: redact(state, 500) }),
      joinedAtMs,
    })),
    kept: await keptOf(call, name),
    connections: connectionsIn(hub, app.id, name, node.id),
  };
};

/** What the server keeps of the channel itself; of other channels nothing. */
async function keptOf(call: Call, name: string): Promise<readonly KeptEvent[]> {
  const { hub, redact } = call.services;
  const app = appOf(call);
  const { policy, traits } = hub.channelOf(app, name);
  if (policy.history) {
    const { events: kept } = await readEvents(hub, app, name, { limit: MAX_KEPT, direction: "newest" });
    return kept.map(({ publication: { event, data, position, atMs } }) => {
      return { event, payload: redact(data), ...(position && { position }), ...(atMs !== undefined && { atMs }) };
    });
  }
  const last = traits.cache ? await hub.histories.cachedEvent(app, name) : undefined;
  return last ? [{ event: last.publication.event, payload: redact(last.publication.data) }] : [];
}

function connectionsIn(hub: Hub, app: string, channel: string, node: string): ConnectionEntry[] {
  const found: ConnectionEntry[] = [];
  const nowMs = hub.clock.monotonicMs();
  for (const connection of hub.connections()) {
    if (connection.app.id !== app || !connection.isIn(channel)) continue;
    found.push(connectionEntry(connection, node, nowMs));
    if (found.length >= MAX_HERE) break;
  }
  return found;
}

function entryOfChannel(call: Call, summary: ChannelSummary): ChannelEntry {
  const { traits } = call.services.hub.channelOf(appOf(call), summary.name);
  return { ...summary, kind: kindOf(traits), encrypted: traits.encrypted, cache: traits.cache };
}

export const connections: Handler = (call): ConnectionList => {
  const { hub, node } = call.services;
  const search = call.query.get("search") ?? undefined;
  return listConnections(hub, appOf(call), { search, limit: limitOf(call, 200, MAX_CONNECTIONS), node: node.id });
};

export const connection: Handler = (call): ConnectionDetail => {
  const { hub, node, redact } = call.services;
  const found = hub.connection(appOf(call), call.params.id ?? "");
  if (!found) throw new AdminError("not_found", "This node has no such connection.");
  return connectionDetail(found, { node: node.id, clock: hub.clock, redact });
};

function order(one: string, other: string): number {
  return one < other ? -1 : 1;
}
