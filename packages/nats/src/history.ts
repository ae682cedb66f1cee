/** Reads a channel's history from the stream: its head, and before that the archived batches, as far as none is missing. */

import {
  type EventPublication,
  type HistoryPage,
  type Position,
  type SeenNumbers,
  type StoredEvent,
  wasSeen,
} from "fanfare/engine";
import type { ChannelHead } from "./channel-heads.ts";
import { type Batch, decodeBatch } from "./codec.ts";
import { slotOf } from "./publish-queue.ts";
import type { StreamStore } from "./stream-store.ts";
import type { Subjects } from "./subjects.ts";

export interface ChannelHistory {
  readonly store: StreamStore;
  readonly subjects: Subjects;
  readonly app: string;
  readonly channel: string;
  readonly channelKey: string;
  readonly head: ChannelHead;
  /** The head, decoded. */
  readonly batch: Batch;
  /** What this node received of a stream that is lost. */
  readonly former: ReadonlyMap<string, SeenNumbers>;
}

/** Archived batches that are requested at a time. */
const BATCHES_PER_READ = 32;

export async function readHistory(
  history: ChannelHistory,
  since: Position | undefined,
  limit: number,
): Promise<HistoryPage> {
  const { head } = history;
  const position = { epoch: head.epoch, offset: head.offset };
  const oldest = Math.max(0, head.offset - head.size);
  if (!since) {
    if (limit === 0) return { events: [], position, complete: true };
    const kept = await readBack(history, Math.max(oldest, head.offset - limit));
    return { events: kept.filter(isLive).slice(-limit), position, complete: true };
  }
  if (since.epoch === head.epoch && since.offset <= head.offset && since.offset >= oldest) {
    const all = await readBack(history, since.offset);
    const page = all.slice(0, limit);
    if (all.length === head.offset - since.offset && page.every(isLive)) {
      return { events: page, position, complete: true };
    }
  }
  const kept = await readBack(history, oldest);
  return { events: kept.filter(isLive).slice(0, limit), position, complete: false };
}

/** What is kept after the offset, back from the head as far as no batch is missing; oldest first, expired or not. */
async function readBack(history: ChannelHistory, after: number): Promise<readonly StoredEvent[]> {
  const { head, channelKey, app, channel, store, subjects } = history;
  const batches = [history.batch];
  let oldest = history.batch.position;
  while (oldest && oldest.previousOffset > after && oldest.batch > 1) {
    const before = oldest.batch;
    const wanted = Math.min(BATCHES_PER_READ, oldest.previousOffset - after, before - 1);
    const found = await Promise.all(
      Array.from({ length: wanted }, (_, n) =>
        store.last(subjects.archive(channelKey, slotOf(before - 1 - n, head.size))),
      ),
    );
    for (const stored of found) {
      const batch = stored && decodeBatch(app, channel, stored.text);
      const position = batch?.position;
      if (position?.epoch !== head.epoch || position.batch !== (oldest?.batch ?? 0) - 1) {
        oldest = undefined;
        break;
      }
      if (batch) batches.unshift(batch);
      oldest = position;
    }
  }
  return batches
    .flatMap((batch) => keptOf(history, batch))
    .filter(({ publication }) => (publication.position?.offset ?? 0) > after);
}

function keptOf({ app, channel, store, former }: ChannelHistory, batch: Batch): readonly StoredEvent[] {
  const { position, items } = batch;
  const isRepeated = wasSeen(former, batch);
  return items.flatMap(({ publication, ttlMs }): StoredEvent[] => {
    if (ttlMs === undefined || !position || publication.type !== "event") return [];
    const placed: EventPublication = { ...publication, app, channel, ...(isRepeated && { repeated: true }) };
    return [{ publication: placed, expiresInMs: Math.min(ttlMs, position.atMs + ttlMs - store.nowMs) }];
  });
}

function isLive({ expiresInMs }: StoredEvent): boolean {
  return expiresInMs > 0;
}
