/** Which engine carries the server: one that the program gives, or the one that the configuration names. */

import { ConfigError } from "../../config/config-error.ts";
import { parseRedisUrl } from "../../config/redis-url.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { Clock, Engine, EngineContext, EngineFactory } from "../../domain/ports.ts";
import { memoryEngine } from "../../engines/memory/engine.ts";
import type { Address, RedisSettings, Topology } from "../../engines/redis/settings.ts";
import { readSettingFile } from "./read-setting-file.ts";

export interface EngineOptions {
  readonly config: Config;
  readonly clock: Clock;
  /** The program's own. */
  readonly given?: Engine | EngineFactory | undefined;
  /** Is called with what the operator of the engine should change. */
  readonly warn?: (sentence: string) => void;
}

/** Throws an Error where the configuration asks for an engine that cannot be had. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  return (await createClusterEngine(options)) ?? memoryEngine(options.clock);
}

/** The engine that makes one server of several processes by itself; undefined where their first process has to. */
export async function createClusterEngine(options: EngineOptions): Promise<Engine | undefined> {
  const { config, clock, given, warn = () => {} } = options;
  if (given) return typeof given === "function" ? given(contextOf(options)) : given;
  switch (config.engine) {
    case "memory":
      return undefined;
    case "redis": {
      // Its client library takes 21 MB, which a server on another engine does not pay.
      const { redisEngine } = await import("../../engines/redis/engine.ts");
      return redisEngine(redisSettings(config), clock, warn);
    }
    case "nats":
      return (await natsPackage()).natsEngine(config.nats)(contextOf(options));
  }
}

function contextOf({ config, clock, warn = () => {} }: EngineOptions): EngineContext {
  const { publishWaitS, publishWaitBytes, nodeTimeoutS } = config;
  return { clock, warn, publishWaitMs: publishWaitS * 1000, publishWaitBytes, nodeTimeoutMs: nodeTimeoutS * 1000 };
}

interface NatsPackage {
  natsEngine(options: Config["nats"]): EngineFactory;
}

/** A package of its own, which depends on this one: only its name is known here. */
async function natsPackage(): Promise<NatsPackage> {
  const name = "@fanfare/nats";
  try {
    return await import(name);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes(name)) throw error;
    throw new ConfigError([`engine "nats" needs the package ${name}, which is not installed: npm install ${name}`]);
  }
}

const PORT = 6379;
const MIN_PAUSE_MS = 50;

/** What the configuration says of Redis, as the engine takes it. Throws an Error where a file cannot be read. */
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
