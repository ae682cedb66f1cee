/**
 * One connection for publications, by ioredis, because Bun's client loses subscriptions silently (docs/decisions/0006-redis.md). It never
 * reconnects by itself, so nothing happens on it unnoticed.
 */

import { Redis } from "ioredis";
import { messageOf } from "../../domain/thrown.ts";
import { singleConnectionOptions, withConnectTimeout } from "./resolve-address.ts";
import { type Address, addressText, type RedisSettings } from "./settings.ts";

export interface SubscriptionClient {
  /** The server at the other end: `host:port`. */
  readonly address: string;
  /** Resolves when Redis has confirmed every one of them. */
  subscribe(subjects: readonly string[]): Promise<void>;
  unsubscribe(subjects: readonly string[]): Promise<void>;
  /** Resolves when Redis answers on this very connection. */
  ping(): Promise<void>;
  close(): void;
}

export interface SubscriptionEvents {
  /** Called once, after `close` too. */
  ended(why: string): void;
  message(subject: string, text: string): void;
}

/** Names in one SUBSCRIBE. */
const SUBSCRIBE_AT_ONCE = 1_000;

/** Rejects with a sentence for people, without secrets. */
export async function openSubscriptionClient(
  settings: RedisSettings,
  at: Address,
  events: SubscriptionEvents,
): Promise<SubscriptionClient> {
  const { username, password, connectTimeoutMs, topology } = settings;
  const isSharded = topology.type === "cluster";
  const address = addressText(at);
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
    await withConnectTimeout(connectTimeoutMs, at, async () => {
      await redis.connect();
      await redis.ping();
    });
  } catch (error) {
    redis.disconnect();
    throw new Error(`Redis at ${address}: ${messageOf(why ?? error)}`);
  }
  // Of a slot that went elsewhere, the server ends the subscriptions by itself, which ioredis takes for an answer to no
  // command; and a subscription that is refused for that reason is an event, and no answer at all.
  for (const sign of ["error", "moved"]) redis.on(sign, () => redis.disconnect());
  redis.on(isSharded ? "smessage" : "message", (subject: string, text: string) => events.message(subject, text));
  redis.once("end", () => events.ended(`Redis at ${address} closed the connection for publications`));
  return {
    address,
    subscribe: (subjects) =>
      inParts(subjects, (part) => (isSharded ? redis.ssubscribe(...part) : redis.subscribe(...part))),
    unsubscribe: (subjects) =>
      inParts(subjects, (part) => (isSharded ? redis.sunsubscribe(...part) : redis.unsubscribe(...part))),
    ping: async () => {
      await redis.ping();
    },
    close: () => redis.disconnect(),
  };
}

async function inParts(
  subjects: readonly string[],
  send: (part: readonly string[]) => Promise<unknown>,
): Promise<void> {
  const sent: Promise<unknown>[] = [];
  for (let from = 0; from < subjects.length; from += SUBSCRIBE_AT_ONCE) {
    sent.push(send(subjects.slice(from, from + SUBSCRIBE_AT_ONCE)));
  }
  await Promise.all(sent);
}
