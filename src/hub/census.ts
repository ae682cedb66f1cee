/** What a node has in mind, counted. */

import type { Tenant } from "./tenant.ts";

export interface Census {
  readonly apps: number;
  readonly connections: number;
  /** Those the server uses itself included. */
  readonly channels: number;
  readonly users: number;
}

export function censusOf(tenants: Iterable<Tenant>): Census {
  const census = { apps: 0, connections: 0, channels: 0, users: 0 };
  for (const tenant of tenants) {
    census.apps++;
    census.connections += tenant.connections.size;
    census.channels += tenant.audiences.size;
    census.users += tenant.users.size;
  }
  return census;
}
