/** How keys and subjects are named, so that no app, channel or deployment can reach another's. What they hold is said in scripts/script.ts. */

import type { RedisSettings } from "./settings.ts";

/** Of keys, what they hold, and what subjects carry. Nodes of different layouts never meet: it is in the name of every key. */
const LAYOUT = "v2";

export class Keys {
  readonly #roots: readonly string[];
  readonly #subjects: readonly string[];
  /** Only this node publishes there and listens to it. */
  readonly #heartbeat = `heartbeat:${crypto.randomUUID()}`;

  /** A server on its own has one shard; in a cluster each has a hash tag, so that all of it is in one slot. */
  constructor({ prefix, db }: Pick<RedisSettings, "prefix" | "db">, shards: number) {
    const tags = Array.from({ length: shards }, (_, shard) => (shards === 1 ? "" : `{${shard}}:`));
    this.#roots = tags.map((tag) => `${prefix}:${LAYOUT}:${tag}`);
    // Redis's subjects know nothing of databases.
    this.#subjects = this.#roots.map((root) => `${root}${db === 0 ? "" : `${db}/`}`);
  }

  get shards(): number {
    return this.#roots.length;
  }

  /** Where a channel, or anything else with a name, is kept. The same on every node and in every version. */
  shardOf(name: string): number {
    return this.shards === 1 ? 0 : Bun.hash.crc32(name) % this.shards;
  }

  /** Begins every key of the shard. */
  root(shard: number): string {
    return this.#roots[shard] ?? "";
  }

  /** Of an idempotency key, as the scripts of publishing name it. */
  published(shard: number, key: string): string {
    return `${this.root(shard)}published:${key}`;
  }

  channelSubject(shard: number, channel: string): string {
    return `${this.#subjects[shard] ?? ""}channel:${channel}`;
  }

  /** A node subscribes to it when it has subscribed to everything else it wants of the shard. */
  readySubject(shard: number): string {
    return `${this.#subjects[shard] ?? ""}listeners`;
  }

  /** Of the node's own heartbeat. */
  heartbeatSubject(shard: number): string {
    return `${this.#subjects[shard] ?? ""}${this.#heartbeat}`;
  }
}
