/** In which channels how much is said, as the nodes tell it by the second while the page is open: rates, lines, and the last event. */

import {
  type ChannelEntry,
  type ChannelFilter,
  type ChannelRate,
  type ChannelReport,
  patternOf,
} from "fanfare/wire/admin";
import { useMemo } from "preact/hooks";
import { useNow } from "./small.tsx";
import { useWatch } from "./watch.ts";

export const RATE_OVER_S = 4;
const KEPT_S = 300;
/** So many seconds are one point of a line. */
export const POINT_S = 5;
/** Of more channels than that, those of which nothing was told for longest are forgotten. */
const MOST_CHANNELS = 2_000;

export interface Rate {
  /** Per second, lately. */
  readonly in: number;
  readonly out: number;
  /** Events in, per second, oldest first: since the page is open, and for five minutes at most. */
  readonly line: readonly number[];
  readonly last: ChannelRate["last"];
}

interface Told {
  readonly app: string;
  readonly channel: string;
  readonly pattern: string;
  /** By the second, by this page's clock: those of the nodes differ. */
  readonly seconds: Map<number, { in: number; out: number }>;
  last: ChannelRate["last"];
}

export class ChannelRates {
  readonly #told = new Map<string, Told>();
  #firstS: number | undefined;

  add({ rates }: Pick<ChannelReport, "rates">, nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    this.#firstS ??= second;
    for (const rate of rates) {
      const told = this.#of(rate);
      const sum = told.seconds.get(second) ?? { in: 0, out: 0 };
      told.seconds.set(second, { in: sum.in + rate.in, out: sum.out + rate.out });
      if (rate.last && rate.last.atMs >= (told.last?.atMs ?? 0)) told.last = rate.last;
      for (const at of told.seconds.keys()) if (at < second - KEPT_S) told.seconds.delete(at);
    }
  }

  /** `APP/CHANNEL` of those in which anything was said lately, the busiest first. */
  busiest(by: "in" | "out", nowMs: number): readonly string[] {
    const rates = Array.from(this.#told, ([key, told]) => ({ key, ...this.#rateOf([told], nowMs) }));
    const busy = rates.filter((rate) => rate.in + rate.out > 0);
    return busy.sort((one, other) => other[by] - one[by] || (one.key < other.key ? -1 : 1)).map(({ key }) => key);
  }

  /** Whether anything was told of it. */
  knows(app: string, channel: string): boolean {
    return this.#told.has(keyOf(app, channel));
  }

  /** Of a channel, or of all of a pattern together, as far as they are among the busiest. */
  of({ app, name, channels }: Pick<ChannelEntry, "app" | "name" | "channels">, nowMs: number): Rate {
    const isOfRow = (told: Told) => told.app === app && told.pattern === name;
    const known = this.#told.get(keyOf(app, name));
    if (channels === undefined) return this.#rateOf(known ? [known] : [], nowMs);
    return this.#rateOf([...this.#told.values()].filter(isOfRow), nowMs);
  }

  #of(rate: ChannelRate): Told {
    const { app, channel } = rate;
    const key = keyOf(app, channel);
    const known = this.#told.get(key);
    const told = known ?? { app, channel, pattern: patternOf(channel), seconds: new Map(), last: undefined };
    // The one told of last stands last.
    if (known) this.#told.delete(key);
    this.#told.set(key, told);
    if (this.#told.size > MOST_CHANNELS) {
      const [oldest] = this.#told.keys();
      if (oldest !== undefined) this.#told.delete(oldest);
    }
    return told;
  }

  /** The second that is now is not over, and the one before may not have been told by all. */
  #rateOf(all: readonly Told[], nowMs: number): Rate {
    const endS = Math.floor(nowMs / 1000) - 1;
    const startS = Math.max(this.#firstS ?? endS, endS - KEPT_S);
    const sum = (of: "in" | "out", fromS: number, toS: number) => {
      let total = 0;
      for (const { seconds } of all) for (let s = fromS; s < toS; s++) total += seconds.get(s)?.[of] ?? 0;
      return total;
    };
    const lately = Math.max(1, Math.min(RATE_OVER_S, endS - startS));
    const line: number[] = [];
    for (let s = startS; s + POINT_S <= endS; s += POINT_S) line.push(sum("in", s, s + POINT_S) / POINT_S);
    const last = all.reduce<Rate["last"]>(
      (newest, told) => ((told.last?.atMs ?? 0) > (newest?.atMs ?? 0) ? told.last : newest),
      undefined,
    );
    return { in: sum("in", endS - lately, endS) / lately, out: sum("out", endS - lately, endS) / lately, line, last };
  }
}

export function keyOf(app: string, channel: string): string {
  return `${app}/${channel}`;
}

/** Of all channels of one app, or of all apps: they outlive the page that asks. */
let ofAll = { app: undefined as string | undefined, rates: new ChannelRates() };

function ratesOf(app: string | undefined): ChannelRates {
  if (ofAll.app !== app) ofAll = { app, rates: new ChannelRates() };
  return ofAll.rates;
}

/** As long as the dashboard is open, so that a line has its minutes before a page is looked at. */
export function useRatesOfAll(app: string | undefined): ChannelRates {
  const rates = ratesOf(app);
  useWatch({ type: "channels", ...(app !== undefined && { app }) }, "channels", (report) => {
    if (!told.has(report)) rates.add(report, Date.now());
    told.add(report);
  });
  return rates;
}

/** Several parts of the page may hear the same. */
const told = new WeakSet<ChannelReport>();

/** Counted from the moment that somebody looks, or since the dashboard is open where it is among the busiest. Painted every second. */
export function useChannelRates(filter: ChannelFilter): { readonly rates: ChannelRates; readonly nowMs: number } {
  const all = useRatesOfAll(filter.channel === undefined ? filter.app : ofAll.app);
  const own = useMemo(() => new ChannelRates(), [filter.app, filter.channel]);
  const watch = filter.channel === undefined ? undefined : ({ type: "channels", ...filter } as const);
  useWatch(watch, "channels", (report) => own.add(report, Date.now()));
  const knowsIt = filter.channel !== undefined && filter.app !== undefined && all.knows(filter.app, filter.channel);
  return { rates: filter.channel === undefined || knowsIt ? all : own, nowMs: useNow(1_000) };
}
