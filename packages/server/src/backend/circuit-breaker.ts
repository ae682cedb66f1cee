/**
 * Spares a back end that fails, and those who wait for it: after enough failures nothing is asked for a while, and then one
 * question at a time, until one is answered.
 */

import { backoffMs } from "../domain/backoff.ts";
import type { Clock } from "../domain/ports.ts";

/** So many failures in a row, or half of so many questions within the window, open it. */
const IN_A_ROW = 20;
const ENOUGH = 50;
const WINDOW_MS = 10_000;
const PAUSE = { minMs: 1_000, maxMs: 30_000 };
/** A pause is so much longer or shorter, by chance: nodes do not come back together. */
const JITTER = 0.25;

/** A question that may be asked. Each has to end: answered, failed, or given up for another reason. */
export interface Pass {
  readonly isProbe: boolean;
}

export class CircuitBreaker {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #random: () => number;
  #inARow = 0;
  #windowSinceMs = 0;
  #asked = 0;
  #failed = 0;
  /** How often it opened without an answer in between. */
  #openings = 0;
  #openUntilMs: number | undefined;
  #isProbing = false;

  constructor(clock: Pick<Clock, "monotonicMs">, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Undefined where nothing may be asked now. */
  enter(): Pass | undefined {
    if (this.#openUntilMs === undefined) return { isProbe: false };
    if (this.#isProbing || this.#clock.monotonicMs() < this.#openUntilMs) return undefined;
    this.#isProbing = true;
    return { isProbe: true };
  }

  /** Whether it is closed by that. */
  answered({ isProbe }: Pass): boolean {
    if (isProbe) this.#isProbing = false;
    this.#inARow = 0;
    this.#count(false);
    // An answer to what was asked before it opened says nothing of now.
    if (this.#openUntilMs === undefined || !isProbe) return false;
    this.#openUntilMs = undefined;
    this.#openings = 0;
    this.#restart();
    return true;
  }

  /** Whether it is opened by that. */
  failed({ isProbe }: Pass): boolean {
    if (isProbe) this.#isProbing = false;
    this.#inARow++;
    this.#count(true);
    if (this.#openUntilMs !== undefined && !isProbe) return false;
    const isHalf = this.#asked >= ENOUGH && this.#failed * 2 >= this.#asked;
    if (!isProbe && this.#inARow < IN_A_ROW && !isHalf) return false;
    const pauseMs = backoffMs(this.#openings++, PAUSE) * (1 - JITTER + this.#random() * 2 * JITTER);
    this.#openUntilMs = this.#clock.monotonicMs() + pauseMs;
    this.#restart();
    return !isProbe;
  }

  /** It was not asked after all. */
  cancelled({ isProbe }: Pass): void {
    if (isProbe) this.#isProbing = false;
  }

  #count(isFailure: boolean): void {
    if (this.#clock.monotonicMs() - this.#windowSinceMs > WINDOW_MS) this.#restart();
    this.#asked++;
    if (isFailure) this.#failed++;
  }

  #restart(): void {
    this.#windowSinceMs = this.#clock.monotonicMs();
    this.#asked = 0;
    this.#failed = 0;
  }
}
