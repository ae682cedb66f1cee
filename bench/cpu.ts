/** What other processes of the machine have used so far, as the kernel tells it. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const PAGE_BYTES = 4096;

/** Processor time of all threads that still live, in microseconds. */
export function cpuUsOf(...pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + threadsOf(pid).reduce((all, thread) => all + ranUs(pid, thread), 0), 0);
}

/** Resident bytes. */
export function residentBytesOf(...pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + Number(read(`/proc/${pid}/statm`).split(" ")[1] ?? 0) * PAGE_BYTES, 0);
}

/** Resident bytes that no other process shares, and that no file holds. */
export function privateBytesOf(...pids: readonly number[]): number {
  return pids.reduce(
    (sum, pid) => sum + 1024 * Number(/^RssAnon:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0),
    0,
  );
}

export function childrenOf(pid: number): readonly number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean).map(Number);
}

/** The processes that listen on that TCP port. */
export function listenersOf(port: number): readonly number[] {
  const inodes = new Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) => listeningInodes(read(table), port)));
  return entries("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && socketsOf(pid).some((socket) => inodes.has(socket)));
}

const LISTENING = "0A";

/** A line of the table: number, local address and port, remote ones, state, six more fields, and the inode. All hexadecimal. */
function listeningInodes(table: string, port: number): string[] {
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    return state === LISTENING && Number.parseInt(local.split(":")[1] ?? "", 16) === port ? [`socket:[${inode}]`] : [];
  });
}

function socketsOf(pid: number): string[] {
  return entries(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return [];
    }
  });
}

/** What the kernel holds for itself, sockets included, in bytes; of the whole machine. */
export function kernelBytes(): number {
  return Number(/^Slab:\s+(\d+) kB$/m.exec(read("/proc/meminfo"))?.[1] ?? Number.NaN) * 1024;
}

function threadsOf(pid: number): readonly string[] {
  return entries(`/proc/${pid}/task`);
}

/** What is gone, or is somebody else's, has none. */
function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function ranUs(pid: number, thread: string): number {
  return runsOf(pid, thread).ranUs;
}

/** How long a thread ran, and how long it could have but had no core, in microseconds. */
export function runsOf(pid: number, thread: string): { readonly ranUs: number; readonly waitedUs: number } {
  const [ran = 0, waited = 0] = read(`/proc/${pid}/task/${thread}/schedstat`).split(" ").map(Number);
  return { ranUs: ran / 1_000, waitedUs: waited / 1_000 };
}

/** How often a thread gave its core back of itself. */
export function sleepsOf(pid: number, thread: string): number {
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(read(`/proc/${pid}/task/${thread}/status`))?.[1] ?? 0);
}

/** Processor time so far by what threads are called, in microseconds. The main thread is `main`. */
export function cpuUsByThread(pid: number): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const thread of threadsOf(pid)) {
    const name = Number(thread) === pid ? "main" : read(`/proc/${pid}/task/${thread}/comm`).trim();
    sums.set(name, (sums.get(name) ?? 0) + ranUs(pid, thread));
  }
  return sums;
}

/** What is gone has used nothing. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
