/** How long events take from this node through the engine to its own readers: a sample of them, by one node's clock. */

import { isReserved } from "../domain/app.ts";
import type { EventPublication } from "../domain/message.ts";
import type { Clock } from "../domain/ports.ts";

/** One event in so long is timed. */
const PAUSE_MS = 10;

export class DeliveryTimer {
  readonly #clock: Clock;
  /** No other node takes the mark for its own. */
  readonly #node: number;
  readonly #elapsed: (tookMs: number) => void;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, node: number, elapsed: (tookMs: number) => void) {
    this.#clock = clock;
    this.#node = node;
    this.#elapsed = elapsed;
  }

  /** The event with a mark if it is one of those that are timed. */
  start(publication: EventPublication, nowMs: number): EventPublication {
    if (nowMs - this.#lastMs < PAUSE_MS || isReserved({ id: publication.app })) return publication;
    this.#lastMs = nowMs;
    return { ...publication, timed: { node: this.#node, atMs: nowMs } };
  }

  /** It is with the readers that are here. */
  stop({ timed }: EventPublication): void {
    if (timed?.node === this.#node) this.#elapsed(this.#clock.monotonicMs() - timed.atMs);
  }
}
