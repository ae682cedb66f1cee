/**
 * Lets clients in a few at a time when thousands come at once: between two batches the open connections get their turn, and new ones
 * are taken off the kernel's queue, which is no longer than 512 with Bun and drops what does not fit.
 */

import type { Clock } from "../../domain/ports.ts";

/** A handshake and what follows it cost 0.1 to 0.2 ms, so that the smallest batch takes some four. */
const MIN_BATCH = 20;
const MAX_BATCH = 60;
/** Where a turn of the event loop takes longer anyway, batches grow, or clients would wait for ever: up to half of the time is theirs. */
const PER_MS = 3;

export class HandshakeQueue {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #waiting: (() => void)[] = [];
  /** How many may go in, and how many went in, during this turn of the event loop. */
  #batchSize = MIN_BATCH;
  #admitted = 0;
  #isTurnOpen = false;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Resolves when it is the caller's turn; undefined where that is at once. */
  waitForTurn(): Promise<void> | undefined {
    this.#openTurn();
    if (this.#admitted < this.#batchSize) {
      this.#admitted++;
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    return promise;
  }

  #openTurn(): void {
    if (this.#isTurnOpen) return;
    this.#isTurnOpen = true;
    const beganMs = this.#clock.monotonicMs();
    setImmediate(() => {
      this.#isTurnOpen = false;
      const tookMs = this.#clock.monotonicMs() - beganMs;
      this.#batchSize = Math.min(MAX_BATCH, Math.max(MIN_BATCH, Math.round(tookMs * PER_MS)));
      const batch = this.#waiting.splice(0, this.#batchSize);
      this.#admitted = batch.length;
      for (const enter of batch) enter();
      if (batch.length > 0) this.#openTurn();
    });
  }
}
