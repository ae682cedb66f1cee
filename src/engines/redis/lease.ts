/** Keeps what this node has in Redis from ending while the node lives: all of it now and then, a little with each beat. */

import type { Clock } from "../../domain/ports.ts";
import type { Send } from "./line.ts";
import { RENEW } from "./scripts.ts";
import { parts } from "./writes.ts";

/** So often is everything renewed in the time of a lease. */
const ROUNDS = 4;

interface Round {
  readonly generation: string;
  readonly startedAtMs: number;
  /** Where it goes on; "" where it is done. */
  places: string;
  holds: string;
}

export class Lease {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  /** By bucket. */
  readonly #rounds: Round[] = [];

  constructor(clock: Clock, leaseMs: number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** One step of a round, or none where nothing is due. Where it fails, the next beat does it. */
  async renew(bucket: number, send: Send, generation: string): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const round = this.#rounds[bucket];
    if (round?.generation !== generation) {
      // It was written just now. Each bucket's turn comes at another time.
      const startedAtMs = nowMs - (Math.random() / 2) * (this.#leaseMs / ROUNDS);
      this.#rounds[bucket] = { generation, startedAtMs, places: "", holds: "" };
      return;
    }
    if (round.places === "" && round.holds === "") {
      if (nowMs - round.startedAtMs < this.#leaseMs / ROUNDS) return;
      this.#rounds[bucket] = { generation, startedAtMs: nowMs, places: "0", holds: "0" };
      return await this.renew(bucket, send, generation);
    }
    const next = await send(RENEW, [generation, String(this.#leaseMs), round.places, round.holds]);
    const [places, holds] = parts(next).map(String);
    round.places = places ?? "";
    round.holds = holds ?? "";
  }
}
