/** Keeps what this node has in Redis from ending while the node lives: all of it now and then, a little with each beat. */

import type { Clock } from "../../domain/ports.ts";
import type { RunScript } from "./command-connection.ts";
import { asParts } from "./registry-scripts.ts";
import { RENEW } from "./scripts.ts";

/** Places, and as many holds, in one script. */
const AT_ONCE = "250";
/** So often is everything renewed in the time of a lease. */
const ROUNDS = 4;

interface Round {
  readonly generation: string;
  readonly startedAtMs: number;
  /** Where it goes on; "" where it is done. */
  places: string;
  holds: string;
}

export class LeaseRenewal {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  /** Beats in half the time from one round to the next, by which it is to be done. */
  readonly #beats: number;
  /** By bucket. */
  readonly #rounds: Round[] = [];

  constructor(clock: Clock, leaseMs: number, beatMs: number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#beats = Math.max(1, leaseMs / ROUNDS / 2 / beatMs);
  }

  /** A beat's part of a round, or none where nothing is due. `size` is how much there is. Where it fails, the next beat does it. */
  async renew(bucket: number, send: RunScript, generation: string, size: number): Promise<void> {
    const round = this.#round(bucket, generation);
    const steps = Math.ceil(size / Number(AT_ONCE) / this.#beats) + 1;
    for (let step = 0; step < steps && !isDone(round); step++) {
      const next = await send(RENEW, [generation, String(this.#leaseMs), round.places, round.holds, AT_ONCE]);
      const [places, holds] = asParts(next).map(String);
      round.places = places ?? "";
      round.holds = holds ?? "";
    }
  }

  #round(bucket: number, generation: string): Round {
    const nowMs = this.#clock.monotonicMs();
    const betweenMs = this.#leaseMs / ROUNDS;
    let round = this.#rounds[bucket];
    if (round?.generation !== generation) {
      // All of it was written just now. Each bucket's turn comes at another time.
      round = { generation, startedAtMs: nowMs - (Math.random() / 2) * betweenMs, places: "", holds: "" };
    } else if (isDone(round) && nowMs - round.startedAtMs >= betweenMs) {
      round = { generation, startedAtMs: nowMs, places: "0", holds: "0" };
    }
    this.#rounds[bucket] = round;
    return round;
  }
}

function isDone({ places, holds }: Round): boolean {
  return places === "" && holds === "";
}
