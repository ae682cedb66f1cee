/** Calls that look: the server as a whole, its nodes and its connections. */

import { CommandError } from "../../domain/error.ts";
import type { Hub } from "../../hub/hub.ts";
import { AdminError } from "../admin-error.ts";
import type { ConnectionDetail, ConnectionList, NodeEntry, Overview } from "../api-types.ts";
import { appOf, type Handler, limitOf } from "../call.ts";
import { connectionDetail, listConnections } from "../connection-view.ts";
import { summaryOf } from "./apps.ts";

const MAX_CONNECTIONS = 1000;

export const overview: Handler = async ({ services }): Promise<Overview> => {
  const { hub, node, appEditor, statistics, seconds, webhooks, outboxes, audit, canDrain, hasMetrics } = services;
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
      ...{
        webhooks: webhooks !== undefined,
        outboxes: outboxes !== undefined,
        audit: audit.isPersistent,
        drain: canDrain,
        metrics: hasMetrics,
      },
    },
  };
};

export const nodes: Handler = ({ services }): Promise<readonly NodeEntry[]> => nodesOf(services.hub, services.node.id);

async function nodesOf(hub: Hub, here: string): Promise<readonly NodeEntry[]> {
  const all = await hub.nodes();
  return all.map((node) => ({ ...node, isThis: node.id === here }));
}

export const connections: Handler = (call): Promise<ConnectionList> => {
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
