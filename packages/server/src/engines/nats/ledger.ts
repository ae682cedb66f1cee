/** What the cluster counts together, in values that nodes change one after the other. */

import type { Clock, Ledger } from "../../domain/ports.ts";
import { Broom } from "./broom.ts";
import type { Cells, Draft, Value } from "./cells.ts";
import { unavailable } from "./fault.ts";
import type { LastingStore } from "./lasting.ts";
import type { Store } from "./store.ts";
import type { Subjects } from "./subjects.ts";

/** What the registry knows of the nodes. */
export interface Nodes {
  readonly generation: string;
  readonly generations: ReadonlyMap<string, unknown>;
}

export class NatsLedger implements Ledger {
  readonly #clock: Clock;
  readonly #subjects: Subjects;
  readonly #store: Store;
  readonly #cells: Cells;
  readonly #lasting: LastingStore;
  readonly #levels: Cells;
  readonly #nodes: Nodes;
  readonly #strangerMs: number;
  readonly #broom: Broom;
  /** This node's own holders of places. */
  readonly #holders = new Map<string, Set<string>>();
  /** Generations that hold places and are not known: when that was first seen. */
  readonly #strangers = new Map<string, number>();
  #writtenAtMs: number;

  constructor(
    parts: {
      readonly clock: Clock;
      readonly subjects: Subjects;
      readonly store: Store;
      readonly cells: Cells;
      readonly lasting: LastingStore;
      readonly levels: Cells;
      readonly strangerMs: number;
    },
    nodes: Nodes,
  ) {
    this.#clock = parts.clock;
    this.#subjects = parts.subjects;
    this.#store = parts.store;
    this.#cells = parts.cells;
    this.#lasting = parts.lasting;
    this.#levels = parts.levels;
    this.#strangerMs = parts.strangerMs;
    this.#nodes = nodes;
    this.#broom = new Broom(parts.store);
    this.#writtenAtMs = parts.clock.monotonicMs();
  }

  async acquire(place: string, holder: string, most: number): Promise<boolean> {
    if (this.#holders.get(place)?.has(holder)) return true;
    return this.#cells.change(this.#subjects.cell("place", place), (cell) => {
      const own = this.#own(place, cell);
      if (this.#others(cell.value) + own >= most) return false;
      cell.after.push(() => this.#holders.set(place, (this.#holders.get(place) ?? new Set()).add(holder)));
      this.#count(cell, own + 1);
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
    return this.#cells.change(this.#subjects.cell("bucket", bucket), (cell) => {
      const nowMs = this.#store.nowMs;
      const { left, atMs } = cell.value;
      const passedMs = typeof atMs === "number" ? Math.max(0, nowMs - atMs) : 0;
      const tokens = typeof left === "number" ? Math.min(perSecond, left + (passedMs / 1000) * perSecond) : perSecond;
      if (tokens < 1) return (1 - tokens) / perSecond;
      const latestMs = Math.max(nowMs, typeof atMs === "number" ? atMs : 0);
      set(cell, { left: tokens - 1, atMs: latestMs });
      return 0;
    });
  }

  async setIfAbsent(key: string, ttlMs: number): Promise<boolean> {
    try {
      await this.#store.keepFor(ttlMs);
    } catch {
      throw unavailable();
    }
    const by = crypto.randomUUID();
    return this.#cells.change(this.#subjects.cell("key", key), (cell) => {
      // Written by this very call, and no answer came.
      if (cell.value.by === by) return true;
      if (this.#isNoted(cell.value)) return false;
      set(cell, { untilMs: this.#store.nowMs + ttlMs, by });
      return true;
    });
  }

  async exists(key: string): Promise<boolean> {
    return this.#isNoted(await this.#cells.read(this.#subjects.cell("key", key)));
  }

  delete(key: string): Promise<void> {
    return this.#cells.change(this.#subjects.cell("key", key), (cell) => {
      if (this.#isNoted(cell.value)) set(cell, {});
    });
  }

  async setMax(name: string, to: number, ttlMs: number): Promise<void> {
    try {
      await this.#lasting.keepFor(ttlMs);
    } catch {
      throw unavailable();
    }
    await this.#levels.change(this.#subjects.level(name), (cell) => {
      const { level, untilMs } = cell.value;
      const isRemembered = this.#isNoted(cell.value);
      const longestMs = this.#store.nowMs + ttlMs;
      set(cell, {
        level: isRemembered && typeof level === "number" ? Math.max(to, level) : to,
        untilMs: typeof untilMs === "number" ? Math.max(untilMs, longestMs) : longestMs,
      });
    });
  }

  async get(name: string): Promise<number | undefined> {
    const value = await this.#levels.read(this.#subjects.level(name));
    return this.#isNoted(value) && typeof value.level === "number" ? value.level : undefined;
  }

  /** Writes down again what this node holds: under its new name, in a new stream, or before it is too old. */
  async writeAgain(): Promise<void> {
    this.#writtenAtMs = this.#clock.monotonicMs();
    await Promise.all([...this.#holders.keys()].map((place) => this.#writeCount(place)));
  }

  async touch(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#writtenAtMs > this.#store.maxAgeMs / 2) await this.writeAgain();
  }

  async close(): Promise<void> {
    const places = [...this.#holders.keys()];
    this.#holders.clear();
    if (!this.#store.isOpen) return;
    await Promise.all(places.map((place) => this.#writeCount(place)));
  }

  /** Places that this node has, those included that are being written just now. */
  #own(place: string, { after }: Draft): number {
    return (this.#holders.get(place)?.size ?? 0) + after.length;
  }

  async #writeCount(place: string): Promise<void> {
    const subject = this.#subjects.cell("place", place);
    const isEmpty = await this.#cells.change(subject, (cell) => {
      this.#count(cell, this.#own(place, cell));
      return Object.keys(cell.value).length === 0;
    });
    const seq = this.#cells.sequence(subject);
    if (isEmpty && seq > 0) this.#broom.sweep(seq);
  }

  #count(cell: Draft, count: number): void {
    const { generation } = this.#nodes;
    const { [generation]: before, ...others } = cell.value;
    const living = Object.fromEntries(Object.entries(others).filter(([each]) => this.#isAlive(each)));
    if (before === count && Object.keys(living).length === Object.keys(others).length) return;
    set(cell, count > 0 ? { ...living, [generation]: count } : living);
  }

  #others(value: Value): number {
    const { generation } = this.#nodes;
    return Object.entries(value)
      .filter(([each]) => each !== generation && this.#isAlive(each))
      .reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** One that is not known may be so new that nobody heard of it; not for long. */
  #isAlive(generation: string): boolean {
    if (generation === this.#nodes.generation || this.#nodes.generations.has(generation)) {
      this.#strangers.delete(generation);
      return true;
    }
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = this.#strangers.get(generation) ?? nowMs;
    this.#strangers.set(generation, sinceMs);
    return nowMs - sinceMs < this.#strangerMs;
  }

  #isNoted({ untilMs }: Value): boolean {
    return typeof untilMs === "number" && untilMs > this.#store.nowMs;
  }
}

function set(cell: Draft, value: Value): void {
  cell.value = value;
  cell.isChanged = true;
}
