/** What the configuration says of Redis, as the engine takes it. */

import { parseRedisUrl } from "../../config/redis-url.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { Address, RedisSettings, Topology } from "../../engines/redis/settings.ts";
import { readSettingFile } from "./read-setting-file.ts";

const PORT = 6379;
const MIN_PAUSE_MS = 50;

/** Throws an Error where a file cannot be read. */
export function redisSettings(config: Config): RedisSettings {
  const { redis, nodeTimeoutS, publishWaitS, publishWaitBytes } = config;
  const { username, password, ...at } = whereIs(config);
  const reconnectMaxMs = redis.reconnectMaxS * 1000;
  return {
    topology: topologyOf(config, at.address),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    db: redis.cluster.length > 0 ? 0 : at.db,
    ...(at.tls && { tls: redis.caFile === undefined ? {} : { ca: readSettingFile("redis.caFile", redis.caFile) } }),
    prefix: redis.prefix,
    connectTimeoutMs: redis.connectTimeoutS * 1000,
    commandTimeoutMs: redis.commandTimeoutS * 1000,
    reconnectMinMs: Math.min(MIN_PAUSE_MS, reconnectMaxMs),
    reconnectMaxMs,
    publishWaitMs: publishWaitS * 1000,
    publishWaitBytes,
    nodeTimeoutMs: nodeTimeoutS * 1000,
  };
}

interface Where {
  readonly address: Address;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly db: number;
  readonly tls: boolean;
}

/** By the address in one line, where there is one; what it leaves out is as the other settings say. */
function whereIs({ redis }: Config): Where {
  const { url, host, port, username, password, db, tls } = redis;
  if (url === undefined) return { address: { host, port }, username, password, db, tls };
  const place = parseRedisUrl(url);
  if (place === undefined) throw new Error("`redis.url` is no address of a Redis");
  return {
    address: { host: place.host || host, port: place.port ?? PORT },
    username: place.username ?? username,
    password: place.password ?? password,
    db: place.db ?? db,
    tls: tls || place.isTls,
  };
}

function topologyOf({ redis }: Config, at: Address): Topology {
  const { cluster, sentinels, sentinelMaster: master, sentinelPassword: password } = redis;
  if (cluster.length > 0) return { type: "cluster", seeds: cluster.map(addressOf) };
  if (sentinels.length === 0) return { type: "server", at };
  return {
    type: "sentinel",
    sentinels: sentinels.map(addressOf),
    master,
    ...(password !== undefined && { password }),
  };
}

function addressOf(text: string): Address {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
}
