/** What channels keep: read as the engine has it, or in pages for those who show it, and forgotten before its time. */

import type { App } from "../domain/app.ts";
import type { EventPublication, Position, PurgeRange } from "../domain/message.ts";
import type { Awaitable, HistoryPage, HistoryQuery, PurgeResult, StoredEvent } from "../domain/ports.ts";
import type { HubContext } from "./context.ts";
import { lastOf } from "./recovery.ts";

export class Histories {
  readonly #context: HubContext;

  constructor(context: HubContext) {
    this.#context = context;
  }

  read(app: App, channel: string, query: HistoryQuery): Awaitable<HistoryPage> {
    return this.#context.broker.history(app.id, channel, query);
  }

  /** The event a cache channel keeps, if it still does. */
  async cachedEvent(app: App, channel: string): Promise<StoredEvent | undefined> {
    const { broker, channels, tenants } = this.#context;
    const known = tenants.knownChannel(app, channel) ?? channels.of(app, channel);
    return (await lastOf(broker, app.id, known)).kept;
  }

  async purge(app: App, channel: string, range: PurgeRange, byOperator = false): Promise<PurgeResult> {
    const result = await this.#context.broker.purge(app.id, channel, range);
    const { purged } = result;
    this.#context.observe({ type: "purged", app, channel, purged, range, ...(byOperator && { byOperator }) });
    return result;
  }
}

// ---- pages: without erased events, no larger than they may be, and where the next begins

export interface EventPage {
  /** Oldest first. */
  readonly events: readonly StoredEvent[];
  /** Where the channel stands. */
  readonly position: Position;
  /** Whether nothing that belongs in the page is gone. */
  readonly complete: boolean;
  /** For the next page in the same direction: `after` this, or `before` it. Undefined where there is none. */
  readonly next: Position | undefined;
}

/** Most events of one page. */
export const MOST_EVENTS = 1_000;
/** Most bytes of one page, unless its only event has more: what is longer is read in several. */
export const PAGE_BYTES = 2 ** 20;

export interface PageSize {
  readonly bytes: number;
  weigh(event: EventPublication): number;
}

export async function readEvents(
  hub: { readonly histories: Histories },
  app: App,
  channel: string,
  query: HistoryQuery,
  size?: PageSize,
): Promise<EventPage> {
  return pageOf(await hub.histories.read(app, channel, query), query, size);
}

export function pageOf(read: HistoryPage, query: HistoryQuery, size: PageSize | undefined): EventPage {
  const isOldest = query.direction === "oldest";
  const all = isOldest ? read.events : read.events.toReversed();
  const fitting = size ? all.slice(0, fittingCount(all, size)) : all;
  const isCut = fitting.length < all.length;
  const events = isOldest ? fitting : fitting.toReversed();
  const next = read.hasMore || isCut ? fitting.at(-1)?.publication.position : undefined;
  // What is gone at its far end belongs in a page of its own now.
  const complete = (read.complete || (isCut && !isOldest)) && isContiguous(events) && !lacksFirst(events, read, query);
  return { events: events.filter(({ publication }) => !publication.erased), position: read.position, complete, next };
}

function fittingCount(events: readonly StoredEvent[], { bytes, weigh }: PageSize): number {
  let left = bytes;
  const tooMuch = events.findIndex(({ publication }, at) => {
    if (!publication.erased) left -= weigh(publication);
    return at > 0 && left < 0;
  });
  return tooMuch < 0 ? events.length : tooMuch;
}

/** Whether something right behind `after` is not there any more, though what is kept reaches further back. */
function lacksFirst(events: readonly StoredEvent[], { position }: HistoryPage, query: HistoryQuery): boolean {
  const { after, before, direction } = query;
  const isByTime = query.fromMs !== undefined || query.toMs !== undefined || query.withinMs !== undefined;
  if (!after || isByTime || direction !== "oldest" || query.limit === 0) return false;
  const end = before ? Math.min(before.offset - 1, position.offset) : position.offset;
  const first = events[0]?.publication.position;
  return first ? first.offset !== after.offset + 1 && first.epoch === after.epoch : after.offset < end;
}

function isContiguous(events: readonly StoredEvent[]): boolean {
  return events.every(({ publication: { position } }, at) => {
    const before = events[at - 1]?.publication.position;
    return !before || position?.offset === before.offset + 1;
  });
}
