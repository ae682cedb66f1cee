/**
 * What happens on this node, as it happens, for those who watch: a few entries every tenth of a second, however much there
 * is; and what happened lately, for those who come to watch. While no dashboard watches, an event costs the look at its kind.
 */

import {
  type FeedBatch,
  type FeedEntry,
  type FeedFilter,
  type FeedNames,
  namesFit,
  nodeFits,
  textFits,
} from "../../admin/api-types.ts";
import { isReserved } from "../../domain/app.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { Clock, Observer } from "../../domain/ports.ts";
import { LONGEST_SHOWN } from "../redact.ts";
import {
  type ConnectionOf,
  type FeedSource,
  feedEntryOf,
  feedEventOf,
  type Noted,
  type Seen,
  seenNow,
} from "./feed-event.ts";

export interface FeedOptions {
  readonly clock: Clock;
  /** This node's id. */
  readonly node: string;
  readonly random: () => number;
  readonly connectionOf: ConnectionOf;
  /** Whether what happens is kept for those who come later. */
  readonly keepsRecent: () => boolean;
  /** Sends a batch to those who watch by that filter, wherever they are. May not throw. */
  readonly send: (channel: string, batch: FeedBatch) => void;
}

const WINDOW_MS = 100;
/** 500 a second: more than anybody reads. */
const ENTRIES = 50;
/** Of those a text is looked for in so many, which is 5 000 a second. */
const LOOKED_THROUGH = 500;
/** Of all payloads in one batch together, in characters: 640 KB a second for each filter. */
const BATCH_CHARACTERS = 65_536;
const LEAST_SHOWN = 200;

/** Of one batch of what was lately, in entries. */
const BATCH = 50;
/** Made once, and not with each handshake. */
const OPENED = { type: "opened" } as const;

interface Window {
  readonly filter: FeedFilter;
  readonly sample: ReservoirSample<Noted>;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #windows = new Map<string, Window>();
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #recent = new RecentEntries();
  #isWatched = false;
  #noted = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  readonly observe: Observer = (event: HubEvent) => {
    this.#note(event);
  };

  webhookOutcome(app: string, outcome: string, count: number): void {
    this.#note({ type: "webhook", app, outcome, count });
  }

  /** Whether anybody would look at the headers of a handshake that comes now. */
  readonly wantsHeaders = (): boolean => this.#isWatched || (this.#recent.takes(OPENED) && this.#options.keepsRecent());

  /** To be called once a second. */
  tick(): void {
    this.#recent.tick();
  }

  /** What happened lately and passes the filter, in batches. */
  recent(filter: FeedFilter): readonly FeedBatch[] {
    const { node } = this.#options;
    const entries = nodeFits(filter, node) ? this.#recent.matching(filter) : [];
    return Array.from({ length: Math.ceil(entries.length / BATCH) }, (_, at) => {
      return { node, entries: entries.slice(at * BATCH, (at + 1) * BATCH), leftOut: 0, isEarlier: true };
    });
  }

  /** Everything of what happened lately that fits, oldest first. */
  find(fits: (entry: FeedEntry) => boolean): readonly FeedEntry[] {
    return this.#recent.find(fits);
  }

  /** From now on these filters are watched, by the channels that what passes them is sent to. */
  watch(filters: ReadonlyMap<string, FeedFilter>): void {
    const { random, node } = this.#options;
    for (const channel of this.#windows.keys()) if (!filters.has(channel)) this.#windows.delete(channel);
    for (const [channel, filter] of filters) {
      if (this.#windows.has(channel) || !nodeFits(filter, node)) continue;
      const sample = new ReservoirSample<Noted>(filter.text ? LOOKED_THROUGH : ENTRIES, random);
      this.#windows.set(channel, { filter, sample });
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
    const isKept = this.#recent.takes(source) && this.#options.keepsRecent();
    if (!isKept && !this.#isWatched) return;
    const names = feedEventOf(source);
    // The dashboard's own events would report themselves for ever.
    if (!names || (names.app !== undefined && isReserved({ id: names.app }))) return;
    let noted: Noted | undefined;
    if (isKept) {
      noted = this.#noteOf(names, source);
      this.#recent.add(source, feedEntryOf(noted, LEAST_SHOWN));
    }
    for (const { filter, sample } of this.#windows.values()) {
      if (!namesFit(filter, names)) continue;
      noted ??= this.#noteOf(names, source);
      sample.add(noted);
    }
  }

  #noteOf(names: FeedNames, source: FeedSource): Noted {
    const { node, clock, connectionOf } = this.#options;
    const atMs = clock.wallMs();
    const seen = { ...seenNow(source, connectionOf), ...this.#openedAt(source, atMs) };
    return { id: `${node}-${++this.#noted}`, names, source, atMs, seen };
  }

  #openedAt(source: FeedSource, nowMs: number): Pick<Seen, "openedAtMs"> {
    if (source.type !== "closed") return {};
    return { openedAtMs: Math.round(nowMs - (this.#options.clock.monotonicMs() - source.connection.openedAtMs)) };
  }

  #flush(): void {
    const { node, send } = this.#options;
    for (const [channel, { filter, sample }] of this.#windows) {
      const { items, leftOut } = sample.take();
      let room = BATCH_CHARACTERS;
      let tooMany = 0;
      const entries: FeedEntry[] = [];
      for (const noted of items) {
        const entry = feedEntryOf(noted, Math.max(LEAST_SHOWN, Math.min(LONGEST_SHOWN, room)));
        if (!textFits(filter, entry)) continue;
        if (entries.length === ENTRIES) {
          tooMany++;
          continue;
        }
        room -= charactersOf(entry);
        entries.push(entry);
      }
      if (entries.length + leftOut > 0) send(channel, { node, entries, leftOut: leftOut + tooMany });
    }
  }
}

/** Of what may be long in it. */
function charactersOf({ payload, signed, headers }: FeedEntry): number {
  const lengthOf = (value: object | undefined) => (value ? JSON.stringify(value).length : 0);
  return (payload?.text.length ?? 0) + lengthOf(signed) + lengthOf(headers);
}

/** About 2 KB each at the most. */
const KEPT = 1_000;
/** One console is given so many of each node. */
const MOST_AT_ONCE = 200;

type Share = "messages" | "troubles" | "others";

const A_SECOND: Readonly<Record<Share, number>> = { messages: 20, troubles: 50, others: 50 };

/**
 * What happened on this node lately, for a console that is opened afterwards. So much a second of each kind is kept, however much
 * there is, so that it costs nothing to speak of under load: refusals and errors have a share of their own.
 */
class RecentEntries {
  /** A ring: `#next` is where the oldest is. */
  readonly #entries: FeedEntry[] = [];
  #next = 0;
  #left = { ...A_SECOND };

  /** Whether one of that kind is kept now. To be asked before anything is made of it. */
  takes({ type }: Pick<FeedSource, "type">): boolean {
    return this.#left[shareOf(type)] > 0;
  }

  add({ type }: FeedSource, kept: FeedEntry): void {
    this.#left[shareOf(type)]--;
    if (this.#entries.length < KEPT) this.#entries.push(kept);
    else {
      this.#entries[this.#next] = kept;
      this.#next = (this.#next + 1) % KEPT;
    }
  }

  /** To be called once a second. */
  tick(): void {
    this.#left = { ...A_SECOND };
  }

  /** The newest that pass, oldest first. */
  matching(filter: FeedFilter): readonly FeedEntry[] {
    return this.find((entry) => namesFit(filter, entry) && textFits(filter, entry)).slice(-MOST_AT_ONCE);
  }

  /** All that fit, oldest first. */
  find(fits: (entry: FeedEntry) => boolean): readonly FeedEntry[] {
    return [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)].filter(fits);
  }
}

function shareOf(type: FeedSource["type"]): Share {
  switch (type) {
    case "published":
      return "messages";
    case "refused":
    case "api-refused":
    case "rejected":
    case "failed":
    case "gap":
    case "webhook":
      return "troubles";
    default:
      return "others";
  }
}

/** A few of many, each as likely to be among them as any other, whatever their number turns out to be. */
export class ReservoirSample<T> {
  readonly #size: number;
  readonly #random: () => number;
  #kept: { readonly at: number; readonly item: T }[] = [];
  #count = 0;

  /** `random` is from 0 up to, but not, 1. */
  constructor(size: number, random: () => number) {
    this.#size = size;
    this.#random = random;
  }

  add(item: T): void {
    const at = this.#count++;
    if (at < this.#size) {
      this.#kept.push({ at, item });
      return;
    }
    const place = Math.floor(this.#random() * this.#count);
    if (place < this.#size) this.#kept[place] = { at, item };
  }

  /** In the order of their coming, and how many are not among them; then it is empty. */
  take(): { readonly items: readonly T[]; readonly leftOut: number } {
    const kept = this.#kept.sort((one, other) => one.at - other.at);
    const leftOut = this.#count - kept.length;
    this.#kept = [];
    this.#count = 0;
    return { items: kept.map(({ item }) => item), leftOut };
  }
}
