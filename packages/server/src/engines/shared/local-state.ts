/** What one node has written to the registry and the ledger, kept so that it can be written again, or taken back. */

import type { PresenceEntry } from "../../domain/ports.ts";

export interface ChannelRef {
  readonly app: string;
  readonly channel: string;
}

export interface SubscriberCount extends ChannelRef {
  readonly count: number;
}

export interface QuotaHold {
  readonly quota: string;
  readonly holder: string;
}

export class LocalState {
  readonly entries = new Map<string, PresenceEntry>();
  readonly counts = new Map<string, SubscriberCount>();
  readonly holds = new Map<string, QuotaHold>();

  get size(): number {
    return this.entries.size + this.counts.size + this.holds.size;
  }

  setCount(count: SubscriberCount): void {
    if (count.count > 0) this.counts.set(channelKey(count), count);
    else this.counts.delete(channelKey(count));
  }
}

/** No two channels have the same: app ids have no slash. */
export function channelKey({ app, channel }: ChannelRef): string {
  return `${app}/${channel}`;
}

/** Connections and quotas are named by the server itself, without a NUL. */
export function entryKey({ app, channel, connection, member }: PresenceEntry): string {
  return `${connection}\0${app}/${channel}\0${member.id}`;
}

export function holdKey({ quota, holder }: QuotaHold): string {
  return `${holder}\0${quota}`;
}
