/** Which node reads a source: the one that holds a place in the engine, of which there is one. A dead node's place is given back. */

import type { Clock, Ledger } from "../domain/ports.ts";

/** How often the engine is asked. */
const EVERY_MS = 1_000;
/** A node that stood still for so long may have been taken for dead, and another may have its place. */
const STALLED_MS = 2_000;

export interface LeaseOptions {
  readonly ledger: Pick<Ledger, "acquire" | "release">;
  readonly clock: Clock;
  readonly source: string;
  /** This node. */
  readonly holder: string;
}

export class Lease {
  readonly #options: LeaseOptions;
  readonly #place: string;
  #isHeld = false;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs: number;
  #holder: string;
  #holders = 0;
  /** It may be held by two: this node gives it back before it asks again. */
  #isDoubtful = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#place = `outbox:${options.source}`;
    this.#lookedAtMs = options.clock.monotonicMs();
    this.#holder = options.holder;
  }

  /** As far as this node knows. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Asks the engine where it was not asked in the last second. False while the engine is away. */
  async hold(): Promise<boolean> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#lookedAtMs > STALLED_MS) this.#doubt();
    this.#lookedAtMs = nowMs;
    if (nowMs - this.#askedAtMs < EVERY_MS) return this.#isHeld;
    this.#askedAtMs = nowMs;
    const { ledger, clock } = this.#options;
    try {
      if (this.#isDoubtful) await this.#comeAnew();
      this.#isHeld = await ledger.acquire(this.#place, this.#holder, 1);
    } catch {
      this.#doubt();
    }
    this.#lookedAtMs = clock.monotonicMs();
    // The answer is of a time before this node stood still.
    if (this.#lookedAtMs - nowMs > STALLED_MS) this.#doubt();
    return this.#isHeld;
  }

  /** Another node may read now. Never throws. */
  async release(): Promise<void> {
    this.#isHeld = false;
    this.#askedAtMs = Number.NEGATIVE_INFINITY;
    try {
      await this.#options.ledger.release(this.#place, this.#holder);
    } catch {
      // It is given back with the node's end.
    }
  }

  /** By another name: the engine gives a holder what it holds already, and a node that was away writes again what it held. */
  async #comeAnew(): Promise<void> {
    await this.#options.ledger.release(this.#place, this.#holder);
    this.#holder = `${this.#options.holder}~${++this.#holders}`;
    this.#isDoubtful = false;
  }

  #doubt(): void {
    this.#isHeld = false;
    this.#isDoubtful = true;
    this.#askedAtMs = Number.NEGATIVE_INFINITY;
  }
}
