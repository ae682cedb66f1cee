/** How keys and subjects are spelt, so that no app, channel or deployment can reach another's. */

import type { RedisSettings } from "./settings.ts";

export class Keys {
  readonly #roots: readonly string[];
  readonly #subjects: readonly string[];
  /** What only this node publishes, and listens to. */
  readonly #beat = `beat:${crypto.randomUUID()}`;

  /** A server on its own has one bucket; in a cluster each has a hash tag, so that all of it is in one slot. */
  constructor({ prefix, db }: Pick<RedisSettings, "prefix" | "db">, shards: number) {
    const tags = Array.from({ length: shards }, (_, bucket) => (shards === 1 ? "" : `{${bucket}}:`));
    this.#roots = tags.map((tag) => `${prefix}:${tag}`);
    // Redis's subjects know nothing of databases.
    this.#subjects = tags.map((tag) => `${prefix}:${tag}${db === 0 ? "" : `${db}/`}`);
  }

  get buckets(): number {
    return this.#roots.length;
  }

  /** Where a channel, or anything else with a name, is kept. The same on every node and in every version. */
  shardOf(place: string): number {
    return this.buckets === 1 ? 0 : Bun.hash.crc32(place) % this.buckets;
  }

  /** Begins every key of the bucket. */
  root(bucket: number): string {
    return this.#roots[bucket] ?? "";
  }

  /** Every node that listens to all it wants of the bucket listens to it. No channel's subject is without a colon behind the mark. */
  readySubject(bucket: number): string {
    return this.subject(bucket, "listeners");
  }

  subject(bucket: number, place: string): string {
    return `${this.#subjects[bucket] ?? ""}!${place}`;
  }

  /** Of the node's own heartbeat. */
  heartbeatSubject(bucket: number): string {
    return `${this.#subjects[bucket] ?? ""}${this.#beat}`;
  }
}

/** The name of a channel of an app; no two have the same. */
export function channelKey(app: string, channel: string): string {
  return `${escaped(app)}:${channel}`;
}

export function appKeyPrefix(app: string): string {
  return `${escaped(app)}:`;
}

/** What `placeOf` made of them. */
export function parseChannelKey(place: string): { readonly app: string; readonly channel: string } | undefined {
  const end = place.indexOf(":");
  if (end < 0) return undefined;
  const app = place.slice(0, end).replace(/%3A/g, ":").replace(/%25/g, "%");
  return { app, channel: place.slice(end + 1) };
}

function escaped(app: string): string {
  return app.replace(/%/g, "%25").replace(/:/g, "%3A");
}
