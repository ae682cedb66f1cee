/** Finds out which server to talk to: the one that is named, the sentinels' master, or a slot's master in the cluster. And how long connecting there may take. */

import calculateSlot from "cluster-key-slot";
import { Redis } from "ioredis";
import { messageOf } from "../../domain/thrown.ts";
import { ReplyError } from "./errors.ts";
import { type Address, addressText, isUnixSocket, type RedisSettings } from "./settings.ts";

/** Answers for a key; rejects with a sentence for people. */
export type ResolveAddress = (key: string) => Promise<Address>;

/** Answers younger than this are not asked for again. */
const FRESH_MS = 500;

export function addressResolver(settings: RedisSettings): ResolveAddress {
  const { topology } = settings;
  switch (topology.type) {
    case "server":
      return async () => topology.at;
    case "sentinel":
      return cached(() => fetchMaster(settings, topology));
    case "cluster": {
      let known = topology.seeds;
      const slots = cached(async () => {
        const ranges = await fetchSlots(settings, known);
        // A seed may be gone for good while the cluster lives.
        known = [...ranges, ...topology.seeds].filter(isNew);
        return ranges;
      });
      return async (key) => ownerOf(calculateSlot(key), await slots());
    }
  }
}

/** Options of ioredis that make it one connection and nothing more. */
export function singleConnectionOptions(settings: RedisSettings, at: Address) {
  const { tls } = settings;
  return {
    ...(isUnixSocket(at) ? { path: at.host } : { host: at.host, port: at.port }),
    lazyConnect: true,
    connectTimeout: settings.connectTimeoutMs,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    ...(tls && { tls: { ...(tls.ca !== undefined && { ca: tls.ca }) } }),
  };
}

async function fetchMaster(
  settings: RedisSettings,
  topology: { readonly sentinels: readonly Address[]; readonly master: string; readonly password?: string },
): Promise<Address> {
  const { master, password } = topology;
  const answer = await queryFirstReachable(
    settings,
    topology.sentinels,
    password === undefined ? {} : { password },
    (redis) => redis.call("SENTINEL", "get-master-addr-by-name", master),
  );
  const [host, port] = Array.isArray(answer) ? answer : [];
  if (typeof host === "string" && Number(port) > 0) return { host, port: Number(port) };
  throw new Error(`the sentinels know no master called ${JSON.stringify(master)}`);
}

interface SlotRange extends Address {
  readonly first: number;
  readonly last: number;
}

async function fetchSlots(settings: RedisSettings, seeds: readonly Address[]): Promise<readonly SlotRange[]> {
  const { username, password } = settings;
  const login = { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
  const answer = await queryFirstReachable(settings, seeds, login, async (redis) => ({
    slots: await redis.call("CLUSTER", "SLOTS"),
    host: redis.options.host ?? "",
  }));
  if (!Array.isArray(answer.slots)) throw new Error("the cluster does not say which node has which slot");
  return answer.slots.flatMap((each): SlotRange[] => {
    const [first, last, owner] = Array.isArray(each) ? each : [];
    const [host, port] = Array.isArray(owner) ? owner : [];
    if (typeof first !== "number" || typeof last !== "number" || typeof port !== "number") return [];
    return [{ first, last, host: typeof host === "string" && host !== "" ? host : answer.host, port }];
  });
}

function ownerOf(slot: number, ranges: readonly SlotRange[]): Address {
  const owner = ranges.find(({ first, last }) => first <= slot && slot <= last);
  if (!owner) throw new Error(`no node of the cluster has slot ${slot}`);
  return owner;
}

function isNew({ host, port }: Address, at: number, all: readonly Address[]): boolean {
  return all.findIndex((other) => other.host === host && other.port === port) === at;
}

/** Asks one after the other until one answers. */
async function queryFirstReachable<T>(
  settings: RedisSettings,
  addresses: readonly Address[],
  login: { readonly username?: string; readonly password?: string },
  ask: (redis: Redis) => Promise<T>,
): Promise<T> {
  let why: unknown = new Error("no address is configured");
  for (const address of addresses) {
    const redis = new Redis({
      ...singleConnectionOptions(settings, address),
      ...login,
      commandTimeout: settings.commandTimeoutMs,
    });
    redis.on("error", () => {});
    try {
      await redis.connect();
      return await ask(redis);
    } catch (error) {
      why = error;
    } finally {
      redis.disconnect();
    }
  }
  throw new ReplyError(messageOf(why));
}

/** Callers at the same time, or soon after, share one answer. */
function cached<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    if (!asked) {
      const answer = ask();
      asked = answer;
      const forget = () => {
        if (asked === answer) asked = undefined;
      };
      answer.then(() => setTimeout(forget, FRESH_MS).unref(), forget);
    }
    return asked;
  };
}

/** Rejects with a sentence for people when the work takes longer. */
export async function withConnectTimeout<T>(ms: number, at: Address, work: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`no answer from Redis at ${addressText(at)} within ${ms} ms`)),
    ms,
  );
  try {
    return await Promise.race([work(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
