/** Where a subscription is to begin. */

import type { Holder } from "./holder.ts";
import type { Position } from "./types.ts";

/** What the server is asked for, and who wanted that. */
export interface Resume {
  readonly from?: { readonly position: Position } | { readonly recover: true };
  readonly served: readonly Holder[];
  /** What was missed is read by `history`. */
  readonly isCaughtUp?: boolean;
}

/** Holders that want different things get them by `history`, where the server has it. */
export function resumeOf(known: Position | undefined, all: readonly Holder[], hasHistory: boolean): Resume {
  if (known) return { from: { position: known }, served: [] };
  const holders = all.filter(({ deliver }) => deliver);
  const served = holders.filter(({ since, rewind }) => since ?? rewind);
  const [first] = served;
  const isSame = ({ since, rewind }: Holder) =>
    rewind === first?.rewind && since?.epoch === first?.since?.epoch && since?.offset === first?.since?.offset;
  const isOneWish = served.length === holders.length && served.every(isSame);
  if (!first || (!isOneWish && hasHistory)) return { served: [] };
  const isAll = served.some(({ rewind }) => rewind);
  const [position] = served.flatMap(({ since }) => since ?? []).sort((one, other) => one.offset - other.offset);
  return { from: isAll || !position ? { recover: true } : { position }, served };
}
