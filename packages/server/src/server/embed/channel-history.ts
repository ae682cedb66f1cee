/** What a channel with history keeps, as a program reads it and has it forgotten. */

import type { App } from "../../domain/app.ts";
import type { Position, PurgeRange, Sender } from "../../domain/message.ts";
import { payloadValue } from "../../domain/payload.ts";
import type { StoredEvent } from "../../domain/ports.ts";
import { readEvents } from "../../hub/history-page.ts";
import type { Hub } from "../../hub/hub.ts";
import { checkChannelName } from "../../hub/limits.ts";

/** All bounds hold together; times are Unix milliseconds by the engine's clock. */
export interface HistoryQuery {
  /** Only what was published after it: the position of an event, or `next` of the page before. */
  readonly after?: Position;
  /** The same. */
  readonly since?: Position;
  readonly before?: Position;
  readonly fromMs?: number;
  readonly toMs?: number;
  /** Which of those that fit, where there are more: `"oldest"` is the default with `after`, `"newest"` without it. */
  readonly direction?: "oldest" | "newest";
  readonly limit?: number;
}

/** What to forget: all, what came before a position or a time, or one event. */
export interface PurgeOptions {
  readonly before?: Position;
  readonly toMs?: number;
  readonly event?: Position;
}

export interface ChannelHistory {
  readonly events: readonly HistoryEvent[];
  /** Of the channel's newest event. */
  readonly position: Position;
  /** False where something that belongs in the page is lost; where that is after `after`, the oldest that are kept are given. */
  readonly complete: boolean;
  /** For the next page in the same direction, as `after` or as `before`. Absent at the end. */
  readonly next?: Position;
}

export interface HistoryEvent {
  readonly event: string;
  /** The value that was published; a whole object where that was pushed as it is. */
  readonly data: unknown;
  readonly position: Position | undefined;
  /** When it was published, Unix milliseconds by the engine's clock; it never goes back within an epoch. */
  readonly atMs: number;
  /** The client that published it; absent when a back end or the program did. */
  readonly from?: Sender;
  /** How long it is still kept, in milliseconds. */
  readonly expiresInMs: number;
}

/** Throws CommandError `channel_invalid`, RangeError. */
export async function readHistory(
  hub: Hub,
  app: App,
  channel: string,
  { since, after = since, limit = 100, direction = after ? "oldest" : "newest", ...bounds }: HistoryQuery,
): Promise<ChannelHistory> {
  checkChannelName(app, channel);
  if (!Number.isSafeInteger(limit) || limit < 0) throw new RangeError("The limit has to be a whole number from 0 up.");
  const query = { ...bounds, ...(after && { after }), limit, direction };
  const { events: kept, position, complete, next } = await readEvents(hub, app, channel, query);
  return { events: kept.map(eventOf), position, complete, ...(next && { next }) };
}

/** How many events were forgotten. Throws CommandError `channel_invalid`, `engine_unavailable`. */
export async function purgeHistory(
  hub: Hub,
  app: App,
  channel: string,
  { before, toMs, event }: PurgeOptions,
): Promise<number> {
  checkChannelName(app, channel);
  const part: PurgeRange = toMs === undefined ? { type: "all" } : { type: "older", toMs };
  const range: PurgeRange = before ? { type: "before", position: before } : part;
  const wanted: PurgeRange = event ? { type: "event", position: event } : range;
  return (await hub.histories.purge(app, channel, wanted)).purged;
}

function eventOf({ publication, expiresInMs }: StoredEvent): HistoryEvent {
  const { event, data, from, position, atMs = 0 } = publication;
  return { event, data: payloadValue(data), position, atMs, ...(from && { from }), expiresInMs };
}
