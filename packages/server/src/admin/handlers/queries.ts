/** Calls that look: the server as a whole, its nodes, its connections and the users who have them. */

import type { App } from "../../domain/app.ts";
import { CommandError } from "../../domain/error.ts";
import type { Hub } from "../../hub/hub.ts";
import { checkUserId } from "../../hub/limits.ts";
import { AdminError } from "../admin-error.ts";
import type {
  Ban,
  ConnectionDetail,
  ConnectionList,
  NodeEntry,
  Overview,
  PeopleList,
  PersonDetail,
} from "../api-types.ts";
import { appOf, type Call, type Handler, idIn, limitOf } from "../call.ts";
import { connectionDetail, listConnections } from "../connection-view.ts";
import { hasRole } from "../sessions.ts";
import { summaryOf } from "./apps.ts";

const MAX_CONNECTIONS = 1000;
const MAX_PEOPLE = 200;
/** How far back in the audit log is looked for who made a ban. */
const AUDIT_ENTRIES = 500;

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
      statistics: statistics !== undefined,
      seconds: seconds !== undefined,
      apps: appEditor !== undefined,
      webhooks: webhooks !== undefined,
      outboxes: outboxes !== undefined,
      audit: audit.isPersistent,
      drain: canDrain,
      metrics: hasMetrics,
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

export const people: Handler = (call): Promise<PeopleList> => {
  const app = idIn(call);
  const [search, after] = [call.query.get("search"), call.query.get("after")];
  return call.services.people.list({
    ...(app !== undefined && { app }),
    ...(search && { search: search.slice(0, 200) }),
    ...(after && { after: after.slice(0, 400) }),
    limit: limitOf(call, 100, MAX_PEOPLE),
  });
};

export const person: Handler = async (call): Promise<PersonDetail> => {
  const [app, user] = [appOf(call), call.params.id ?? ""];
  checkUserId(app, user);
  const [found, bans] = await Promise.all([call.services.people.person(app, user), bansOf(call, app, user)]);
  return { ...found, bans };
};

/** As the engine knows them, whoever made them; who it was, the audit log says to those who may read it. */
async function bansOf({ services, principal }: Call, app: App, user: string): Promise<readonly Ban[]> {
  const { audit, hub } = services;
  const bans = await hub.steering.bansOf(app, user);
  if (bans.length === 0 || !hasRole(principal, "operate")) return bans;
  const makers = new Map<string, string>();
  for (const { what, who, detail } of await audit.list(AUDIT_ENTRIES)) {
    const { channel } = detail;
    if (what !== "user.ban" || detail.app !== app.id || detail.user !== user || typeof channel !== "string") continue;
    if (!makers.has(channel)) makers.set(channel, who);
  }
  return bans.map((ban) => {
    const by = makers.get(ban.channel);
    return by === undefined ? ban : { ...ban, by };
  });
}
