/** Connections of every node: of one node by a call, of several by what each of them says of itself. */

import type { ConnectionDetail, ConnectionEntry, ConnectionList, Overview } from "fanfare/wire/admin";
import { type AdminClient, apiPath } from "./admin-client.ts";
import { watchLive } from "./live-watch.ts";

interface Asked {
  readonly admin: AdminClient;
  readonly app: string;
  readonly signal: AbortSignal;
}

export interface FoundConnections {
  readonly connections: readonly ConnectionEntry[];
  readonly total: number;
  /** Nodes that did not answer in time. */
  readonly silentNodes?: readonly string[];
}

/** Each node reports every two seconds. */
const REPORT_MS = 4_500;
const DETAIL_MS = 2_500;

/** The longest connected first. */
export async function findConnections(
  { admin, app, signal }: Asked,
  search: string | undefined,
  limit: number,
): Promise<FoundConnections> {
  const nodes = await nodeIds(admin);
  if (nodes.length <= 1) {
    const path = apiPath(["apps", app, "connections"], { search, limit });
    const { connections, total } = await admin.get<ConnectionList>(path);
    return { connections: oldestFirst(connections), total };
  }
  const byNode = new Map<string, ConnectionList>();
  const watch = { type: "connections" as const, app, ...(search !== undefined && { search }) };
  const hear = (list: ConnectionList) => {
    byNode.set(list.node, list);
    return nodes.every((id) => byNode.has(id));
  };
  await watchLive(admin, { watch, name: "connections", forMs: REPORT_MS, signal, hear });
  const lists = [...byNode.values()];
  const silentNodes = nodes.filter((id) => !byNode.has(id));
  return {
    connections: oldestFirst(lists.flatMap(({ connections }) => connections)).slice(0, limit),
    total: lists.reduce((sum, { total }) => sum + total, 0),
    ...(silentNodes.length > 0 && { silentNodes }),
  };
}

/** Undefined where no node has it. */
export async function findConnection({ admin, app, signal }: Asked, id: string): Promise<ConnectionDetail | undefined> {
  const here = await admin.find<ConnectionDetail>(apiPath(["apps", app, "connections", id]));
  if (here || (await nodeIds(admin)).length <= 1) return here;
  let found: ConnectionDetail | undefined;
  const watch = { type: "connection" as const, app, id };
  const hear = ({ connection }: { readonly connection?: ConnectionDetail }) => {
    found = connection;
    return connection !== undefined;
  };
  await watchLive(admin, { watch, name: "connection", forMs: DETAIL_MS, signal, hear });
  return found;
}

async function nodeIds(admin: AdminClient): Promise<readonly string[]> {
  const { nodes } = await admin.get<Overview>("api/overview");
  return nodes.map(({ id }) => id);
}

function oldestFirst(connections: readonly ConnectionEntry[]): ConnectionEntry[] {
  return connections.toSorted((one, other) => other.ageMs - one.ageMs);
}
