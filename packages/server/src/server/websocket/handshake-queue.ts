/**
 * Lets newcomers in a few at a time when thousands come at once: between two lots whoever is inside is heard, and new connections are
 * taken off the kernel's queue, which is no longer than 512 with Bun and drops what does not fit.
 */

import type { Clock } from "../../domain/ports.ts";

/** A handshake and what follows it cost 0.1 to 0.2 ms, so that the smallest lot takes some four. */
const MIN_BATCH = 20;
const MAX_BATCH = 60;
/** Where a turn of the event loop takes longer anyway, more go in at once, or they would wait for ever: up to half of its time is theirs. */
const PER_MS = 3;

export class HandshakeQueue {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #waiting: (() => void)[] = [];
  /** Those who may go in, and those who went in, during this turn of the event loop. */
  #lot = MIN_BATCH;
  #entered = 0;
  #isTurning = false;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Resolves when it is the caller's turn; undefined where that is at once. */
  waitForTurn(): Promise<void> | undefined {
    this.#turn();
    if (this.#entered < this.#lot) {
      this.#entered++;
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    return promise;
  }

  #turn(): void {
    if (this.#isTurning) return;
    this.#isTurning = true;
    const beganMs = this.#clock.monotonicMs();
    setImmediate(() => {
      this.#isTurning = false;
      const tookMs = this.#clock.monotonicMs() - beganMs;
      this.#lot = Math.min(MAX_BATCH, Math.max(MIN_BATCH, Math.round(tookMs * PER_MS)));
      const lot = this.#waiting.splice(0, this.#lot);
      this.#entered = lot.length;
      for (const enter of lot) enter();
      if (lot.length > 0) this.#turn();
    });
  }
}
