/** What one node has written to the registry and the ledger, kept so that it can be written again, or taken back. */

import type { PresenceEntry } from "../../domain/ports.ts";
import { type ChannelRef, channelKey } from "./channels.ts";

export interface SubscriberCount extends ChannelRef {
  readonly count: number;
}

export interface QuotaHold {
  readonly quota: string;
  readonly holder: string;
}

/** With what was last written of the member, and when by the engine's clock; undefined where that was when it joined. */
export interface WrittenEntry extends PresenceEntry {
  readonly updatedAtMs?: number;
}

export class LocalState {
  readonly entries = new Map<string, WrittenEntry>();
  readonly counts = new Map<string, SubscriberCount>();
  readonly holds = new Map<string, QuotaHold>();

  get size(): number {
    return this.entries.size + this.counts.size + this.holds.size;
  }

  countOf(ref: ChannelRef): number {
    return this.counts.get(channelKey(ref))?.count ?? 0;
  }

  /** Answers the key of the channel's count. */
  setCount(subscribers: SubscriberCount): string {
    const key = channelKey(subscribers);
    if (subscribers.count > 0) this.counts.set(key, subscribers);
    else this.counts.delete(key);
    return key;
  }
}

/** Connections and quotas are named by the server itself, without a NUL. */
export function entryKey(
  entry: Pick<PresenceEntry, keyof ChannelRef | "connection"> & { member: { id: string } },
): string {
  return `${entry.connection}\0${channelKey(entry)}\0${entry.member.id}`;
}

export function holdKey({ quota, holder }: QuotaHold): string {
  return `${holder}\0${quota}`;
}
