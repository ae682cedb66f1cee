/** One of a server's workers, in its own process: hears from the first process, and does not outlive it. */

import type { Config } from "../../config/schema/schema.ts";
import { type WorkerEngine, workersEngine } from "../../engines/workers/engine.ts";
import type { WorkerBatch } from "../../engines/workers/messages.ts";
import type { RequestLimits } from "../../engines/workers/requests.ts";
import type { Metrics } from "../../observers/metrics/metrics.ts";
import type { Scraped } from "../../observers/metrics/snapshot.ts";
import type { WorkerInfo } from "../embed/types.ts";
import type { Dependencies } from "../parts.ts";
import { ServingProcess } from "../serving-process.ts";
import { deserializeConfig } from "./config-json.ts";
import {
  type Assignment,
  type FromWorker,
  HEARTBEAT_MS,
  serializeError,
  type ToWorker,
  type WorkerCommand,
} from "./ipc-messages.ts";
import { workerIdentity } from "./worker-identity.ts";

/** What the worker's server does when it is told to. */
export interface WorkerActions {
  /** Drains and ends. */
  stop(): Promise<void>;
  /** Resolves with how many connections had to go. */
  reload(config: Config): Promise<number>;
  reloadTls(): Promise<boolean>;
}

export interface Assigned {
  readonly config: Config;
  readonly demoFile: string | undefined;
  readonly dashboardKey: string | undefined;
}

/** How long farewells may take when the first process is gone. */
const ABANDON_MS = 1_000;
/** What else the program has to do when its server has stopped. */
const LEAVE_MS = 1_000;
/** How long the first process may take to end a worker that could not start. */
const FAILED_MS = 5_000;
/** How long the first process may take to gather the numbers of all workers. */
const SCRAPE_MS = 5_000;

let here: Worker | undefined;

/** This process's worker, for the server that it is a worker of; undefined in the first process. */
export function workerOf(server: number): Worker | undefined {
  if (workerIdentity === undefined || workerIdentity.server !== server) return undefined;
  here ??= new Worker(workerIdentity);
  return here;
}

/** Whether this process is a worker, of whichever of the program's servers. */
export const isWorker = workerIdentity !== undefined;

/** How long a publication may wait for the first process. */
export function publishTimeouts({ publishWaitS, publishWaitBytes }: Config): RequestLimits {
  return { waitMs: publishWaitS * 1000, waitBytes: publishWaitBytes };
}

export class Worker {
  readonly info: WorkerInfo;
  /** Resolves when the server has stopped. */
  readonly ended: Promise<void>;
  readonly #over = Promise.withResolvers<void>();
  readonly #assigned = Promise.withResolvers<Assignment>();
  #duties: WorkerActions | undefined;
  #running: ServingProcess | undefined;
  #engine: WorkerEngine | undefined;
  #isEnding = false;
  #metrics: Metrics | undefined;
  #scraping: PromiseWithResolvers<Scraped> | undefined;

  constructor({ index, count }: WorkerInfo) {
    this.info = { index, count };
    this.ended = this.#over.promise;
    process.on("message", (message: ToWorker) => this.#hear(message));
    process.on("disconnect", () => void this.#abandoned());
    // Ctrl+C reaches every process of the terminal; the first one tells the others what to do.
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => this.#stop());
    setInterval(() => this.#say({ type: "alive" }), HEARTBEAT_MS).unref();
    this.#say({ type: "here" });
  }

  /** What to run with. */
  async assigned(): Promise<Assigned> {
    const { config, demoFile, dashboardKey } = await this.#assigned.promise;
    return { config: deserializeConfig(config), demoFile, dashboardKey };
  }

  /** Where it fails, the first process says so to people, once for all workers, and this one ends. */
  async start(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      await this.#failed(error);
    }
  }

  /** Listens beside the others. Throws what `ServingProcess.start` throws. */
  async run(deps: Dependencies, duties: WorkerActions): Promise<ServingProcess> {
    const { isJoined, isDraining } = await this.#assigned.promise;
    if (isJoined) {
      const send = (parcel: WorkerBatch) => this.#say({ type: "parcel", parcel });
      this.#engine = workersEngine(deps.clock, send, publishTimeouts(deps.config));
    }
    this.#duties = duties;
    this.#metrics = deps.storage.metrics;
    const shared = { ...deps, sharesPort: true, ...(this.#engine && { engine: this.#engine }) };
    this.#running = await ServingProcess.start(shared);
    if (isDraining) this.#running.drain(true);
    this.#say({ type: "listening" });
    return this.#running;
  }

  /** The numbers of all workers together. Rejects where the first process does not answer. */
  scrape(): Promise<Scraped> {
    if (this.#scraping) return this.#scraping.promise;
    const scraping = Promise.withResolvers<Scraped>();
    this.#scraping = scraping;
    const silence = () => scraping.reject(new Error("The first process does not answer."));
    const late = setTimeout(silence, SCRAPE_MS);
    this.#say({ type: "scrape" });
    return scraping.promise.finally(() => {
      clearTimeout(late);
      this.#scraping = undefined;
    });
  }

  /** The server has stopped. The program may do what else it has to, but not for long. */
  async end(): Promise<void> {
    this.#isEnding = true;
    setTimeout(() => process.exit(), LEAVE_MS).unref();
    // What it counted to its end is counted further by the first process.
    await this.#sayNumbers();
    if (process.connected) process.disconnect?.();
    this.#over.resolve();
  }

  // ---- private

  #say(message: FromWorker): void {
    if (process.connected) process.send?.(message);
  }

  #hear(message: ToWorker): void {
    switch (message.type) {
      case "assignment":
        return this.#assigned.resolve(message.assignment);
      case "parcel":
        return this.#engine?.receive(message.parcel);
      case "order":
        return void this.#obey(message.id, message.order);
      case "stop":
        return this.#stop();
      case "read":
        return void this.#sayNumbers();
      case "scraped":
        return this.#scraping?.resolve(message.scraped);
    }
  }

  async #sayNumbers(): Promise<void> {
    const reading = await this.#metrics?.read().catch(() => undefined);
    if (reading) this.#say({ type: "reading", reading });
  }

  async #obey(id: number, order: WorkerCommand): Promise<void> {
    try {
      this.#say({ type: "done", id, count: await this.#carryOut(order) });
    } catch (error) {
      this.#say({ type: "undone", id, failure: serializeError(error) });
    }
  }

  async #carryOut(order: WorkerCommand): Promise<number> {
    if (!this.#duties) throw new Error("This worker does not listen yet.");
    switch (order.type) {
      case "reload":
        return this.#duties.reload(deserializeConfig(order.config));
      case "reloadTls":
        return (await this.#duties.reloadTls()) ? 1 : 0;
      case "appChanged":
        await this.#running?.appChanged(order.id);
        return 0;
      case "drain":
        this.#running?.drain(order.isOn);
        return 0;
    }
  }

  #stop(): void {
    if (!this.#duties) process.exit(0);
    this.#duties.stop().catch(() => process.exit(1));
  }

  async #failed(error: unknown): Promise<never> {
    this.#isEnding = true;
    this.#say({ type: "failed", failure: serializeError(error) });
    await Bun.sleep(FAILED_MS);
    process.exit(1);
  }

  /** The first process is gone, and nobody is left to work for. Whoever starts it again wants the port. */
  async #abandoned(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    setTimeout(() => process.exit(1), ABANDON_MS);
    await this.#running?.stopNow();
    process.exit(1);
  }
}
