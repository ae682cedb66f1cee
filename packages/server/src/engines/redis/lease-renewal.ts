/** Keeps what this node has in Redis from ending while the node lives: all of it four times a lease, a little with each heartbeat. */

import type { Clock } from "../../domain/ports.ts";
import { asParts, type Writer } from "./registry-scripts.ts";
import { RENEW } from "./scripts/nodes.ts";

/** Channels, and as many holds, in one script. */
const AT_ONCE = 250;
const ROUNDS_PER_LEASE = 4;

interface Round {
  readonly incarnation: string;
  readonly startedAtMs: number;
  /** Where it goes on; "" where it is done. */
  channelCursor: string;
  holdCursor: string;
}

export class LeaseRenewal {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  /** Heartbeats in half the time from one round to the next, by which it is to be done. */
  readonly #heartbeats: number;
  readonly #rounds = new Map<number, Round>();

  constructor(clock: Clock, leaseMs: number, heartbeatMs: number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#heartbeats = Math.max(1, leaseMs / ROUNDS_PER_LEASE / 2 / heartbeatMs);
  }

  /** A heartbeat's part of a round, if one is due. `size` is how much there is. Where it fails, the next heartbeat does it. */
  async renew(shard: number, { run, incarnation }: Writer, size: number): Promise<void> {
    const round = this.#round(shard, incarnation);
    const steps = Math.ceil(size / AT_ONCE / this.#heartbeats) + 1;
    for (let step = 0; step < steps && !isDone(round); step++) {
      const { channelCursor, holdCursor } = round;
      const args = { incarnation, lease: String(this.#leaseMs), channelCursor, holdCursor, count: String(AT_ONCE) };
      const [nextChannel = "", nextHold = ""] = asParts(await run(RENEW, args)).map(String);
      round.channelCursor = nextChannel;
      round.holdCursor = nextHold;
    }
  }

  #round(shard: number, incarnation: string): Round {
    const nowMs = this.#clock.monotonicMs();
    const intervalMs = this.#leaseMs / ROUNDS_PER_LEASE;
    let round = this.#rounds.get(shard);
    if (round?.incarnation !== incarnation) {
      // All of it was written just now. Each shard's turn comes at another time.
      const startedAtMs = nowMs - (Math.random() / 2) * intervalMs;
      round = { incarnation, startedAtMs, channelCursor: "", holdCursor: "" };
    } else if (isDone(round) && nowMs - round.startedAtMs >= intervalMs) {
      round = { incarnation, startedAtMs: nowMs, channelCursor: "0", holdCursor: "0" };
    }
    this.#rounds.set(shard, round);
    return round;
  }
}

function isDone({ channelCursor, holdCursor }: Round): boolean {
  return channelCursor === "" && holdCursor === "";
}
