/** What every server of the bench can be asked, Fanfare and bare Bun alike. Only how it listens and publishes differs. */

import { readFileSync } from "node:fs";
import type { Profile } from "./profile/profiler.ts";
import { answerCalls } from "./remote.ts";

export interface Burst {
  /** The bench's own unless said otherwise. */
  readonly channel?: string;
  readonly perTick: number;
  readonly forMs: number;
  /** Ends after so many; a broker between publisher and readers takes more than they can read. */
  readonly most?: number;
}

export interface Steady {
  readonly perSecond: number;
  readonly messages: number;
}

export interface Contender extends Record<string, (...args: never[]) => unknown> {
  /** Its port. */
  start(): Promise<number> | number;
  /** Publishes as fast as it can, so many messages in each tick of the event loop; says how many. */
  burst(burst: Burst): Promise<number>;
  /** Publishes at a rate; says when each message was published, in milliseconds. */
  steady(steady: Steady): Promise<number[]>;
  /** Publishes once for each byte that comes to this port, so that another process can set the pace. */
  listenForPulses(): number;
  /** CPU time of the process so far, in microseconds. */
  cpuUs(): number;
  /** Resident bytes once garbage is collected. */
  residentBytes(): Promise<number>;
  /** The number of the profiler's thread. */
  startProfile(): Promise<number>;
  stopProfile(): Promise<Profile>;
}

export interface Parts {
  start(): Promise<number> | number;
  publish(channel?: string): unknown;
}

export function contend({ start, publish }: Parts): void {
  const contender: Contender = {
    start,
    burst: (options) => burst(publish, options),
    steady: (options) => steady(publish, options),
    listenForPulses: () => listenForPulses(publish),
    cpuUs,
    residentBytes,
    startProfile: async () => (await profiler()).startProfile(),
    stopProfile: async () => (await profiler()).stopProfile(),
  };
  answerCalls(contender);
}

/** Loaded only where it is used: it takes memory, which the bench measures. */
function profiler() {
  return import("./profile/profiler.ts");
}

/** Milliseconds on a clock that all processes of the machine share. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

async function burst(
  publish: Parts["publish"],
  { channel, perTick, forMs, most = Number.POSITIVE_INFINITY }: Burst,
): Promise<number> {
  const until = performance.now() + forMs;
  let published = 0;
  while (performance.now() < until && published < most) {
    let last: unknown;
    for (let n = 0; n < perTick; n++) last = publish(channel);
    published += perTick;
    await last;
    await nextTick();
  }
  return published;
}

async function steady(publish: () => unknown, { perSecond, messages }: Steady): Promise<number[]> {
  const startMs = performance.now();
  const publishedAtMs: number[] = [];
  for (let n = 0; n < messages; n++) {
    const dueMs = startMs + (n * 1000) / perSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await Bun.sleep(waitMs);
    publishedAtMs.push(nowMs());
    await publish();
  }
  return publishedAtMs;
}

function listenForPulses(publish: () => unknown): number {
  const data = (_: unknown, bytes: Uint8Array) => {
    for (let n = 0; n < bytes.length; n++) publish();
  };
  return Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data } }).port;
}

function nextTick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function residentBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 5; n++) {
    Bun.gc(true);
    await Bun.sleep(100);
    least = Math.min(least, resident());
  }
  return least;
}

function resident(): number {
  const PAGE_BYTES = 4096;
  try {
    return Number(readFileSync("/proc/self/statm", "utf8").split(" ")[1]) * PAGE_BYTES;
  } catch {
    return process.memoryUsage.rss();
  }
}
