/** Where a subscription is to begin. */

import type { Holder } from "./holder.ts";
import type { Rewind } from "./rewind.ts";
import type { Position } from "./types.ts";

/** What the server is asked for, and who wanted that. */
export interface Resume {
  readonly from?:
    | { readonly position: Position; readonly rewind?: Rewind | undefined }
    | { readonly rewind: Rewind }
    | { readonly recover: true };
  readonly served: readonly Holder[];
  /** What was missed is read by `history`. */
  readonly isCaughtUp?: boolean;
}

/** As much as the server gives at once. */
const ALL: Rewind = { count: 1_000 };

/** Holders that want different things get them by `history`, where the server has it. */
export function resumeOf(known: Position | undefined, all: readonly Holder[], hasHistory: boolean): Resume {
  const wishes = all.flatMap(({ again }) => again || []);
  const rewind = wishes.includes(true) ? ALL : wishes.find((it) => it !== true);
  if (known) return { from: { position: known, rewind }, served: [] };
  const holders = all.filter(({ deliver }) => deliver);
  const served = holders.filter(({ since, rewind }) => since ?? rewind);
  const [first] = served;
  const wishOf = ({ since, rewind }: Holder) => JSON.stringify([rewind, since?.epoch, since?.offset]);
  const isOneWish = served.length === holders.length && new Set(served.map(wishOf)).size === 1;
  if (!first || (!isOneWish && hasHistory)) return { served: [] };
  const isAll = served.some(({ rewind }) => rewind === true);
  const [position] = served.flatMap(({ since }) => since ?? []).sort((one, other) => one.offset - other.offset);
  if (isAll) return { from: { recover: true }, served };
  return { from: position ? { position, rewind } : { rewind: rewind as Rewind }, served };
}
