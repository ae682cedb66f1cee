/** How full the process is: above its mark it takes no new clients, so that the kernel does not end it with those it has. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Disconnect } from "../../domain/error.ts";
import type { Clock, Guard } from "../../domain/ports.ts";

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
  /** Infinity where there is none. */
  markBytes: number;
  #usedBytes = 0;
  #isFull = false;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #collectedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: MemoryOptions) {
    this.#clock = options.clock;
    this.#processes = options.processes;
    this.#read = options.usedBytes ?? (() => process.memoryUsage.rss());
    this.#collect = options.collect ?? (() => Bun.gc(true));
    this.markBytes = this.#markFor(options.markBytes);
  }

  /** Another mark from now on. */
  setMark(markBytes: number | undefined): void {
    this.markBytes = this.#markFor(markBytes);
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Resident, in bytes; at most a tenth of a second old. */
  get usedBytes(): number {
    this.#look();
    return this.#usedBytes;
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
    this.#isFull = this.#usedBytes > this.markBytes * (this.#isFull ? RELIEF : 1);
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

/** Version 1 spells "no limit" as a number near 2^63. */
const NO_LIMIT = 2 ** 60;

/**
 * How much memory the kernel lets this process's group have: what a container's limit is from inside. The least of the limits of the
 * group and of those it is in, in bytes; undefined where there is none.
 */
export function cgroupMemoryLimit(root = "/"): number | undefined {
  const groups = textOf(join(root, "proc/self/cgroup")) ?? "";
  const limits = groups.split("\n").flatMap((line) => limitsOf(root, line));
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** `0::/path` of version 2, `4:memory:/path` of version 1. */
function limitsOf(root: string, line: string): number[] {
  const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
  if (path === undefined) return [];
  if (controllers === "") return limitsUpwards(join(root, "sys/fs/cgroup"), path, "memory.max");
  if (!controllers?.split(",").includes("memory")) return [];
  return limitsUpwards(join(root, "sys/fs/cgroup/memory"), path, "memory.limit_in_bytes");
}

/** In a container the path may be the host's, and only the root is there. */
function limitsUpwards(mount: string, path: string, file: string): number[] {
  const limits: number[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    const bytes = Number.parseInt(textOf(join(mount, folder, file)) ?? "", 10);
    if (bytes > 0 && bytes < NO_LIMIT) limits.push(bytes);
    if (folder === "/") return limits;
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
