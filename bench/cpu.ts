/** What other processes of the machine have used so far, as the kernel tells it. */

import { readdirSync, readFileSync } from "node:fs";

const PAGE_BYTES = 4096;

/** Processor time of all threads that still live, in microseconds. */
export function cpuUsOf(...pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + threadsOf(pid).reduce((all, thread) => all + ranUs(pid, thread), 0), 0);
}

/** Resident bytes. */
export function residentBytesOf(...pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + Number(read(`/proc/${pid}/statm`).split(" ")[1] ?? 0) * PAGE_BYTES, 0);
}

export function childrenOf(pid: number): readonly number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean).map(Number);
}

/** What the kernel holds for itself, sockets included, in bytes; of the whole machine. */
export function kernelBytes(): number {
  return Number(/^Slab:\s+(\d+) kB$/m.exec(read("/proc/meminfo"))?.[1] ?? Number.NaN) * 1024;
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function ranUs(pid: number, thread: string): number {
  return Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0] ?? 0) / 1_000;
}

/** What is gone has used nothing. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
