/** What happened, as the console keeps it: the newest two thousand, however many come, and how much there was by the time. */

import { signal } from "@preact/signals";
import {
  type FeedBatch,
  type FeedEntry,
  type FeedFilter,
  type FeedType,
  namesFit,
  nodeFits,
  type Point,
  textFits,
} from "fanfare/wire/admin";

export const KEPT = 2_000;
/** They are cut off in bunches: cutting at every batch would move the whole array each time. */
const SLACK = 500;
const PAINT_MS = 80;
const RATE_MS = 2_000;
/** Of the strip that shows how much there was. */
export const VOLUME_STEP_MS = 5_000;
export const VOLUME_STEPS = 120;

/** What the console can show alone: the kinds' names, and what belongs to each. */
export const KINDS = {
  messages: ["Messages", ["api_message", "cache_miss"]],
  clients: ["Client events", ["client_event"]],
  subscriptions: ["Subscriptions", ["subscribed", "unsubscribed", "occupied", "vacated"]],
  connections: ["Connections", ["connected", "disconnected"]],
  presence: ["Presence", ["member_added", "member_removed"]],
  webhooks: ["Webhooks", ["webhook"]],
  errors: ["Refused", ["refused", "turned_away", "gap", "error"]],
} as const satisfies Readonly<Record<string, readonly [name: string, types: readonly FeedType[]]>>;

export type KindName = keyof typeof KINDS;

export function isKind(name: string | undefined): name is KindName {
  return name !== undefined && Object.hasOwn(KINDS, name);
}

export function isTrouble({ type }: FeedEntry): boolean {
  return (KINDS.errors[1] as readonly FeedType[]).includes(type);
}

export interface ConsoleEntry extends FeedEntry {
  /** The node's id. */
  readonly node: string;
  /** It was there before the console watched. */
  readonly isEarlier?: boolean;
}

/** How much there was in one step of time. */
export interface Volume {
  all: number;
  bad: number;
}

export class Feed {
  /** Changes when there is something new to paint, at most a dozen times a second. */
  readonly version = signal(0);
  /** Oldest first. */
  #entries: ConsoleEntry[] = [];
  /** What is shown while the list stands still. */
  #held: { entries: readonly ConsoleEntry[]; readonly total: number } | undefined;
  #volume = new Map<number, Volume>();
  /** Ever shown, and ever left out by the server because there were too many. */
  total = 0;
  leftOut = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What was before it is not wanted again. */
  #clearedAtMs = 0;
  #lately: { readonly atMs: number; readonly shown: number; readonly leftOut: number }[] = [];

  add({ node, entries: batch, leftOut, isEarlier }: FeedBatch): void {
    if (isEarlier) return this.#addEarlier(batch.map((entry) => ({ ...entry, node, isEarlier })));
    const entries = batch.map((entry) => ({ ...entry, node }));
    this.#entries.push(...entries);
    if (this.#entries.length > KEPT + SLACK) this.#entries = this.#entries.slice(-KEPT);
    this.total += entries.length;
    this.leftOut += leftOut;
    for (const entry of entries) this.#count(entry);
    const last = entries.at(-1);
    if (last) this.#stepOf(last.atMs).all += leftOut;
    const nowMs = performance.now();
    this.#lately.push({ atMs: nowMs, shown: entries.length, leftOut });
    if (nowMs - (this.#lately[0]?.atMs ?? nowMs) > 2 * RATE_MS) this.#forget(nowMs);
    this.#paintSoon();
  }

  /** Of several nodes, and possibly here already. It belongs to what is shown also while the list stands still. */
  #addEarlier(entries: readonly ConsoleEntry[]): void {
    const here = new Set(this.#entries.map(({ id }) => id));
    const others = entries.filter(({ id, atMs }) => !here.has(id) && atMs >= this.#clearedAtMs);
    this.#entries = inOrder([...this.#entries, ...others]);
    if (this.#held) this.#held.entries = inOrder([...this.#held.entries, ...others]);
    for (const entry of others) this.#count(entry);
    this.#paintSoon();
  }

  #count(entry: ConsoleEntry): void {
    const step = this.#stepOf(entry.atMs);
    step.all++;
    if (isTrouble(entry)) step.bad++;
  }

  #stepOf(atMs: number): Volume {
    const at = Math.floor(atMs / VOLUME_STEP_MS);
    const known = this.#volume.get(at);
    if (known) return known;
    const made = { all: 0, bad: 0 };
    this.#volume.set(at, made);
    for (const old of this.#volume.keys()) if (old < at - VOLUME_STEPS) this.#volume.delete(old);
    return made;
  }

  /** How much there was in each step until now, oldest first; before that time at least what was counted by the second. */
  volume(nowMs: number, seconds: readonly Point[] = [], beforeMs = 0): readonly Volume[] {
    const last = Math.floor(nowMs / VOLUME_STEP_MS);
    const counted = new Map<number, Volume>();
    for (const { atMs, messagesIn, apiMessages, refused = {} } of seconds) {
      if (atMs >= beforeMs || atMs < this.#clearedAtMs) continue;
      const at = Math.floor(atMs / VOLUME_STEP_MS);
      const { all, bad } = counted.get(at) ?? { all: 0, bad: 0 };
      const more = Object.values(refused).reduce((sum, times) => sum + times, 0);
      counted.set(at, { all: all + messagesIn + apiMessages + more, bad: bad + more });
    }
    return Array.from({ length: VOLUME_STEPS }, (_, step) => {
      const at = last - VOLUME_STEPS + 1 + step;
      const seen = this.#volume.get(at) ?? { all: 0, bad: 0 };
      const known = counted.get(at);
      return known ? { all: Math.max(seen.all, known.all), bad: Math.max(seen.bad, known.bad) } : seen;
    });
  }

  /** Another filter, of which what is here is as much as is known. */
  recount(fits: (entry: ConsoleEntry) => boolean): void {
    this.#volume = new Map();
    for (const entry of this.#entries) if (fits(entry)) this.#count(entry);
  }

  #paintSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.version.value++;
    }, PAINT_MS);
  }

  /** Per second, over the last two. */
  rate(): { readonly shown: number; readonly leftOut: number } {
    this.#forget(performance.now());
    const sum = (of: "shown" | "leftOut") => this.#lately.reduce((total, it) => total + it[of], 0);
    const perS = 1000 / RATE_MS;
    return { shown: Math.round(sum("shown") * perS), leftOut: Math.round(sum("leftOut") * perS) };
  }

  #forget(nowMs: number): void {
    this.#lately = this.#lately.filter(({ atMs }) => nowMs - atMs <= RATE_MS);
  }

  clear(): void {
    this.#entries = [];
    this.#volume = new Map();
    if (this.#held) this.#held = { entries: [], total: 0 };
    this.#clearedAtMs = Date.now();
    this.total = 0;
    this.leftOut = 0;
    this.version.value++;
  }

  /** What is shown stands still, or goes on. What comes meanwhile is not lost, as long as it fits. */
  hold(isHeld: boolean): void {
    if (!isHeld) this.#held = undefined;
    else this.#held ??= { entries: this.#entries.slice(-KEPT), total: this.total };
  }

  /** How many have come since the list stands still. */
  since(fits: (entry: ConsoleEntry) => boolean): number {
    if (!this.#held) return 0;
    const came = this.total - this.#held.total;
    return came > 0 ? this.#entries.slice(-came).filter(fits).length : 0;
  }

  /** Newest first. */
  matching(fits: (entry: ConsoleEntry) => boolean): ConsoleEntry[] {
    return (this.#held?.entries ?? this.#entries.slice(-KEPT)).filter(fits).reverse();
  }
}

/** The same question that the server is asked, for what is here already. */
export function fitter(filter: FeedFilter): (entry: ConsoleEntry) => boolean {
  return (entry) => namesFit(filter, entry) && nodeFits(filter, entry.node) && textFits(filter, entry);
}

function inOrder(entries: readonly ConsoleEntry[]): ConsoleEntry[] {
  return entries.toSorted((one, other) => one.atMs - other.atMs);
}
