/** A program whose server has several workers, in processes of its own, and clients that know which worker they are with. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { external } from "./external.ts";
import { connectNative, type NativeOptions, type NativeTestClient } from "./native-client.ts";
import { type CliOptions, type CliProcess, spawnCli } from "./process.ts";
import { connectPusher, type PusherOptions, type PusherTestClient } from "./pusher-client.ts";
import { APP } from "./server.ts";

const PROC = external("proc");
const PROGRAM = join(import.meta.dir, "..", "faults", "programs", "workers.ts");

export type WorkersProgram = CliProcess & { readonly url: string };

/** Starts `test/faults/programs/workers.ts`; resolves when all workers listen. */
export async function startWorkers(config: ConfigInput = {}, options: CliOptions = {}): Promise<WorkersProgram> {
  const child = spawnWorkers(config, options);
  const [, url = ""] = await child.prints(/^ready (\S+)$/m, 30_000);
  return Object.assign(child, { url });
}

/** The same without waiting, for those that are not to start. */
export function spawnWorkers(config: ConfigInput = {}, { env = {}, ...options }: CliOptions = {}): CliProcess {
  const settings: ConfigInput = {
    host: "127.0.0.1",
    port: 0,
    workers: 2,
    drainTimeoutS: 2,
    apps: [{ ...APP, anonymous: true, limits: { clientEventsPerSecond: 1_000 } }],
    ...config,
  };
  return spawnCli([PROGRAM], {
    program: [process.execPath],
    ...options,
    env: { ...env, SETTINGS: JSON.stringify(settings) },
  });
}

/** The processes of the workers: children of the first one, whatever else there may be. */
export function workerPids(primary: number): readonly number[] {
  return readFileSync(`${PROC}/${primary}/task/${primary}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number);
}

export function isAlive(pid: number): boolean {
  try {
    // A zombie has ended.
    return !/^State:\s+Z/m.test(readFileSync(`${PROC}/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function openSockets(pid: number): number {
  return readdirSync(`${PROC}/${pid}/fd`).length;
}

export interface Placed {
  readonly client: NativeTestClient;
  /** The worker's process. */
  readonly pid: number;
}

/** A native client that knows its worker. */
async function connectPlaced(url: string, options: NativeOptions = {}): Promise<Placed> {
  const client = await connectNative(url, options);
  const { data } = await client.ask("which", {});
  return { client, pid: (data as { pid: number }).pid };
}

/** One on each of so many workers; the kernel spreads connections by chance, and those too many are closed. */
export async function oneOnEach(url: string, count: number, options: NativeOptions = {}): Promise<readonly Placed[]> {
  const placed = new Map<number, Placed>();
  for (let attempt = 0; placed.size < count; attempt++) {
    if (attempt > 200) throw new Error(`200 connections reached only ${placed.size} of ${count} workers.`);
    const one = await connectPlaced(url, options);
    if (placed.has(one.pid)) await one.client.close();
    else placed.set(one.pid, one);
  }
  return [...placed.values()];
}

/** One that is on that worker. */
export async function connectTo(url: string, pid: number, options: NativeOptions = {}): Promise<NativeTestClient> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const one = await connectPlaced(url, options);
    if (one.pid === pid) return one.client;
    await one.client.close();
  }
  throw new Error(`200 connections did not reach process ${pid}.`);
}

/** A Pusher client that is not on that worker: told by what the worker's process has open. */
export async function pusherElsewhere(url: string, pid: number, options?: PusherOptions): Promise<PusherTestClient> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const before = openSockets(pid);
    const client = await connectPusher(url, options);
    if (openSockets(pid) === before) return client;
    await client.close();
    await Bun.sleep(20);
  }
  throw new Error(`200 connections all reached process ${pid}.`);
}
