/** Finds out whether a connection still lives: after silence, after waking up, after a change of network. */

import { after, type Cancel } from "./environment.ts";
import type { Settings } from "./options.ts";

export class Heartbeat {
  readonly #settings: Settings;
  readonly #ping: () => void;
  readonly #dead: () => void;
  #hiddenPeriodMs = 0;
  #heardAt = 0;
  #cancelPeriod: Cancel | undefined;
  #cancelAnswer: Cancel | undefined;
  #answerDueAt = Number.POSITIVE_INFINITY;

  constructor(settings: Settings, ping: () => void, dead: () => void) {
    this.#settings = settings;
    this.#ping = ping;
    this.#dead = dead;
  }

  start(activityTimeoutS: number): void {
    this.#hiddenPeriodMs = activityTimeoutS * 1000;
    this.heard();
    this.#wait();
  }

  /** Any frame is a sign of life. */
  heard(): void {
    this.#heardAt = this.#settings.environment.now();
    this.#cancelAnswer?.();
    this.#answerDueAt = Number.POSITIVE_INFINITY;
  }

  /** Asks, and gives the connection up without an answer in time. A question that is open already is not put off. */
  probe(answerMs: number = this.#settings.timeouts.wakeMs): void {
    const { environment } = this.#settings;
    this.#ping();
    const dueAt = environment.now() + answerMs;
    if (dueAt >= this.#answerDueAt) return;
    this.#cancelAnswer?.();
    this.#answerDueAt = dueAt;
    this.#cancelAnswer = after(environment, answerMs, this.#dead);
  }

  stop(): void {
    this.#cancelPeriod?.();
    this.#cancelAnswer?.();
    this.#answerDueAt = Number.POSITIVE_INFINITY;
  }

  /** One timer that looks back, instead of one that is set anew with each frame. */
  #wait(): void {
    const { environment, timeouts } = this.#settings;
    const periodMs = environment.isHidden() ? this.#hiddenPeriodMs : timeouts.pingMs;
    const leftMs = this.#heardAt + periodMs - environment.now();
    const dueAt = environment.now() + leftMs;
    this.#cancelPeriod = after(environment, leftMs > 0 ? leftMs : periodMs, () => {
      const now = environment.now();
      // The machine slept.
      if (now - dueAt > 2 * periodMs) this.probe();
      else if (now - this.#heardAt >= periodMs) this.probe(timeouts.pongMs);
      this.#wait();
    });
  }
}
