/**
 * In which channels most is said on this node: a hundred counters for each who watches, however many channels there are. A channel
 * that has none takes the least one's, with the weight it has (the algorithm "space-saving"), so that whatever has more than a
 * hundredth of the traffic keeps one. Nothing is counted while nobody watches.
 */

import type { ChannelFilter, ChannelRate } from "../../admin/api-types.ts";
import { type App, isReserved } from "../../domain/app.ts";
import { isInternal, matches } from "../../domain/channel.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { EventPublication } from "../../domain/message.ts";
import type { Clock, Observer } from "../../domain/ports.ts";

const COUNTERS = 100;
const SHOWN = 50;
/** What is left of a weight after a second: who was busy a minute ago is not in the way of who is now. */
const FADING = 0.8;

interface Counter {
  readonly app: string;
  readonly channel: string;
  weight: number;
  in: number;
  out: number;
  last: { readonly event: string; readonly atMs: number } | undefined;
}

interface Watched {
  readonly filter: ChannelFilter;
  readonly counters: Map<string, Counter>;
}

export class ChannelRates {
  readonly #clock: Clock;
  /** By the live channel of those who watch. */
  readonly #watched = new Map<string, Watched>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on these filters are watched, by the channels that the rates are sent to. */
  watch(filters: ReadonlyMap<string, ChannelFilter>): void {
    for (const live of this.#watched.keys()) if (!filters.has(live)) this.#watched.delete(live);
    for (const [live, filter] of filters) {
      if (!this.#watched.has(live)) this.#watched.set(live, { filter, counters: new Map() });
    }
  }

  /** Events that are published on this node. */
  readonly observe: Observer = (event: HubEvent) => {
    if (event.type === "published" && this.#watched.size > 0) this.#published(event.app, event.publication);
  };

  /** Something went out to so many subscribers on this node. */
  readonly sent = (app: string, channel: string, readers: number): void => {
    if (readers === 0) return;
    this.#count(app, channel, readers, (counter) => {
      counter.out += readers;
    });
  };

  /** Since the last time, those first in which most was said. To be called once a second. */
  take(live: string): readonly ChannelRate[] {
    const counters = [...(this.#watched.get(live)?.counters.values() ?? [])];
    const busy = counters.filter((counter) => counter.in + counter.out > 0);
    const most = busy.sort((one, other) => other.in + other.out - (one.in + one.out)).slice(0, SHOWN);
    const rates = most.map(({ weight: _, last, ...rate }) => ({ ...rate, ...(last && { last }) }));
    for (const counter of counters) {
      counter.weight *= FADING;
      counter.in = 0;
      counter.out = 0;
    }
    return rates;
  }

  #published(app: App, { channel, event }: EventPublication): void {
    const last = { event, atMs: this.#clock.wallMs() };
    this.#count(app.id, channel, 1, (counter) => {
      counter.in++;
      counter.last = last;
    });
  }

  #count(app: string, channel: string, weight: number, add: (counter: Counter) => void): void {
    if (isReserved({ id: app }) || isInternal(channel)) return;
    for (const { filter, counters } of this.#watched.values()) {
      if (filter.app !== undefined && filter.app !== app) continue;
      if (filter.channel !== undefined && !matches(filter.channel, channel)) continue;
      const counter = counterOf(counters, app, channel);
      counter.weight += weight;
      add(counter);
    }
  }
}

function counterOf(counters: Map<string, Counter>, app: string, channel: string): Counter {
  const key = keyOf(app, channel);
  const known = counters.get(key);
  if (known) return known;
  const least = counters.size < COUNTERS ? undefined : leastOf(counters.values());
  if (least) counters.delete(keyOf(least.app, least.channel));
  const counter: Counter = { app, channel, weight: least?.weight ?? 0, in: 0, out: 0, last: undefined };
  counters.set(key, counter);
  return counter;
}

/** For each event of a channel without a counter: it makes nothing. */
function leastOf(counters: Iterable<Counter>): Counter | undefined {
  let least: Counter | undefined;
  for (const counter of counters) if (!least || counter.weight < least.weight) least = counter;
  return least;
}

function keyOf(app: string, channel: string): string {
  return `${app} ${channel}`;
}
