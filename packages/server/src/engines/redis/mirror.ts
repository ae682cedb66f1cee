/** What this node has in the registry and the ledger, to write it again where it was lost, and what could not be written. */

import type { PresenceEntry } from "../../domain/ports.ts";
import { type Keys, placeOf } from "./keys.ts";

export interface Tally {
  readonly app: string;
  readonly channel: string;
  readonly count: number;
}

export interface Hold {
  readonly place: string;
  readonly holder: string;
}

/** Of one bucket. */
export class Share {
  readonly rows = new Map<string, PresenceEntry>();
  readonly tallies = new Map<string, Tally>();
  readonly holds = new Map<string, Hold>();
  /** Until then others may still have to write again what was lost, so that nobody is known to be gone. Monotonic milliseconds. */
  unsureUntilMs = 0;
  /** Counts that are written with the next beat. */
  readonly pending = new Set<string>();
  /** What Redis may have otherwise, because no answer came; a row with whether anybody was told that it is there. */
  readonly doubtfulRows = new Map<string, { readonly row: PresenceEntry; readonly wasThere: boolean }>();
  readonly doubtfulTallies = new Map<string, Tally>();
  readonly doubtfulHolds = new Map<string, Hold>();

  get size(): number {
    return this.rows.size + this.tallies.size + this.holds.size;
  }
}

export class Mirror {
  readonly #keys: Keys;
  readonly #shares: readonly Share[];

  constructor(keys: Keys) {
    this.#keys = keys;
    this.#shares = Array.from({ length: keys.buckets }, () => new Share());
  }

  of(place: string): Share {
    return this.share(this.#keys.bucketOf(place));
  }

  share(bucket: number): Share {
    const share = this.#shares[bucket];
    if (!share) throw new Error(`There is no bucket ${bucket}.`);
    return share;
  }
}

export function rowKey({ app, channel, connection }: PresenceEntry): string {
  return JSON.stringify([app, channel, connection]);
}

export function holdKey({ place, holder }: Hold): string {
  return JSON.stringify([place, holder]);
}

export function tallyKey({ app, channel }: Pick<Tally, "app" | "channel">): string {
  return placeOf(app, channel);
}
