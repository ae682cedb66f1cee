/** What happened, as the console keeps it: the newest two thousand, however many come. */

import { signal } from "@preact/signals";
import { FEED_TYPES, type FeedBatch, type FeedEntry, type FeedFilter, type FeedType } from "fanfare/wire/admin";

export const KEPT = 2_000;
/** They are cut off in bunches: cutting at every batch would move the whole array each time. */
const SLACK = 500;
const PAINT_MS = 80;
const RATE_MS = 2_000;

export const GROUPS = {
  connections: ["connected", "disconnected", "turned_away"],
  channels: ["subscribed", "unsubscribed", "occupied", "vacated", "member_added", "member_removed"],
  messages: ["client_event", "api_message", "cache_miss"],
  webhooks: ["webhook"],
  errors: ["refused", "turned_away", "gap", "error"],
} as const satisfies Readonly<Record<string, readonly FeedType[]>>;

export type Group = keyof typeof GROUPS;

export class Feed {
  /** Changes when there is something new to paint, at most a dozen times a second. */
  readonly version = signal(0);
  /** Oldest first. */
  #entries: FeedEntry[] = [];
  /** Ever shown, and ever left out by the server because there were too many. */
  total = 0;
  leftOut = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What was before it is not wanted again. */
  #clearedAtMs = 0;
  #lately: { readonly atMs: number; readonly shown: number; readonly leftOut: number }[] = [];

  add({ entries, leftOut, isEarlier }: Pick<FeedBatch, "entries" | "leftOut" | "isEarlier">): void {
    if (isEarlier) return this.#addEarlier(entries);
    this.#entries.push(...entries);
    if (this.#entries.length > KEPT + SLACK) this.#entries = this.#entries.slice(-KEPT);
    this.total += entries.length;
    this.leftOut += leftOut;
    const nowMs = performance.now();
    this.#lately.push({ atMs: nowMs, shown: entries.length, leftOut });
    if (nowMs - (this.#lately[0]?.atMs ?? nowMs) > 2 * RATE_MS) this.#forget(nowMs);
    this.#paintSoon();
  }

  /** Of several nodes, and possibly here already. */
  #addEarlier(entries: readonly FeedEntry[]): void {
    const here = new Set(this.#entries.map(({ id }) => id));
    const others = entries.filter(({ id, atMs }) => !here.has(id) && atMs >= this.#clearedAtMs);
    this.#entries = [...this.#entries, ...others].sort((one, other) => one.atMs - other.atMs);
    this.total += others.length;
    this.#paintSoon();
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
    this.#clearedAtMs = Date.now();
    this.total = 0;
    this.leftOut = 0;
    this.version.value++;
  }

  /** Newest first. */
  matching(fits: (entry: FeedEntry) => boolean): FeedEntry[] {
    const found: FeedEntry[] = [];
    const oldest = Math.max(0, this.#entries.length - KEPT);
    for (let index = this.#entries.length - 1; index >= oldest; index--) {
      const entry = this.#entries[index];
      if (entry && fits(entry)) found.push(entry);
    }
    return found;
  }
}

/** The same question that the server is asked, for what is here already. */
export function fitter({ app, channel, event, connection, types }: FeedFilter): (entry: FeedEntry) => boolean {
  const tests: ((entry: FeedEntry) => boolean)[] = [];
  if (app) tests.push((it) => it.app === app);
  if (channel) tests.push(like(channel, (it) => it.channel));
  if (event) tests.push(like(event, (it) => it.event));
  if (connection) tests.push((it) => it.connection === connection);
  if (types) tests.push((it) => types.includes(it.type));
  return (entry) => tests.every((fits) => fits(entry));
}

/** Undefined for all of them. */
export function typesOf(groups: readonly Group[]): FeedType[] | undefined {
  if (groups.length === 0) return undefined;
  const wanted = new Set<FeedType>(groups.flatMap((group) => GROUPS[group]));
  return FEED_TYPES.filter((type) => wanted.has(type));
}

export function isGroup(name: string): name is Group {
  return name in GROUPS;
}

function like(pattern: string, of: (entry: FeedEntry) => string | undefined): (entry: FeedEntry) => boolean {
  const escaped = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const whole = new RegExp(`^${escaped.join(".*")}$`, "s");
  return (entry) => {
    const value = of(entry);
    return value !== undefined && whole.test(value);
  };
}
