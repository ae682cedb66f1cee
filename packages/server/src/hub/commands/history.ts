/** History: a page of what is kept of a channel, for a client that is in it. */

import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { Command, EventPublication, Position } from "../../domain/message.ts";
import type { HistoryPage } from "../../domain/ports.ts";
import type { Hub } from "../hub.ts";
import { takeSubscribeToken, utf8Bytes } from "../limits.ts";
import { isOwn } from "../recovery.ts";

type History = Extract<Command, { type: "history" }>;

/** Most events of one page, and how many it has where the client does not say. */
const MOST_EVENTS = 1_000;
const DEFAULT_EVENTS = 100;
/** Most bytes of one page, unless its only event has more: what is longer is read in several. */
const PAGE_BYTES = 2 ** 20;

interface Page {
  /** Oldest first. */
  readonly events: readonly EventPublication[];
  /** Whether everything that belongs in the page is still kept. */
  readonly complete: boolean;
}

export async function history(hub: Hub, connection: Connection, command: History): Promise<void> {
  const { channel, limit = DEFAULT_EVENTS, ref } = command;
  checkMayRead(hub, connection, channel);
  if (!(limit >= 1 && limit <= MOST_EVENTS)) {
    throw new CommandError("data_invalid", `A page of history has 1 to ${MOST_EVENTS} events (limit).`);
  }
  takeSubscribeToken(connection, hub.clock.monotonicMs());
  const { page, position } = await readPage(hub, connection, command, limit);
  if (connection.closed) return;
  // The program may have taken it out of the channel, or the channel's history away.
  checkMayRead(hub, connection, channel);
  const { events, complete } = fitting(hub, connection, page, command.after === undefined);
  const previousIds = [connection.id, ...(command.previousIds ?? [])];
  const own = events.filter((event) => isOwn({ previousIds }, event)).flatMap(({ position: at }) => at?.offset ?? []);
  hub.push(connection, {
    type: "history",
    channel,
    events,
    own,
    complete,
    position,
    ...(ref !== undefined && { ref }),
  });
}

/** Whoever is in the channel may read all that is kept of it: by resuming it could, too. */
function checkMayRead(hub: Hub, connection: Connection, channel: string): void {
  if (!connection.isIn(channel)) {
    throw new CommandError("not_subscribed", `No current subscription to channel ${channel}.`);
  }
  if (hub.channelOf(connection.app, channel).policy.history) return;
  throw new CommandError("no_history", `The channel ${channel} keeps no history (history, of its rule).`);
}

async function readPage(
  hub: Hub,
  { app }: Connection,
  { channel, after, before }: History,
  limit: number,
): Promise<{ page: Page; position: Position }> {
  const since = after ?? (before && { epoch: before.epoch, offset: Math.max(0, before.offset - 1 - limit) });
  const kept = await hub.history(app, channel, since, limit);
  const page = after ? forwards(kept, after, before) : backwards(kept, before, limit);
  return { page, position: kept.position };
}

/** Those after the position. Where some are lost, from the oldest that is kept on. */
function forwards({ events: kept, position, complete }: HistoryPage, after: Position, before?: Position): Page {
  const events: EventPublication[] = [];
  let isComplete = complete && (kept.length > 0 || after.offset >= position.offset);
  let upTo = after;
  for (const { publication } of kept) {
    const at = publication.position;
    if (!at || (before && !isBelow(at, before))) break;
    isComplete &&= at.epoch === upTo.epoch && at.offset === upTo.offset + 1;
    events.push(publication);
    upTo = at;
  }
  return { events, complete: isComplete && (!before || before.epoch === position.epoch) };
}

/** The last ones below the position, or of all, as far back as nothing is missing. */
function backwards({ events: kept, position }: HistoryPage, before: Position | undefined, limit: number): Page {
  const end = before ? { epoch: before.epoch, offset: before.offset - 1 } : position;
  if (end.epoch !== position.epoch || end.offset > position.offset) return { events: [], complete: false };
  const events: EventPublication[] = [];
  let next = end.offset;
  for (const { publication } of kept.toReversed()) {
    const at = publication.position;
    if (!at || at.epoch !== end.epoch || at.offset < next) break;
    if (at.offset > next) continue;
    events.push(publication);
    next--;
  }
  return { events: events.reverse(), complete: next <= 0 || events.length === limit };
}

function isBelow(position: Position, before: Position): boolean {
  return position.epoch === before.epoch && position.offset < before.offset;
}

/** As many as may be sent now, and one at least, so that a client that asks for more gets on: the first, or else the last. */
function fitting(hub: Hub, connection: Connection, page: Page, fromLast: boolean): Page {
  const most = hub.limits.outboundBufferBytes;
  const room = most - (connection.socket?.getBufferedAmount() ?? 0);
  const wanted = fromLast ? page.events.toReversed() : page.events;
  let bytes = 0;
  let count = 0;
  for (const event of wanted) {
    bytes += utf8Bytes(connection.protocol.encode(event) ?? "");
    if (count === 0 && bytes > room) throw bytes > most ? tooLarge(event, bytes, most) : notRead();
    if (count > 0 && bytes > Math.min(room, PAGE_BYTES)) break;
    count++;
  }
  if (count === page.events.length) return page;
  const events = fromLast ? page.events.slice(-count) : page.events.slice(0, count);
  // What is lost before the first belongs in a page of its own now.
  return { events, complete: fromLast || page.complete };
}

function tooLarge({ position }: EventPublication, bytes: number, most: number): CommandError {
  const bound = `${most} may wait for one client (limits.outboundBufferBytes)`;
  return new CommandError("data_too_large", `The event ${position?.offset} takes ${bytes} bytes; ${bound}.`);
}

function notRead(): CommandError {
  const message = "The client has not read what it was sent before; ask again when it has.";
  return new CommandError("rate_limited", message, { retryAfterMs: 1_000 });
}
