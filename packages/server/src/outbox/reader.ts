/** Reads one source: takes what waits, publishes it, deletes it. One node of the cluster does; two by mistake do no harm. */

import { backoffMs } from "../domain/backoff.ts";
import type { Clock, Ledger } from "../domain/ports.ts";
import { Lease } from "./lease.ts";
import { RowPublisher, type RowPublisherOptions } from "./publish-rows.ts";
import type { OutboxSource } from "./source.ts";

export interface ReaderOptions extends Omit<RowPublisherOptions, "source"> {
  readonly source: OutboxSource;
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** This node. */
  readonly node: string;
  readonly pollMs: number;
  readonly batch: number;
  /** Data that is longer than any app may send is not read. */
  readonly mostBytes: () => number;
  readonly counted: (what: "published" | "failed", count: number) => void;
}

/** What is known of a source. */
export interface OutboxState {
  readonly source: string;
  /** This node reads it. */
  readonly isReading: boolean;
  /** The database answered the last question; undefined where it was not asked. */
  readonly isUp: boolean | undefined;
  /** How long the oldest row had waited; undefined where that is not known. */
  readonly oldestS: number | undefined;
}

/** Another node reads: this one looks again. */
const STANDBY_MS = 1_000;
/** The longest pause where the database fails, and where the engine is away: that one is asked by nobody else to come back. */
const DATABASE_AWAY_MS = 30_000;
const HELD_UP_MS = 1_000;

export class OutboxReader {
  readonly #options: ReaderOptions;
  readonly #lease: Lease;
  readonly #publisher: RowPublisher;
  #isUp: boolean | undefined;
  #oldestS: number | undefined;
  #failures = 0;
  /** The database's when nothing waited in it. */
  #emptyRevision: string | undefined;
  #isStopping = false;
  #wake: (() => void) | undefined;
  #hasNews = false;
  #running: Promise<void> | undefined;

  constructor(options: ReaderOptions) {
    const { source, ledger, clock, node: holder } = options;
    this.#options = options;
    this.#lease = new Lease({ ledger, clock, holder, source: source.name });
    this.#publisher = new RowPublisher({ ...options, source: source.name });
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Something was inserted. */
  readonly wake = (): void => {
    this.#hasNews = true;
    this.#wake?.();
  };

  get state(): OutboxState {
    const { isHeld: isReading } = this.#lease;
    return {
      source: this.#options.source.name,
      isReading,
      isUp: this.#isUp,
      oldestS: isReading ? this.#oldestS : undefined,
    };
  }

  /** What is in hand is published and deleted; the rest is another node's. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wake?.();
    await this.#running;
    await this.#lease.release();
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      this.#hasNews = false;
      const pauseMs = await this.#turn();
      if (pauseMs > 0 && !this.#hasNews && !this.#isStopping) await this.#pause(pauseMs);
    }
  }

  /** Resolves with how long to wait before the next. Never rejects. */
  async #turn(): Promise<number> {
    if (!(await this.#lease.hold())) {
      this.#isUp = undefined;
      return STANDBY_MS;
    }
    try {
      const found = await this.#read();
      this.#isUp = true;
      if (found === "held up") return this.#backoffMs(HELD_UP_MS);
      this.#failures = 0;
      return found === "more" ? 0 : this.#options.pollMs;
    } catch (error) {
      // Said once: it is tried again and again.
      if (this.#isUp !== false) {
        const during = `reading the outbox ${this.#options.source.name}: its rows wait until that is possible`;
        this.#options.hub.observe({ type: "failed", error, during });
      }
      this.#isUp = false;
      this.#oldestS = undefined;
      return this.#backoffMs(DATABASE_AWAY_MS);
    }
  }

  #backoffMs(maxMs: number): number {
    return backoffMs(this.#failures++, { minMs: this.#options.pollMs, maxMs }, Math.random());
  }

  /** Throws what the database says. */
  async #read(): Promise<"more" | "no more" | "held up"> {
    const { source, clock, batch, counted, mostBytes } = this.#options;
    const { revision } = source;
    if (revision !== undefined && revision === this.#emptyRevision) return "no more";
    const readAtMs = clock.monotonicMs();
    const rows = await source.next(batch, mostBytes());
    this.#oldestS = Math.max(0, rows[0]?.ageS ?? 0);
    this.#emptyRevision = rows.length === 0 ? revision : undefined;
    if (rows.length === 0) return "no more";
    const { published, refused, isHeldUp } = await this.#publisher.publish(rows, readAtMs, () => !this.#isStopping);
    await source.remove(published.map(({ row }) => row));
    this.#publisher.forget(published);
    if (published.length > 0) counted("published", published.length);
    for (const { row, error } of refused) {
      await source.setAside(row, error);
      counted("failed", 1);
    }
    if (isHeldUp && published.length === 0) return "held up";
    return rows.length === batch && !isHeldUp ? "more" : "no more";
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }
}
