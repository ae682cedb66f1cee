/** What this node has in the registry and the ledger, to write it again where it was lost, and what could not be written. */

import type { PresenceEntry } from "../../domain/ports.ts";
import { channelKey, type Keys } from "./keys.ts";

export interface SubscriberCount {
  readonly app: string;
  readonly channel: string;
  readonly count: number;
}

export interface QuotaHold {
  readonly place: string;
  readonly holder: string;
}

/** Of one bucket. */
export class ShardState {
  readonly entries = new Map<string, PresenceEntry>();
  readonly counts = new Map<string, SubscriberCount>();
  readonly holds = new Map<string, QuotaHold>();
  /** Until then others may still have to write again what was lost, so that nobody is known to be gone. Monotonic milliseconds. */
  unsureUntilMs = 0;
  /** Counts that are written with the next beat. */
  readonly pendingCounts = new Set<string>();
  /** What Redis may have otherwise, because no answer came; a row with whether anybody was told that it is there. */
  readonly doubtfulEntries = new Map<string, { readonly row: PresenceEntry; readonly wasThere: boolean }>();
  readonly doubtfulCounts = new Map<string, SubscriberCount>();
  readonly doubtfulHolds = new Map<string, QuotaHold>();

  get size(): number {
    return this.entries.size + this.counts.size + this.holds.size;
  }
}

export class LocalState {
  readonly #keys: Keys;
  readonly #shares: readonly ShardState[];

  constructor(keys: Keys) {
    this.#keys = keys;
    this.#shares = Array.from({ length: keys.buckets }, () => new ShardState());
  }

  of(place: string): ShardState {
    return this.shard(this.#keys.shardOf(place));
  }

  shard(bucket: number): ShardState {
    const share = this.#shares[bucket];
    if (!share) throw new Error(`There is no bucket ${bucket}.`);
    return share;
  }
}

export function entryKey({ app, channel, connection }: PresenceEntry): string {
  return JSON.stringify([app, channel, connection]);
}

export function holdKey({ place, holder }: QuotaHold): string {
  return JSON.stringify([place, holder]);
}

export function countKey({ app, channel }: Pick<SubscriberCount, "app" | "channel">): string {
  return channelKey(app, channel);
}
