/** How long events take from this node through the engine to its own readers: a sample of them, by one node's clock. */

import { isReserved } from "../domain/app.ts";
import type { EventPublication } from "../domain/message.ts";
import type { Clock } from "../domain/ports.ts";

/** One event in so long is timed. */
const PAUSE_MS = 10;

interface TimerHost {
  readonly clock: Clock;
  readonly nodeNumber: number;
  pause(ms: number): Promise<void>;
}

export class DeliveryTimer {
  /** Its number is in the mark: no other node takes it for its own. */
  readonly #host: TimerHost;
  readonly #elapsed: (tookMs: number) => void;
  #isDue = true;

  constructor(host: TimerHost, elapsed: (tookMs: number) => void) {
    this.#host = host;
    this.#elapsed = elapsed;
  }

  /** The event with a mark if it is one of those that are timed. Those that are not are spared a look at the clock. */
  start(publication: EventPublication): EventPublication {
    if (!this.#isDue || isReserved({ id: publication.app })) return publication;
    void this.#pause();
    return { ...publication, timed: { node: this.#host.nodeNumber, atMs: this.#host.clock.monotonicMs() } };
  }

  async #pause(): Promise<void> {
    this.#isDue = false;
    await this.#host.pause(PAUSE_MS);
    this.#isDue = true;
  }

  /** It is with the readers that are here. */
  stop({ timed }: EventPublication): void {
    if (timed?.node === this.#host.nodeNumber) this.#elapsed(this.#host.clock.monotonicMs() - timed.atMs);
  }
}
