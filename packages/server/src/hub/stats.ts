/** What a node has in mind, counted. */

import { type ChannelKind, isInternal, kindOf } from "../domain/channel.ts";
import type { Tenant } from "./tenant.ts";

export interface NodeStats {
  readonly apps: number;
  readonly connections: number;
  /** Those the server uses itself included. */
  readonly channels: number;
  readonly users: number;
}

/** What one app has on this node; the channels that the server uses itself are left out. */
export interface AppStats {
  readonly app: string;
  readonly connections: number;
  readonly subscriptions: number;
  readonly channels: Readonly<Record<ChannelKind, number>>;
}

export function appStatsOf({ app, connections, audiences }: Tenant): AppStats {
  const channels = { public: 0, private: 0, presence: 0 };
  let subscriptions = 0;
  for (const { channel, size } of audiences.values()) {
    if (isInternal(channel.name) || size === 0) continue;
    channels[kindOf(channel.traits)]++;
    subscriptions += size;
  }
  return { app: app.id, connections: connections.size, subscriptions, channels };
}

export function nodeStatsOf(tenants: Iterable<Tenant>): NodeStats {
  const census = { apps: 0, connections: 0, channels: 0, users: 0 };
  for (const tenant of tenants) {
    census.apps++;
    census.connections += tenant.connections.size;
    census.channels += tenant.audiences.size;
    census.users += tenant.users.size;
  }
  return census;
}
