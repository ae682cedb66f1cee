/** What was published in a channel before, read page by page, by those who may not subscribe a second time. */

import type { Connection } from "./connection.ts";
import { FanfareError } from "./errors.ts";
import type { Frame } from "./frames.ts";
import type { Settings } from "./options.ts";
import type { Rewind } from "./rewind.ts";
import type { ChannelUser } from "./subscription-owner.ts";
import type { HistoryOptions, HistoryPage, Position } from "./types.ts";
import { sleep } from "./waiting.ts";

export interface Reader {
  readonly name: string;
  readonly owner: {
    readonly connection: Connection;
    readonly settings: Settings;
    /** Aborts with the connection. */
    readonly signal: AbortSignal;
    readonly user: Pick<ChannelUser, "eventOf">;
  };
}

interface Page {
  readonly events: readonly Frame[];
  /** Offsets of what this connection published. */
  readonly own: readonly number[];
  /** Whether nothing that belongs in the page is gone. */
  readonly complete: boolean;
  readonly position: Position;
  /** Where the next page begins; none at the end. */
  readonly next?: Position;
}

const PAGE = 1_000;
/** The page may lag behind what was already heard. */
const LAG_MS = 200;
const LAGGING_PAGES = 10;

/** Whether an event at that position is news to one who knows the other. Epochs have no order. */
export function isPast(position: Position, known: Position | undefined): boolean {
  return position.epoch !== known?.epoch || position.offset > known.offset;
}

/** All that others published after `since`, up to and with `upTo`, oldest first; undefined if some of it is gone. */
export async function readSince(
  reader: Reader,
  since: Position,
  upTo: Position,
): Promise<readonly Frame[] | undefined> {
  const frames: Frame[] = [];
  let after = since;
  for (let lagging = 0; after.offset < upTo.offset || after.epoch !== upTo.epoch; ) {
    const { events, own, complete } = await readPage(reader, { after });
    if (!complete) return undefined;
    frames.push(
      ...events.filter(({ position }) => position && !own.includes(position.offset) && !isPast(position, upTo)),
    );
    const last = events.at(-1)?.position;
    if (last) after = last;
    else if (++lagging > LAGGING_PAGES) throw new FanfareError("timeout", "The history lags behind.");
    else await sleep(reader.owner.settings.environment, LAG_MS, reader.owner.signal);
  }
  return frames;
}

/** What is kept, up to and with `upTo`, what this client published too; at most the last 1000 events. */
export async function readKept(
  reader: Reader,
  upTo: Position,
  rewind: boolean | Rewind | undefined,
): Promise<readonly Frame[]> {
  const { count = PAGE, seconds } = { ...(rewind as { count?: number; seconds?: number }) };
  const bound = seconds && { fromMs: reader.owner.connection.serverNowMs - seconds * 1_000 };
  let frames: readonly Frame[] = [];
  let before: Position | undefined;
  while (frames.length < count) {
    const { events, complete } = await readPage(reader, { ...bound, ...(before && { before }) });
    frames = [...events, ...frames];
    before = events[0]?.position;
    if (!complete || !before || before.offset <= 1) break;
  }
  const known = frames.slice(-count).filter(({ position }) => position && !isPast(position, upTo));
  const last = known.at(-1)?.position;
  return last ? [...known, ...((await readSince(reader, last, upTo)) ?? [])] : known;
}

/** One page: its events oldest first, and the position of the channel's newest. */
function readPage(
  { name: channel, owner: { connection, settings } }: Reader,
  range: object | undefined,
): Promise<Page> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | undefined, { data, position }: Frame) =>
      error ? reject(error) : resolve({ ...data, position });
    const { replyMs } = settings.timeouts;
    connection.request("history", { channel, limit: PAGE, ...range }, "history", done, replyMs);
  });
}

/** The same for the application, with what it passes for the page after this one. */
export async function readHistory(reader: Reader, range: Omit<HistoryOptions, "signal">): Promise<HistoryPage> {
  const { events, complete, position, next } = await readPage(reader, range);
  const { direction = range.after ? "oldest" : "newest" } = range;
  return {
    events: events.flatMap((frame) => reader.owner.user.eventOf(frame, true) ?? []),
    complete,
    position,
    ...(next && { next: { ...range, direction, [direction === "oldest" ? "after" : "before"]: next } }),
  };
}
