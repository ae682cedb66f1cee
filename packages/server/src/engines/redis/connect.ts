/**
 * Opens connections: Bun's client for commands, which is several times as fast, and ioredis for subscriptions, where Bun's
 * loses some without a word. Why: docs/decisions/0006-redis.md.
 */

import { RedisClient } from "bun";
import { Redis } from "ioredis";
import { NoAnswerError } from "../shared/errors.ts";
import type {
  CommandClient,
  ConnectionEvents,
  Connector,
  SubscriptionClient,
  SubscriptionEvents,
} from "./connector.ts";
import { ReplyError } from "./errors.ts";
import type { Keys } from "./keys.ts";
import { addressResolver, type ResolveAddress, singleConnectionOptions } from "./resolve-address.ts";
import { type Address, isUnixSocket, type RedisSettings } from "./settings.ts";

/** Enough to spread over many masters, few enough to have a connection for each. */
const CLUSTER_SHARDS = 32;
/** Names in one SUBSCRIBE. */
const SUBSCRIBE_AT_ONCE = 1_000;

export function shardCount({ topology }: RedisSettings): number {
  return topology.type === "cluster" ? CLUSTER_SHARDS : 1;
}

export function createConnector(settings: RedisSettings, keys: Keys): Connector {
  const locate: ResolveAddress = addressResolver(settings);
  const isFixed = settings.topology.type === "server";
  const at = (bucket: number) => locate(keys.root(bucket));
  return {
    shards: keys.buckets,
    sharded: settings.topology.type === "cluster",
    openCommands: async (bucket, events) => {
      const wire = await openCommands(settings, await at(bucket), events);
      if (settings.topology.type === "sentinel") await checkMaster(wire);
      return wire;
    },
    openSubscriptions: async (bucket, events) =>
      openSubscriptions(settings, await at(bucket), events, settings.topology.type === "cluster"),
    ...(!isFixed && {
      resolveAddress: async (bucket: number) => {
        try {
          return addressText(await at(bucket));
        } catch {
          // Whoever cannot say where it is does not say that it has moved.
          return undefined;
        }
      },
    }),
    close: () => {},
  };
}

async function openCommands(settings: RedisSettings, at: Address, events: ConnectionEvents): Promise<CommandClient> {
  const client = new RedisClient(urlOf(settings, at), {
    autoReconnect: false,
    enableOfflineQueue: false,
    maxRetries: 0,
    idleTimeout: 0,
    connectionTimeout: settings.connectTimeoutMs,
    ...(settings.tls && {
      tls: { serverName: at.host, ...(settings.tls.ca !== undefined && { ca: settings.tls.ca }) },
    }),
  });
  const send = async (command: string, args: readonly string[]): Promise<unknown> => {
    try {
      return await client.send(command, [...args]);
    } catch (error) {
      throw isConnectionError(error)
        ? new NoAnswerError(`${command} was not answered`)
        : new ReplyError(messageOf(error));
    }
  };
  try {
    return await withinTime(settings.connectTimeoutMs, at, async () => {
      await client.connect();
      if (isUnixSocket(at) && settings.db > 0) await send("SELECT", [String(settings.db)]);
      // A wrong database is refused only to the first command.
      await send("PING", []);
      const run = await fetchRunId(send);
      client.onclose = () => events.ended(`${nameOf(at)} closed the connection`);
      return { address: addressText(at), runId: run, send, close: () => client.close() };
    });
  } catch (error) {
    client.onclose = null;
    client.close();
    throw new Error(`${nameOf(at)}: ${messageOf(error)}`);
  }
}

/** What tells one life of the server from the next; nothing where the user may not ask. */
async function fetchRunId(send: CommandClient["send"]): Promise<string> {
  try {
    return /run_id:(\w+)/.exec(String(await send("INFO", ["server"])))?.[1] ?? "";
  } catch (error) {
    if (error instanceof ReplyError) return "";
    throw error;
  }
}

/** A sentinel may not have noticed yet. */
async function checkMaster(wire: CommandClient): Promise<void> {
  const role = await wire.send("ROLE", []).catch(() => ["master"]);
  if (Array.isArray(role) && role[0] === "master") return;
  wire.close();
  throw new Error("what the sentinels call the master is none");
}

async function openSubscriptions(
  settings: RedisSettings,
  at: Address,
  events: SubscriptionEvents,
  sharded: boolean,
): Promise<SubscriptionClient> {
  const { username, password } = settings;
  const redis = new Redis({
    ...singleConnectionOptions(settings, at),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  });
  let why: Error | undefined;
  redis.on("error", (error) => {
    why ??= error;
  });
  try {
    await withinTime(settings.connectTimeoutMs, at, async () => {
      await redis.connect();
      await redis.ping();
    });
  } catch (error) {
    redis.disconnect();
    throw new Error(`${nameOf(at)}: ${messageOf(why ?? error)}`);
  }
  // Of a slot that went elsewhere, the server ends the subscriptions by itself, which is an answer that nobody asked for; and
  // what is subscribed to there is refused, which ioredis says in this way only.
  for (const sign of ["error", "moved"]) redis.on(sign, () => redis.disconnect());
  redis.on(sharded ? "smessage" : "message", (subject: string, text: string) => events.message(subject, text));
  redis.once("end", () => events.ended(`${nameOf(at)} closed the connection for publications`));
  const inParts = async (subjects: readonly string[], ask: (part: string[]) => Promise<unknown>) => {
    const asked: Promise<unknown>[] = [];
    for (let from = 0; from < subjects.length; from += SUBSCRIBE_AT_ONCE) {
      asked.push(ask(subjects.slice(from, from + SUBSCRIBE_AT_ONCE)));
    }
    await Promise.all(asked);
  };
  return {
    address: addressText(at),
    subscribe: (subjects) =>
      inParts(subjects, (part) => (sharded ? redis.ssubscribe(...part) : redis.subscribe(...part))),
    unsubscribe: (subjects) =>
      inParts(subjects, (part) => (sharded ? redis.sunsubscribe(...part) : redis.unsubscribe(...part))),
    ping: async () => {
      await redis.ping();
    },
    close: () => redis.disconnect(),
  };
}

function urlOf({ username, password, db, tls }: RedisSettings, at: Address): string {
  const { host, port } = at;
  const login = password === undefined ? "" : `${encodeURIComponent(username ?? "")}:${encodeURIComponent(password)}@`;
  // Without a host, Bun takes no login there; it reads no database from such an address.
  if (isUnixSocket(at)) return `redis+unix://${login}${login && "localhost"}${host}`;
  const name = host.includes(":") ? `[${host}]` : host;
  return `${tls ? "rediss" : "redis"}://${login}${name}:${port}/${db}`;
}

function isConnectionError(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code !== "ERR_REDIS_SERVER_ERROR" && code !== "ERR_REDIS_INVALID_COMMAND";
}

async function withinTime<T>(ms: number, at: Address, work: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer from ${nameOf(at)} within ${ms} ms`)), ms);
  try {
    return await Promise.race([work(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function nameOf(at: Address): string {
  return `Redis at ${addressText(at)}`;
}

function addressText(at: Address): string {
  return isUnixSocket(at) ? at.host : `${at.host}:${at.port}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== "" ? error.message : String(error);
}
