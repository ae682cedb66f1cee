/**
 * Opens connections to the server that has a shard. Everything of one channel lives in one shard, and each shard on one server: a
 * server on its own has one shard, a cluster many.
 */

import { type CommandClient, openCommandClient } from "./command-client.ts";
import type { Keys } from "./keys.ts";
import { addressResolver } from "./resolve-address.ts";
import { addressText, type RedisSettings } from "./settings.ts";
import { openSubscriptionClient, type SubscriptionClient, type SubscriptionEvents } from "./subscription-client.ts";

/** Enough to spread over many masters, few enough to have a connection for each. */
const CLUSTER_SHARDS = 32;

/** Whether subjects are of a slot, or of the whole server. */
export function commandsOf({ topology }: RedisSettings) {
  return topology.type === "cluster"
    ? { publish: "SPUBLISH", countSubscribers: "SHARDNUMSUB" }
    : { publish: "PUBLISH", countSubscribers: "NUMSUB" };
}

export function shardCount({ topology }: RedisSettings): number {
  return topology.type === "cluster" ? CLUSTER_SHARDS : 1;
}

/** All of it rejects with sentences for people, without secrets. */
export interface Connector {
  openCommands(shard: number, ended: (why: string) => void): Promise<CommandClient>;
  openSubscriptions(shard: number, events: SubscriptionEvents): Promise<SubscriptionClient>;
  /** Where the shard should be served now, where that can change. */
  readonly resolveAddress: ((shard: number) => Promise<string>) | undefined;
}

export function createConnector(settings: RedisSettings, keys: Keys): Connector {
  const { topology } = settings;
  const resolve = addressResolver(settings);
  const addressOf = (shard: number) => resolve(keys.root(shard));
  return {
    openCommands: async (shard, ended) => {
      const client = await openCommandClient(settings, await addressOf(shard), ended);
      if (topology.type === "sentinel") await checkMaster(client);
      return client;
    },
    openSubscriptions: async (shard, events) => openSubscriptionClient(settings, await addressOf(shard), events),
    resolveAddress: topology.type === "server" ? undefined : async (shard) => addressText(await addressOf(shard)),
  };
}

/** A sentinel may not have noticed yet. */
async function checkMaster(client: CommandClient): Promise<void> {
  const role = await client.send("ROLE", []).catch(() => ["master"]);
  if (Array.isArray(role) && role[0] === "master") return;
  client.close();
  throw new Error("what the sentinels call the master is none");
}
