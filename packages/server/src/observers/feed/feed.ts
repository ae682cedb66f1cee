/**
 * What happens on this node, as it happens, for those who watch: a few entries every tenth of a second, however much there
 * is. While no dashboard watches, an event costs one check of a boolean.
 */

import type { FeedBatch, FeedFilter } from "../../admin/api-types.ts";
import { isReserved } from "../../domain/app.ts";
import { matches } from "../../domain/channel.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { Clock, Observer } from "../../domain/ports.ts";
import { type FeedEvent, type FeedSource, feedEntryOf, feedEventOf } from "./feed-event.ts";
import { LONGEST_SHOWN } from "./redacted-payload.ts";
import { Sample } from "./sample.ts";

export interface FeedOptions {
  readonly clock: Clock;
  /** This node's id. */
  readonly node: string;
  readonly random: () => number;
  /** Sends a batch to those who watch by that filter, wherever they are. May not throw. */
  readonly send: (channel: string, batch: FeedBatch) => void;
}

const WINDOW_MS = 100;
/** 500 a second: more than anybody reads. */
const ENTRIES = 50;
/** Of all payloads in one batch together, in characters: 640 KB a second for each filter. */
const BATCH_CHARACTERS = 65_536;
const LEAST_SHOWN = 200;

interface Noted {
  readonly event: FeedEvent;
  readonly source: FeedSource;
  readonly atMs: number;
}

interface Window {
  readonly filter: FeedFilter;
  readonly sample: Sample<Noted>;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #windows = new Map<string, Window>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #isWatched = false;
  #sent = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  readonly observe: Observer = (event: HubEvent) => {
    if (this.#isWatched) this.#note(event);
  };

  webhookOutcome(app: string, outcome: string, count: number): void {
    if (this.#isWatched) this.#note({ type: "webhook", app, outcome, count });
  }

  /** From now on these filters are watched, by the channels that what passes them is sent to. */
  watch(filters: ReadonlyMap<string, FeedFilter>): void {
    const { random } = this.#options;
    for (const channel of this.#windows.keys()) if (!filters.has(channel)) this.#windows.delete(channel);
    for (const [channel, filter] of filters) {
      if (!this.#windows.has(channel)) this.#windows.set(channel, { filter, sample: new Sample(ENTRIES, random) });
    }
    this.#isWatched = this.#windows.size > 0;
    if (!this.#isWatched) this.close();
    else this.#timer ??= setInterval(() => this.#flush(), WINDOW_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #note(source: FeedSource): void {
    const event = feedEventOf(source);
    // The dashboard's own events would report themselves for ever.
    if (!event || (event.app !== undefined && isReserved({ id: event.app }))) return;
    const noted = { event, source, atMs: this.#options.clock.wallMs() };
    for (const { filter, sample } of this.#windows.values()) if (passes(filter, event)) sample.add(noted);
  }

  #flush(): void {
    const { node, send } = this.#options;
    for (const [channel, { sample }] of this.#windows) {
      const { items, leftOut } = sample.take();
      if (items.length === 0) continue;
      let room = BATCH_CHARACTERS;
      const entries = items.map(({ event, source, atMs }) => {
        const longest = Math.max(LEAST_SHOWN, Math.min(LONGEST_SHOWN, room));
        const entry = feedEntryOf(event, source, `${node}-${++this.#sent}`, atMs, longest);
        room -= (entry.payload?.text.length ?? 0) + (entry.signed ? JSON.stringify(entry.signed).length : 0);
        return entry;
      });
      send(channel, { node, entries, leftOut });
    }
  }
}

/** All of what the filter names fits; what the event does not have matches nothing. */
export function passes(filter: FeedFilter, event: FeedEvent): boolean {
  if (filter.types && !filter.types.includes(event.type)) return false;
  if (filter.app !== undefined && filter.app !== event.app) return false;
  if (filter.connection !== undefined && filter.connection !== event.connection) return false;
  return matchesPattern(filter.channel, event.channel) && matchesPattern(filter.event, event.event);
}

function matchesPattern(pattern: string | undefined, name: string | undefined): boolean {
  return pattern === undefined || (name !== undefined && matches(pattern, name));
}
