/** More connections than one process may have files open: what each takes, how fast they come, and what reaching all of them takes. */

import type { Contender } from "../contender.ts";
import { childrenOf, cpuUsOf, kernelBytes, residentBytesOf } from "../cpu.ts";
import { OUTBOUND_BYTES } from "../credentials.ts";
import type { Load } from "../load.ts";
import { CHANNEL } from "../message.ts";
import { doorOf } from "../pair.ts";
import { Remote } from "../remote.ts";
import { type Effort, fixed, type Table, times, whole } from "../table.ts";

/** Below the 20 000 files that a process may open on many machines. */
const PER_GENERATOR = 18_000;
/** The kernel spreads by chance, so that some workers get more than their share. */
const PER_WORKER = 14_000;
const FIRST = 50;
const PATIENCE_MS = 120_000;

interface Crowd {
  readonly workers: number;
  readonly connections: number;
  readonly perSecond: number;
  readonly cpuUsEach: number;
  readonly bytesEach: number;
  /** Of the kernel, for both ends. */
  readonly kernelBytesEach: number;
  readonly toAllMs: number;
}

export async function connections({ connections: counts }: Effort): Promise<Table> {
  const most = counts.at(-1) ?? 1;
  const base = await crowd(1, Math.min(most, PER_GENERATOR));
  const crowds = [base];
  for (const count of counts) crowds.push(await crowd(Math.max(2, Math.ceil(count / PER_WORKER)), count));
  return {
    title: "Many connections on one machine",
    note: [
      "Native clients with one subscription, all in one channel. Memory is the growth of all processes of the server, garbage collected, for each connection;",
      "the kernel's has both ends of it, since the clients are on this machine too, as is their work in connections per second. The ratio is of the memory.",
    ].join("\n"),
    head: [
      "processes",
      "connections",
      "connected/s",
      "CPU each",
      "memory each",
      "ratio",
      "kernel each",
      "one event to all",
    ],
    rows: crowds.map((one) => [
      one.workers === 1 ? "1" : `${one.workers} workers`,
      whole(one.connections),
      whole(one.perSecond),
      `${fixed(one.cpuUsEach, 0)} µs`,
      `${whole(one.bytesEach)} B`,
      one === base ? "" : times(one.bytesEach / base.bytesEach),
      `${whole(one.kernelBytesEach)} B`,
      `${whole(one.toAllMs)} ms`,
    ]),
  };
}

async function crowd(workers: number, count: number): Promise<Crowd> {
  const settings = {
    host: "0.0.0.0",
    workers,
    // Nothing but connecting is measured.
    activityTimeoutS: 3_600,
    // A generator that waits for its turn is no attacker.
    limits: { outboundBufferBytes: OUTBOUND_BYTES, connections: count, handshakeTimeoutS: 250 },
  };
  const server = new Remote<Contender>("./program.ts", { args: ["native", JSON.stringify(settings)] });
  const generators = Array.from({ length: Math.ceil(count / PER_GENERATOR) }, () => new Remote<Load>("./load.ts"));
  try {
    return await gather(server, generators, { workers, count });
  } finally {
    await Promise.all([...generators, server].map((process) => process.end()));
  }
}

async function gather(
  server: Remote<Contender>,
  generators: readonly Remote<Load>[],
  { workers, count }: { readonly workers: number; readonly count: number },
): Promise<Crowd> {
  const port = await server.call("start");
  const pids = [server.pid, ...childrenOf(server.pid)];
  const shareOf = (index: number, of: number) =>
    Math.round((of * (index + 1)) / generators.length) - Math.round((of * index) / generators.length);
  // A client's port is free again for each address of the server's.
  const open = (of: number) =>
    each(generators, (load, index) =>
      load.call("open", {
        host: `127.0.${index}.{block}`,
        port,
        count: shareOf(index, of),
        ...doorOf("native", CHANNEL),
      }),
    );
  const first = Math.max(FIRST, generators.length);
  await open(first);
  const empty = { bytes: await residentBytes(server, pids), kernel: kernelBytes() };
  const cpuUs = cpuUsOf(...pids);
  const startMs = performance.now();
  await open(count);
  const tookS = (performance.now() - startMs) / 1000;
  const usedUs = cpuUsOf(...pids) - cpuUs;
  const added = count - first;
  const full = { bytes: await residentBytes(server, pids), kernel: kernelBytes() };
  return {
    workers,
    connections: count,
    perSecond: added / tookS,
    cpuUsEach: usedUs / added,
    bytesEach: (full.bytes - empty.bytes) / added,
    kernelBytesEach: (full.kernel - empty.kernel) / added,
    toAllMs: await toAll(server, generators, (index) => shareOf(index, count)),
  };
}

/** From the call that publishes to the last reader, in milliseconds. */
async function toAll(
  server: Remote<Contender>,
  generators: readonly Remote<Load>[],
  shareOf: (index: number) => number,
): Promise<number> {
  await each(generators, (load) => load.call("reset"));
  const startMs = performance.now();
  await server.call("steady", { perSecond: 1, messages: 1 });
  await each(generators, (load, index) => load.call("arrived", shareOf(index), PATIENCE_MS));
  return performance.now() - startMs;
}

async function residentBytes(server: Remote<Contender>, pids: readonly number[]): Promise<number> {
  const [, ...workers] = pids;
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 3; n++) {
    for (const pid of workers) process.kill(pid, "SIGUSR2");
    await server.call("residentBytes");
    least = Math.min(least, residentBytesOf(...pids));
  }
  return least;
}

async function each<T>(all: readonly T[], work: (one: T, index: number) => Promise<unknown>): Promise<void> {
  await Promise.all(all.map(work));
}
