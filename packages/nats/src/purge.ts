/** Forgets what a channel's history has before its time: batches that say nothing any more go, and the others are written anew. */

import type { Position, PurgeRange, PurgeResult, StoredEvent } from "fanfare/engine";
import type { ArchivedBatches, StoredBatch } from "./archived-batches.ts";
import { lastOffset, withoutEvents } from "./codec.ts";
import { WriteConflict } from "./errors.ts";
import { type ChannelHistory, isLive, keptOf } from "./history.ts";
import type { StreamStore } from "./stream-store.ts";

interface Purging {
  readonly store: Pick<StreamStore, "append" | "removeLater">;
  readonly history: ChannelHistory;
}

/** The same range by its end, which stays where it is while others publish. */
export async function fixedRange(batches: ArchivedBatches, range: PurgeRange): Promise<PurgeRange> {
  if ("position" in range) return range;
  const { epoch, offset } = batches.head;
  const first = range.type === "older" ? await batches.firstSince(range.toMs) : undefined;
  return { type: "before", position: { epoch, offset: (first?.position?.previousOffset ?? offset) + 1 } };
}

/** Throws WriteConflict where the channel has another head by now: then it has to be looked at anew. */
export async function purgeHistory(purging: Purging, range: PurgeRange): Promise<PurgeResult> {
  const { epoch, offset } = purging.history.batches.head;
  const isKnown = "position" in range && range.position.epoch === epoch;
  const purged = isKnown ? await purge(purging, range.type, range.position) : 0;
  return { purged, position: { epoch, offset } };
}

function purge(purging: Purging, type: PurgeRange["type"], { offset }: Position): Promise<number> {
  return type === "event" ? eraseEvent(purging, offset) : purgeUpTo(purging, offset - 1);
}

/**
 * The head says so first: nodes that write after it take that over, and nothing below counts as kept. Whoever archives the former head
 * meanwhile cannot write its own, and archives again.
 */
async function purgeUpTo({ store, history }: Purging, most: number): Promise<number> {
  const { batches } = history;
  const { head } = batches;
  const upTo = Math.min(most, head.offset);
  const oldest = oldestOf(batches);
  const latest = await batches.get(head.number);
  if (!latest || upTo <= oldest) return 0;
  const archived = await archivedUpTo(batches, oldest, upTo);
  await rewrite(store, latest, (offset) => offset <= upTo, upTo);
  for (const batch of archived) {
    if (lastOffset(batch) <= upTo) store.removeLater(batch.seq);
    else await rewrite(store, batch, (offset) => offset <= upTo).catch(unlessOverwritten);
  }
  const isPurged = (offset: number) => offset > oldest && offset <= upTo;
  return [...archived, latest].flatMap((batch) => keptOf(history, batch)).filter((each) => counts(each, isPurged))
    .length;
}

async function eraseEvent({ store, history }: Purging, offset: number): Promise<number> {
  const { batches } = history;
  if (offset <= oldestOf(batches) || offset > batches.head.offset) return 0;
  const batch = await batches.firstAfter(offset - 1);
  const { batch: number = 0, previousOffset = 0 } = batch?.position ?? {};
  // Another node has just replaced the head that it was in, and is about to archive it.
  if (number === batches.head.number && number > 1 && previousOffset >= offset) throw new WriteConflict();
  const isThere = batch && keptOf(history, batch).some((each) => counts(each, (at) => at === offset));
  if (isThere) await rewrite(store, batch, (each) => each === offset);
  return isThere ? 1 : 0;
}

function oldestOf({ head }: ArchivedBatches): number {
  return Math.max(0, head.floor, head.offset - head.size);
}

function counts(event: StoredEvent, isPurged: (offset: number) => boolean): boolean {
  const { position, erased } = event.publication;
  return isLive(event) && !erased && position !== undefined && isPurged(position.offset);
}

async function rewrite(
  store: Purging["store"],
  { subject, seq, text }: StoredBatch,
  isErased: (offset: number) => boolean,
  floor?: number,
): Promise<void> {
  await store.append(subject, withoutEvents(text, isErased, floor), { expect: seq });
}

/** A later batch is in its place, so it is gone. */
function unlessOverwritten(error: unknown): void {
  if (!(error instanceof WriteConflict)) throw error;
}

/** Those that have anything between the two, without the head. */
async function archivedUpTo(batches: ArchivedBatches, oldest: number, upTo: number): Promise<readonly StoredBatch[]> {
  const first = await batches.firstAfter(oldest);
  const found: StoredBatch[] = [];
  for (let number = first?.position?.batch ?? batches.head.number; number < batches.head.number; number++) {
    const batch = await batches.get(number);
    if ((batch?.position?.previousOffset ?? 0) >= upTo) break;
    if (batch) found.push(batch);
  }
  return found;
}
