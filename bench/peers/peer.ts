/** A server that is measured beside Fanfare: how it is started, how its clients come in, and how a back end calls it. */

import type { Request } from "../callers.ts";
import { freePort } from "../cluster/store.ts";
import { cpuUsOf, listenersOf, residentBytesOf } from "../cpu.ts";
import type { Load } from "../load.ts";
import type { Opening } from "../readers.ts";
import { Remote } from "../remote.ts";

export interface Peer {
  readonly name: string;
  /** What starts it; undefined where it runs already. */
  command(place: Place): readonly string[] | undefined;
  /** Where it runs already. */
  readonly port?: number;
  /** Whether several of it can share a Redis. */
  readonly clusters: boolean;
  door(channel: string): Pick<Opening, "path" | "hello" | "more" | "setupFrames">;
  readonly request: Request["kind"];
}

export interface Place {
  readonly port: number;
  /** The port of the Redis that nodes share; undefined where there is one node alone. */
  readonly redisPort: number | undefined;
}

const READY_WITHIN_MS = 30_000;
const DELIVERED_WITHIN_MS = 60_000;

/** A peer that runs, and the process that loads it. */
export class Running {
  readonly peer: Peer;
  readonly port: number;
  /** From its start until it takes connections; NaN where it ran already. */
  readonly startedInMs: number;
  readonly load = new Remote<Load>("./load.ts");
  readonly #child: Bun.Subprocess | undefined;

  private constructor(peer: Peer, port: number, startedInMs: number, child: Bun.Subprocess | undefined) {
    this.peer = peer;
    this.port = port;
    this.startedInMs = startedInMs;
    this.#child = child;
  }

  static async start(peer: Peer, redisPort?: number): Promise<Running> {
    const port = peer.port ?? freePort();
    const [program, ...args] = peer.command({ port, redisPort }) ?? [];
    if (program === undefined) return new Running(peer, port, Number.NaN, undefined);
    const sinceMs = performance.now();
    const child = Bun.spawn([program, ...args], { stdio: ["ignore", "ignore", "inherit"] });
    try {
      await accepting(port, child);
    } catch (error) {
      child.kill("SIGKILL");
      throw new Error(`${peer.name} does not start: ${[program, ...args].join(" ")}`, { cause: error });
    }
    return new Running(peer, port, performance.now() - sinceMs, child);
  }

  /** Until there are so many readers, all of them in the channel. */
  async open(count: number, channel: string): Promise<void> {
    await this.load.call("open", { port: this.port, count, ...this.peer.door(channel) });
  }

  /** Until so many frames have come to the readers. */
  async arrived(frames: number): Promise<void> {
    try {
      await this.load.call("arrived", frames, DELIVERED_WITHIN_MS);
    } catch (error) {
      throw new Error(`${this.peer.name} does not deliver.`, { cause: error });
    }
  }

  /** Processor time of all its processes so far, in microseconds. */
  cpuUs(): number {
    return cpuUsOf(...this.#pids());
  }

  residentBytes(): number {
    return residentBytesOf(...this.#pids());
  }

  /** Those that listen on its port, whoever started them. */
  #pids(): readonly number[] {
    const pids = listenersOf(this.port);
    if (pids.length === 0) throw new Error(`Nothing that can be seen listens on port ${this.port}.`);
    return pids;
  }

  async end(): Promise<void> {
    await this.load.end();
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }
}

/** Starts them, and ends them however the work ends. */
export async function withRunning<T>(
  peers: readonly Peer[],
  work: (running: readonly Running[]) => Promise<T>,
): Promise<T> {
  const running: Running[] = [];
  try {
    for (const peer of peers) running.push(await Running.start(peer));
    return await work(running);
  } finally {
    await Promise.all(running.map((one) => one.end()));
  }
}

async function accepting(port: number, child: Bun.Subprocess): Promise<void> {
  const untilMs = performance.now() + READY_WITHIN_MS;
  while (performance.now() < untilMs) {
    if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}.`);
    try {
      (await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })).end();
      return;
    } catch {
      await Bun.sleep(2);
    }
  }
  throw new Error(`Nothing listens on port ${port} after ${READY_WITHIN_MS} ms.`);
}
