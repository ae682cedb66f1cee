/** Reads a channel's history from the stream: its head, and before that the archived batches. */

import {
  type EventPublication,
  type HistoryPage,
  type HistoryQuery,
  type SeenNumbers,
  type StoredEvent,
  wasSeen,
} from "fanfare/engine";
import { type ArchivedBatches, BATCHES_PER_READ } from "./archived-batches.ts";
import type { Batch } from "./codec.ts";

export interface ChannelHistory {
  readonly app: string;
  readonly channel: string;
  readonly batches: ArchivedBatches;
  readonly nowMs: number;
  /** What this node received of a stream that is lost. */
  readonly former: ReadonlyMap<string, SeenNumbers>;
}

/** Those after `low`, up to `high`. */
interface Range {
  readonly low: number;
  readonly high: number;
  /** Something that belongs below the first of them is gone, or may be. */
  readonly isLost: boolean;
  /** What the bounds refer to is known. */
  readonly isKnown: boolean;
}

export async function readHistory(history: ChannelHistory, query: HistoryQuery): Promise<HistoryPage> {
  const { head } = history.batches;
  const position = { epoch: head.epoch, offset: head.offset };
  const { low, high, isLost, isKnown } = await rangeOf(history, query);
  const { limit, direction, after, fromMs, withinMs } = query;
  if (limit === 0) return { events: [], position, complete: isKnown && !isLost, hasMore: false };
  const isOldest = direction === "oldest";
  const read = isOldest ? readForwards : readBackwards;
  const { events, isEnd, hasHole } = await read(history, low, high, limit);
  const { page, isCut } = cut(events, limit, isOldest);
  const hasMore = !isEnd || isCut;
  // Where nothing says where the page is to begin, it begins at what is kept.
  const isBounded = after !== undefined || fromMs !== undefined || withinMs !== undefined;
  const begin = isBounded ? 0 : Math.max(0, page.findIndex(isLive));
  const isWhole = page.slice(begin).every(isLive) || !page.some(isLive);
  const isOpen = isLost || (hasHole && isBounded) || (isBounded && !page.every(isLive));
  const complete = isKnown && isWhole && !(isOpen && (isOldest || !hasMore));
  return { events: page.filter(isLive), position, complete, hasMore };
}

/** As many from one end as the limit says: those that were erased do not count. */
function cut(events: readonly StoredEvent[], limit: number, isOldest: boolean) {
  const ordered = isOldest ? events : events.toReversed();
  let [count, end] = [0, 0];
  for (; end < ordered.length && count < limit; end++) count += countOf(ordered.slice(end, end + 1));
  const page = ordered.slice(0, end);
  return { page: isOldest ? page : page.toReversed(), isCut: end < ordered.length };
}

function countOf(events: readonly StoredEvent[]): number {
  return events.filter((event) => isLive(event) && !event.publication.erased).length;
}

async function rangeOf({ batches, nowMs }: ChannelHistory, query: HistoryQuery): Promise<Range> {
  const { head } = batches;
  const { after, before, fromMs, toMs, withinMs } = query;
  const oldest = Math.max(0, head.offset - head.size, head.floor);
  let [low, high, isLost, isKnown] = [oldest, head.offset, false, true];
  if (after) {
    isKnown = after.epoch === head.epoch && after.offset <= head.offset;
    if (isKnown) low = Math.max(after.offset, oldest);
    isLost = after.offset < oldest;
  }
  if (before) {
    const isInReach = before.epoch === head.epoch && before.offset <= head.offset + 1;
    isKnown &&= isInReach;
    high = isInReach ? before.offset - 1 : low;
  }
  const since = Math.max(fromMs ?? 0, withinMs === undefined ? 0 : nowMs - withinMs);
  if (since > 0) {
    const first = await batches.firstSince(since);
    const start = first ? (first.position?.previousOffset ?? 0) : head.offset;
    const number = first?.position?.batch ?? 0;
    // Where the batch before is there, it is older; where it is not, nobody knows what was in it.
    const isUnknown = start > 0 && first !== undefined && !(await batches.get(number - 1));
    const mayBeLost = first !== undefined && (start < oldest || isUnknown);
    const isBounded = after !== undefined && isKnown && after.offset >= Math.max(start, oldest);
    if (mayBeLost && !isBounded) isLost = true;
    low = Math.max(low, start);
  }
  if (toMs !== undefined) {
    const first = await batches.firstSince(toMs);
    if (first) high = Math.min(high, first.position?.previousOffset ?? 0);
  }
  return { low, high: Math.max(low, high), isLost, isKnown };
}

interface Read {
  /** Oldest first, expired or not; perhaps more than were asked for. */
  readonly events: readonly StoredEvent[];
  /** Nothing more is in the range, or can be found. */
  readonly isEnd: boolean;
  /** Something between the range's beginning and these is not there any more. */
  readonly hasHole: boolean;
}

async function readForwards(history: ChannelHistory, low: number, high: number, limit: number): Promise<Read> {
  const { batches } = history;
  const first = low < high ? await batches.firstAfter(low) : undefined;
  if (!first) return { events: [], isEnd: true, hasHole: low < high };
  const hasHole = (first.position?.previousOffset ?? 0) > low;
  const events: StoredEvent[] = [];
  let number = first.position?.batch ?? 0;
  while (countOf(events) <= limit && number <= batches.head.number) {
    const most = Math.min(BATCHES_PER_READ, batches.head.number - number + 1);
    const found = await batches.range(number, number + most - 1);
    for (const batch of found) {
      // The rest is read from its other side, where it is known to be incomplete.
      if (!batch) return { events, isEnd: false, hasHole };
      if ((batch.position?.previousOffset ?? 0) >= high) return { events, isEnd: true, hasHole };
      events.push(...within(keptOf(history, batch), low, high));
    }
    number += most;
  }
  return { events, isEnd: number > batches.head.number, hasHole };
}

async function readBackwards(history: ChannelHistory, low: number, high: number, limit: number): Promise<Read> {
  const { batches } = history;
  const last = low < high ? await batches.firstAfter(high - 1) : undefined;
  if (!last) return { events: [], isEnd: true, hasHole: low < high };
  const chunks: (readonly StoredEvent[])[] = [];
  let count = 0;
  let number = last.position?.batch ?? 0;
  while (count <= limit && number >= 1) {
    const most = Math.min(BATCHES_PER_READ, number, count === 0 ? limit : BATCHES_PER_READ);
    const found = await batches.range(number - most + 1, number);
    for (const batch of found.toReversed()) {
      if (!batch) return { events: chunks.toReversed().flat(), isEnd: true, hasHole: true };
      const events = within(keptOf(history, batch), low, high);
      chunks.push(events);
      count += countOf(events);
      if ((batch.position?.previousOffset ?? 0) <= low) {
        return { events: chunks.toReversed().flat(), isEnd: true, hasHole: false };
      }
    }
    number -= most;
  }
  return { events: chunks.toReversed().flat(), isEnd: number < 1, hasHole: false };
}

function within(events: readonly StoredEvent[], low: number, high: number): readonly StoredEvent[] {
  return events.filter(({ publication: { position } }) => position && position.offset > low && position.offset <= high);
}

export function keptOf({ app, channel, nowMs, former }: Omit<ChannelHistory, "batches">, batch: Batch) {
  const { position, items } = batch;
  const isRepeated = wasSeen(former, batch);
  return items.flatMap(({ publication, ttlMs }): StoredEvent[] => {
    if (ttlMs === undefined || !position || publication.type !== "event") return [];
    const { atMs } = position;
    const placed: EventPublication = { ...publication, app, channel, atMs, ...(isRepeated && { repeated: true }) };
    return [{ publication: placed, expiresInMs: Math.min(ttlMs, atMs + ttlMs - nowMs) }];
  });
}

export function isLive({ expiresInMs }: StoredEvent): boolean {
  return expiresInMs > 0;
}
