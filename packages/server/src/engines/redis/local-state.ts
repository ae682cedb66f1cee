/** What this node has in the registry and the ledger, by shard, to write it again where it was lost, and what could not be written. */

import type { PresenceEntry } from "../../domain/ports.ts";
import { LocalState, type QuotaHold, type SubscriberCount } from "../shared/local-state.ts";

/** `wasThere` says whether the entry had been reported, so that its end has to be. */
export interface DoubtfulEntry {
  readonly entry: PresenceEntry;
  readonly wasThere: boolean;
}

export class ShardState extends LocalState {
  /** Until then others may still have to write again what was lost, so that it is not known who is gone. Monotonic milliseconds. */
  unsureUntilMs = 0;
  /** Keys of counts that are written with the next heartbeat. */
  readonly pendingCounts = new Set<string>();
  /** What Redis may have otherwise, because no answer came. */
  readonly doubtfulEntries = new Map<string, DoubtfulEntry>();
  readonly doubtfulCounts = new Map<string, SubscriberCount>();
  readonly doubtfulHolds = new Map<string, QuotaHold>();

  clearDoubts(): void {
    this.doubtfulEntries.clear();
    this.doubtfulCounts.clear();
    this.doubtfulHolds.clear();
  }
}
