/** History: a page of what is kept of a channel, for a client that is in it. */

import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { Command, EventPublication } from "../../domain/message.ts";
import type { HistoryPage, HistoryQuery, StoredEvent } from "../../domain/ports.ts";
import { type EventPage, MOST_EVENTS, PAGE_BYTES, pageOf } from "../histories.ts";
import type { Hub } from "../hub.ts";
import { takeSubscribeToken, utf8Bytes } from "../limits.ts";
import { isOwn } from "../recovery.ts";

type History = Extract<Command, { type: "history" }>;

/** How many events a page has where the client does not say. */
const DEFAULT_EVENTS = 100;

export async function history(hub: Hub, connection: Connection, command: History): Promise<void> {
  const { channel, ref } = command;
  checkMayRead(hub, connection, command);
  takeSubscribeToken(connection, hub.clock.monotonicMs());
  const query = queryOf(command);
  const read = await hub.histories.read(connection.app, channel, query);
  if (connection.closed) return;
  // The program may have taken it out of the channel, or the channel's history away.
  checkMayRead(hub, connection, command);
  const { events: kept, complete, next, position } = fitting(hub, connection, reachable(read, query), query);
  const events = kept.map(({ publication }) => publication);
  const previousIds = [connection.id, ...(command.previousIds ?? [])];
  const own = events.filter((event) => isOwn({ previousIds }, event)).flatMap(({ position: at }) => at?.offset ?? []);
  const about = { own, complete, position, ...(next && { next }), ...(ref !== undefined && { ref }) };
  hub.push(connection, { type: "history", channel, events, ...about });
}

/** Whoever is in the channel may read all that is kept of it: by resuming it could, too. */
function checkMayRead(hub: Hub, connection: Connection, { channel, fromMs, toMs }: History): void {
  if (!connection.isIn(channel)) {
    throw new CommandError("not_subscribed", `No current subscription to channel ${channel}.`);
  }
  const { policy } = hub.channelOf(connection.app, channel);
  if (!policy.history) {
    throw new CommandError("no_history", `The channel ${channel} keeps no history (history, of its rule).`);
  }
  const wanted = fromMs !== undefined || toMs !== undefined;
  if (policy.clientHistory === false || (wanted && !policy.clientHistory)) {
    const what = wanted ? `the history of ${channel} by time` : `the history of ${channel}`;
    throw new CommandError("unauthorized", `Clients may not read ${what} (clientHistory, of its rule).`);
  }
}

function queryOf({ after, before, fromMs, toMs, limit = DEFAULT_EVENTS, direction }: History): HistoryQuery {
  if (!(limit >= 1 && limit <= MOST_EVENTS)) {
    throw new CommandError("data_invalid", `A page of history has 1 to ${MOST_EVENTS} events (limit).`);
  }
  return {
    ...(after && { after }),
    ...(before && { before }),
    ...(fromMs !== undefined && { fromMs }),
    ...(toMs !== undefined && { toMs }),
    limit,
    direction: direction ?? (after ? "oldest" : "newest"),
  };
}

/** Backwards, only as far back as nothing is missing. */
function reachable(read: HistoryPage, query: HistoryQuery): HistoryPage {
  if (query.direction === "oldest") return read;
  const { position } = read;
  const end = query.before ? query.before.offset - 1 : position.offset;
  const events: StoredEvent[] = [];
  let next = query.toMs === undefined ? end : (read.events.at(-1)?.publication.position?.offset ?? 0);
  for (const event of read.events.toReversed()) {
    const at = event.publication.position;
    if (at?.epoch !== position.epoch || at.offset !== next) break;
    events.push(event);
    next--;
  }
  const isBroken = events.length < read.events.length || (next === end && end > 0 && query.toMs === undefined);
  const isBounded = query.after !== undefined || query.fromMs !== undefined;
  const isFull = events.filter(({ publication }) => !publication.erased).length >= query.limit;
  const complete = read.complete && !isBroken && (isBounded || read.hasMore || isFull || next <= 0);
  return { ...read, events: events.reverse(), complete, hasMore: read.hasMore && !isBroken };
}

/** As many as may be sent now, and one at least, so that a client that asks for more gets on. */
function fitting(hub: Hub, connection: Connection, read: HistoryPage, query: HistoryQuery): EventPage {
  const most = hub.limits.outboundBufferBytes;
  const room = most - (connection.socket?.getBufferedAmount() ?? 0);
  const weigh = (event: EventPublication) => utf8Bytes(connection.protocol.encode(event) ?? "");
  const page = pageOf(read, query, { bytes: Math.min(room, PAGE_BYTES), weigh });
  const [first, ...others] = page.events;
  if (!first || others.length > 0) return page;
  const bytes = weigh(first.publication);
  if (bytes > room) throw bytes > most ? tooLarge(first.publication, bytes, most) : notRead();
  return page;
}

function tooLarge({ position }: EventPublication, bytes: number, most: number): CommandError {
  const bound = `${most} may wait for one client (limits.outboundBufferBytes)`;
  return new CommandError("data_too_large", `The event ${position?.offset} takes ${bytes} bytes; ${bound}.`);
}

function notRead(): CommandError {
  const message = "The client has not read what it was sent before; ask again when it has.";
  return new CommandError("rate_limited", message, { retryAfterMs: 1_000 });
}
