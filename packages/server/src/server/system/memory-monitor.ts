/** How full the process is: above its mark it takes no new clients, so that the kernel does not end it with those it has. */

import { Disconnect } from "../../domain/error.ts";
import type { Clock, Guard } from "../../domain/ports.ts";
import { cgroupMemoryLimit } from "./cgroup-memory.ts";

/** What of the group's limit may be used before newcomers are refused: the rest is for those who are there. */
const SHARE_OF_LIMIT = 0.9;
/** Full again only above the mark, no longer full only well below it: otherwise readiness would flicker. */
const RELIEF = 0.97;
/** A storm may bring a thousand clients between two sweeps. */
const LOOK_EVERY_MS = 100;
/** A full collection stops everything for some milliseconds. */
const COLLECT_EVERY_MS = 10_000;

export interface MemoryOptions {
  readonly clock: Clock;
  /** In bytes; without it, a share of what the kernel allows. */
  readonly markBytes: number | undefined;
  /** Processes that share what the kernel allows. */
  readonly processes: number;
  readonly usedBytes?: () => number;
  readonly collect?: () => void;
}

export class MemoryMonitor {
  readonly #clock: Clock;
  readonly #processes: number;
  readonly #read: () => number;
  readonly #collect: () => void;
  #markBytes: number;
  #usedBytes = 0;
  #isFull = false;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #collectedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: MemoryOptions) {
    this.#clock = options.clock;
    this.#processes = options.processes;
    this.#read = options.usedBytes ?? (() => process.memoryUsage.rss());
    this.#collect = options.collect ?? (() => Bun.gc(true));
    this.#markBytes = this.#markFor(options.markBytes);
  }

  /** Another mark from now on. */
  setMark(markBytes: number | undefined): void {
    this.#markBytes = this.#markFor(markBytes);
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Resident, in bytes; at most a tenth of a second old. */
  get usedBytes(): number {
    this.#look();
    return this.#usedBytes;
  }

  /** Infinity where there is none. */
  get markBytes(): number {
    return this.#markBytes;
  }

  get isFull(): boolean {
    this.#look();
    return this.#isFull;
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < LOOK_EVERY_MS) return;
    this.#lookedAtMs = nowMs;
    this.#usedBytes = this.#read();
    this.#isFull = this.#usedBytes > this.#markBytes * (this.#isFull ? RELIEF : 1);
    if (!this.#isFull || nowMs - this.#collectedAtMs < COLLECT_EVERY_MS) return;
    this.#collectedAtMs = nowMs;
    this.#collect();
  }

  #markFor(markBytes: number | undefined): number {
    if (markBytes !== undefined) return markBytes;
    const limit = cgroupMemoryLimit();
    return limit === undefined ? Number.POSITIVE_INFINITY : (limit * SHARE_OF_LIMIT) / this.#processes;
  }
}

/** Sends newcomers elsewhere while there is no room for them. */
export function memoryGuard(memory: Pick<MemoryMonitor, "isFull">): Guard {
  return {
    connect() {
      if (!memory.isFull) return undefined;
      throw memoryFull();
    },
  };
}

export function memoryFull(): Disconnect {
  return new Disconnect(
    "over_capacity",
    "This server has as much in its memory as it may (limits.memoryBytes); try again later.",
  );
}
