/** Members who are asked to come back to another node: until they have, they stay, so that the others see nobody leave. */

import type { Connection } from "../domain/connection.ts";
import { Disconnect } from "../domain/error.ts";
import type { Clock } from "../domain/ports.ts";

const MESSAGE = "This server has more connections than the others; connect again.";

/** Asks the client to come back, to another node where the balancer sends it there. */
export class Relocation extends Disconnect {
  /** How long it may take; when that is over, its members leave. */
  readonly withinMs: number;

  constructor(afterMs: number, withinMs: number) {
    super("reconnect", MESSAGE, afterMs);
    this.withinMs = withinMs;
  }
}

interface Held {
  readonly untilMs: number;
  readonly end: () => void;
}

export class HeldDepartures {
  readonly #clock: Clock;
  #held: Held[] = [];
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when the connection's departure has been held for long enough; undefined where it is not held. */
  of({ disconnectReason: why }: Connection): Promise<void> | undefined {
    if (!(why instanceof Relocation) || this.#isOver) return undefined;
    const untilMs = this.#clock.monotonicMs() + why.withinMs;
    return new Promise((end) => this.#held.push({ untilMs, end }));
  }

  /** Call it every second or two. */
  sweep(nowMs: number): void {
    if (this.#held.length === 0) return;
    const all = this.#held;
    this.#held = all.filter(({ untilMs }) => untilMs > nowMs);
    for (const { untilMs, end } of all) if (untilMs <= nowMs) end();
  }

  /** None is held any more: the node ends. */
  release(): void {
    this.#isOver = true;
    this.sweep(Number.POSITIVE_INFINITY);
  }
}
