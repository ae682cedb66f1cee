/** What the cluster counts together, in values that nodes change one after the other. */

import type { Clock, Ledger } from "fanfare/engine";
import type { CompareAndSetStore, Update, Value } from "./compare-and-set.ts";
import { unavailable } from "./errors.ts";
import type { LongTermStore } from "./long-term-store.ts";
import type { StreamStore } from "./stream-store.ts";
import type { Subjects } from "./subjects.ts";

/** What the registry knows about the nodes. */
export interface LiveNodes {
  readonly incarnation: string;
  readonly incarnations: ReadonlyMap<string, unknown>;
}

interface LedgerOptions {
  readonly clock: Clock;
  readonly subjects: Subjects;
  readonly store: StreamStore;
  readonly values: CompareAndSetStore;
  readonly longTerm: LongTermStore;
  readonly maximums: CompareAndSetStore;
  /** How long an unknown incarnation keeps its places. */
  readonly unknownMs: number;
}

export class NatsLedger implements Ledger {
  readonly #options: LedgerOptions;
  readonly #nodes: LiveNodes;
  /** This node's own holders of places. */
  readonly #holders = new Map<string, Set<string>>();
  /** Incarnations that hold places and are not known: when that was first seen. */
  readonly #unknown = new Map<string, number>();
  #writtenAtMs: number;

  constructor(options: LedgerOptions, nodes: LiveNodes) {
    this.#options = options;
    this.#nodes = nodes;
    this.#writtenAtMs = options.clock.monotonicMs();
  }

  async acquire(place: string, holder: string, most: number): Promise<boolean> {
    if (this.#holders.get(place)?.has(holder)) return true;
    const { subjects, values } = this.#options;
    return values.update(subjects.ledger("place", place), (update) => {
      const own = this.#own(place, update);
      if (this.#others(update.value) + own >= most) return false;
      update.after.push(() => this.#holders.set(place, (this.#holders.get(place) ?? new Set()).add(holder)));
      this.#count(update, own + 1);
      return true;
    });
  }

  async release(place: string, holder: string): Promise<void> {
    const holders = this.#holders.get(place);
    if (!holders?.delete(holder)) return;
    if (holders.size === 0) this.#holders.delete(place);
    await this.#writeCount(place);
  }

  takeToken(bucket: string, perSecond: number): Promise<number> {
    const { subjects, values, store } = this.#options;
    return values.update(subjects.ledger("bucket", bucket), (update) => {
      const nowMs = store.nowMs;
      const { left, atMs } = update.value;
      const passedMs = typeof atMs === "number" ? Math.max(0, nowMs - atMs) : 0;
      const tokens = typeof left === "number" ? Math.min(perSecond, left + (passedMs / 1000) * perSecond) : perSecond;
      if (tokens < 1) return (1 - tokens) / perSecond;
      update.set({ left: tokens - 1, atMs: Math.max(nowMs, typeof atMs === "number" ? atMs : 0) });
      return 0;
    });
  }

  async setIfAbsent(key: string, ttlMs: number): Promise<boolean> {
    const { subjects, values, store } = this.#options;
    await orUnavailable(store.keepFor(ttlMs));
    const by = crypto.randomUUID();
    return values.update(subjects.ledger("key", key), (update) => {
      // Written by this very call, and no answer came.
      if (update.value.by === by) return true;
      if (this.#isCurrent(update.value)) return false;
      update.set({ untilMs: store.nowMs + ttlMs, by });
      return true;
    });
  }

  async exists(key: string): Promise<boolean> {
    const { subjects, values } = this.#options;
    return this.#isCurrent(await values.read(subjects.ledger("key", key)));
  }

  delete(key: string): Promise<void> {
    const { subjects, values } = this.#options;
    return values.update(subjects.ledger("key", key), (update) => {
      if (this.#isCurrent(update.value)) update.set({});
    });
  }

  async setMax(name: string, to: number, ttlMs: number): Promise<void> {
    const { subjects, maximums, longTerm, store } = this.#options;
    await orUnavailable(longTerm.keepFor(ttlMs));
    await maximums.update(subjects.maximum(name), (update) => {
      const { level, untilMs } = update.value;
      const isKept = this.#isCurrent(update.value) && typeof level === "number";
      const longestMs = store.nowMs + ttlMs;
      update.set({
        level: isKept ? Math.max(to, level) : to,
        untilMs: typeof untilMs === "number" ? Math.max(untilMs, longestMs) : longestMs,
      });
    });
  }

  async get(name: string): Promise<number | undefined> {
    const { subjects, maximums } = this.#options;
    const value = await maximums.read(subjects.maximum(name));
    return this.#isCurrent(value) && typeof value.level === "number" ? value.level : undefined;
  }

  /** Writes again what this node holds: as another incarnation, in a new stream, or before it expires. */
  async rewrite(): Promise<void> {
    this.#writtenAtMs = this.#options.clock.monotonicMs();
    await Promise.all([...this.#holders.keys()].map((place) => this.#writeCount(place)));
  }

  /** Call it now and then. */
  async refresh(): Promise<void> {
    const { clock, store } = this.#options;
    if (clock.monotonicMs() - this.#writtenAtMs > store.maxAgeMs / 2) await this.rewrite();
  }

  async close(): Promise<void> {
    const places = [...this.#holders.keys()];
    this.#holders.clear();
    if (!this.#options.store.isOpen) return;
    await Promise.all(places.map((place) => this.#writeCount(place)));
  }

  /** Places that this node has, those included that are being written just now. */
  #own(place: string, { after }: Update): number {
    return (this.#holders.get(place)?.size ?? 0) + after.length;
  }

  async #writeCount(place: string): Promise<void> {
    const { subjects, values, store } = this.#options;
    const subject = subjects.ledger("place", place);
    const isEmpty = await values.update(subject, (update) => {
      this.#count(update, this.#own(place, update));
      return Object.keys(update.value).length === 0;
    });
    const seq = values.sequence(subject);
    if (isEmpty && seq > 0) store.removeLater(seq);
  }

  #count(update: Update, count: number): void {
    const { incarnation } = this.#nodes;
    const { [incarnation]: before, ...others } = update.value;
    const living = Object.fromEntries(Object.entries(others).filter(([each]) => this.#isAlive(each)));
    if (before === count && Object.keys(living).length === Object.keys(others).length) return;
    update.set(count > 0 ? { ...living, [incarnation]: count } : living);
  }

  #others(value: Value): number {
    const { incarnation } = this.#nodes;
    return Object.entries(value)
      .filter(([each]) => each !== incarnation && this.#isAlive(each))
      .reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** One that is not known may be so new that its first report is still on its way; not for long. */
  #isAlive(incarnation: string): boolean {
    if (incarnation === this.#nodes.incarnation || this.#nodes.incarnations.has(incarnation)) {
      this.#unknown.delete(incarnation);
      return true;
    }
    const nowMs = this.#options.clock.monotonicMs();
    const sinceMs = this.#unknown.get(incarnation) ?? nowMs;
    this.#unknown.set(incarnation, sinceMs);
    return nowMs - sinceMs < this.#options.unknownMs;
  }

  #isCurrent({ untilMs }: Value): boolean {
    return typeof untilMs === "number" && untilMs > this.#options.store.nowMs;
  }
}

async function orUnavailable(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch {
    throw unavailable();
  }
}
