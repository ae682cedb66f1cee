/** The history of one channel where it is in memory: pages of it, and forgetting parts of it. Its offsets have no holes. */

import type { EventPublication, Position, PurgeRange } from "../../domain/message.ts";
import type { Clock, HistoryPage, HistoryQuery, PurgeResult, StoredEvent } from "../../domain/ports.ts";
import { erasedEvent } from "./publication-codec.ts";

export interface KeptEvent {
  publication: EventPublication;
  /** By the monotonic clock. */
  readonly expiresAtMs: number;
  /** By the wall clock, and never before that of the one before. */
  readonly atMs: number;
}

export interface KeptLog {
  readonly epoch: string;
  /** Of the last event. */
  readonly offset: number;
  /** Up to the last event, the oldest first. */
  readonly entries: {
    readonly length: number;
    at(index: number): KeptEvent | undefined;
    /** Forgets so many of the oldest: none where that is negative, all where there are fewer. */
    drop(count: number): void;
  };
}

interface Range {
  readonly low: number;
  readonly high: number;
  /** Something that belongs below the first of them is gone, or may be. */
  readonly isLost: boolean;
  /** What the bounds refer to is known. */
  readonly isKnown: boolean;
}

export function readPage(log: KeptLog, query: HistoryQuery, clock: Clock): HistoryPage {
  const { limit, direction } = query;
  const { low, high, isLost, isKnown } = rangeOf(log, query, clock);
  const nowMs = clock.monotonicMs();
  const isOldest = direction === "oldest";
  const events: StoredEvent[] = [];
  let [first, last, count, isWhole] = [low + 1, high, 0, isKnown];
  while (first <= last && count < limit) {
    const entry = entryAt(log, isOldest ? first++ : last--);
    if (!entry) continue;
    const { publication, atMs, expiresAtMs } = entry;
    if (expiresAtMs <= nowMs) isWhole = false;
    else events.push({ publication: { ...publication, atMs }, expiresInMs: expiresAtMs - nowMs });
    if (expiresAtMs > nowMs && !publication.erased) count++;
  }
  const hasMore = limit > 0 && first <= last;
  return {
    events: isOldest ? events : events.reverse(),
    position: { epoch: log.epoch, offset: log.offset },
    complete: isWhole && !(isLost && (isOldest || !hasMore)),
    hasMore,
  };
}

function rangeOf(log: KeptLog, query: HistoryQuery, clock: Clock): Range {
  const { after, before, fromMs, toMs, withinMs } = query;
  const oldest = oldestOf(log, clock.monotonicMs());
  let [low, high, isLost, isKnown] = [oldest, log.offset, false, true];
  if (after) {
    isKnown = after.epoch === log.epoch && after.offset <= log.offset;
    if (isKnown) low = Math.max(after.offset, oldest);
    isLost = after.offset < oldest;
  }
  if (before) {
    const isInReach = before.epoch === log.epoch && before.offset <= log.offset + 1;
    isKnown &&= isInReach;
    high = isInReach ? before.offset - 1 : low;
  }
  const sinceMs = Math.max(fromMs ?? 0, withinMs === undefined ? 0 : clock.wallMs() - withinMs);
  if (sinceMs > 0) {
    const first = firstSince(log, sinceMs, low, high);
    const isBounded = after !== undefined && after.offset >= oldest;
    const isAfterAll = (entryAt(log, log.offset)?.atMs ?? 0) < sinceMs && log.entries.length > 0;
    if (first - 1 === oldest && oldest > 0 && !isBounded && !isAfterAll) isLost = true;
    low = first - 1;
  }
  if (toMs !== undefined) high = firstSince(log, toMs, low, high) - 1;
  return { low, high, isLost, isKnown };
}

/** Forgets the range; of one event its place is left. */
export function purgeLog(log: KeptLog, range: PurgeRange, nowMs: number): PurgeResult {
  const position = { epoch: log.epoch, offset: log.offset };
  if ("position" in range && range.position.epoch !== log.epoch) return { purged: 0, position };
  if (range.type === "event") return { purged: erase(log, range.position, nowMs) ? 1 : 0, position };
  const upTo = purgeEnd(log, range, nowMs);
  let purged = 0;
  const start = log.offset - log.entries.length;
  for (let offset = start + 1; offset <= upTo; offset++) if (isThere(entryAt(log, offset), nowMs)) purged++;
  log.entries.drop(upTo - start);
  return { purged, position };
}

/** The last offset that the range has. */
function purgeEnd(log: KeptLog, range: Exclude<PurgeRange, { type: "event" }>, nowMs: number): number {
  switch (range.type) {
    case "all":
      return log.offset;
    case "older":
      return firstSince(log, range.toMs, oldestOf(log, nowMs), log.offset) - 1;
    case "before":
      return Math.min(log.offset, range.position.offset - 1);
  }
}

function erase(log: KeptLog, position: Position, nowMs: number): boolean {
  const entry = entryAt(log, position.offset);
  if (!isThere(entry, nowMs)) return false;
  const { app, channel } = entry.publication;
  entry.publication = erasedEvent(app, channel, position);
  return true;
}

function isThere(entry: KeptEvent | undefined, nowMs: number): entry is KeptEvent {
  return entry !== undefined && entry.expiresAtMs > nowMs && !entry.publication.erased;
}

function entryAt({ offset: newest, entries }: KeptLog, offset: number): KeptEvent | undefined {
  const index = offset - (newest - entries.length) - 1;
  return index < 0 ? undefined : entries.at(index);
}

/** The offset before the first that is kept. */
function oldestOf({ offset, entries }: KeptLog, nowMs: number): number {
  let expired = 0;
  while ((entries.at(expired)?.expiresAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) expired++;
  return offset - entries.length + expired;
}

/** The first of low + 1 to high that was published at that time or later; high + 1 where there is none. */
function firstSince(log: KeptLog, ms: number, low: number, high: number): number {
  let [left, right] = [low + 1, high + 1];
  while (left < right) {
    const middle = Math.floor((left + right) / 2);
    if ((entryAt(log, middle)?.atMs ?? 0) < ms) left = middle + 1;
    else right = middle;
  }
  return left;
}
