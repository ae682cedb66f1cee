/** One workload in one process: what an operation costs without the profiler, and how that divides with it. */

import type { Profiler } from "node:inspector";
import { cpuUsByThread, cpuUsOf } from "../cpu.ts";
import type { RemoteOptions } from "../remote.ts";
import { type Shares, sharesOf } from "./parts.ts";
import type { Site, Workload } from "./workloads.ts";

export interface Costs {
  /** Of the whole process, per operation, as the bench measures it. */
  readonly us: number;
  /** Of what it is compared with, for the same work, in the same minute. */
  readonly bareUs: number;
  /** By what threads are called. */
  readonly threadsUs: ReadonlyMap<string, number>;
  /** What the collections of garbage took of the main thread, per operation. It is in the parts, too. */
  readonly garbageUs: number;
  /** Share of the main thread's time that is JavaScript, or called by it. */
  readonly jsShare: number;
  readonly shares: Shares;
  readonly profile: Profiler.Profile;
}

/** JavaScriptCore says on the second output of each collection how long it stopped the program. */
const LOGS_COLLECTIONS = { BUN_JSC_logGC: "1" };
const PAUSE = /\bp=([\d.]+)ms/g;

export async function measure(workload: Workload, forMs: number): Promise<Costs> {
  const bareUs = await bareUsOf(workload, forMs);
  let pausesMs = 0;
  const stderr = (text: string) => {
    for (const [, ms] of text.matchAll(PAUSE)) pausesMs += Number(ms);
  };
  return withSite(workload, "it", { env: LOGS_COLLECTIONS, stderr }, async (site) => {
    await warmUp(site, forMs);
    pausesMs = 0;
    const before = cpuUsByThread(site.pid);
    const count = await site.run(forMs);
    const after = cpuUsByThread(site.pid);
    const garbageUs = (pausesMs * 1000) / count;
    const threadsUs = new Map([...after].map(([name, us]) => [name, (us - (before.get(name) ?? 0)) / count]));
    await site.prepare();
    lookFromTheSameCore(site.pid, await site.startProfile());
    await site.run(forMs * 2);
    const { cpu: profile, jsShare } = await site.stopProfile();
    const us = [...threadsUs.values()].reduce((sum, one) => sum + one, 0);
    return { us, bareUs, threadsUs, garbageUs, jsShare, shares: sharesOf(profile), profile };
  });
}

async function bareUsOf(workload: Workload, forMs: number): Promise<number> {
  return withSite(workload, "bare", {}, async (site) => {
    await warmUp(site, forMs);
    const before = cpuUsOf(site.pid);
    const count = await site.run(forMs);
    return (cpuUsOf(site.pid) - before) / count;
  });
}

/** The code is compiled with what it does first. */
async function warmUp(site: Site, forMs: number): Promise<void> {
  await site.prepare();
  await site.run(WARM_UPS * forMs);
  await site.prepare();
}

/** What is done some ten thousand times in a second takes two until its code is as it stays. */
const WARM_UPS = 2;

async function withSite<T>(
  workload: Workload,
  which: "it" | "bare",
  more: RemoteOptions,
  work: (site: Site) => Promise<T>,
): Promise<T> {
  const site = await workload.start(which, more);
  prefer(site.pid, 1, "--all-tasks");
  try {
    return await work(site);
  } finally {
    await site.end();
  }
}

/**
 * The profiler's thread stops the server's by a signal. To another core that takes some microseconds, in which the server leaves
 * the JavaScript that it ran for its next system call: little of it would be seen, and more of its ends than of its beginnings. On
 * the same core the profiler interrupts what runs, and sees just that. Both go before whatever else the machine does.
 */
function lookFromTheSameCore(server: number, profiler: number): void {
  prefer(profiler, 2);
  for (const thread of [server, profiler]) ask("taskset", "--cpu-list", "--pid", "0", String(thread));
}

function prefer(id: number, priority: number, ...more: readonly string[]): void {
  ask("chrt", ...more, "--fifo", "--pid", String(priority), String(id));
}

function ask(program: string, ...args: readonly string[]): void {
  if (maySchedule()) Bun.spawnSync([program, ...args]);
}

/** Whether the profiler can be put where it sees all alike. Without that its figures are rough. */
export function maySchedule(): boolean {
  return process.getuid?.() === 0 && Bun.which("chrt") !== null && Bun.which("taskset") !== null;
}
