/** One of a server's workers, in its own process: gets its commands from the first process, and does not outlive it. */

import type { Config } from "../../config/schema/schema.ts";
import { type WorkerEngine, workersEngine } from "../../engines/workers/engine.ts";
import type { WorkerBatch } from "../../engines/workers/messages.ts";
import type { RequestLimits } from "../../engines/workers/requests.ts";
import type { Metrics } from "../../observers/metrics/metrics.ts";
import type { Scraped } from "../../observers/metrics/snapshot.ts";
import type { WorkerInfo } from "../embed/types.ts";
import type { Reloaded } from "../lifecycle/reload.ts";
import type { Dependencies } from "../parts.ts";
import { ServingProcess } from "../serving-process.ts";
import { withinTime } from "../system/promises.ts";
import {
  type Assignment,
  deserializeConfig,
  type FromWorker,
  HEARTBEAT_MS,
  serializeError,
  type ToWorker,
  type WorkerCommand,
  workerIdentity,
} from "./ipc-messages.ts";

/** What the first process may have the worker's server do. */
export interface WorkerActions {
  /** Drains and ends. */
  stop(): Promise<void>;
  reload(config: Config): Promise<Pick<Reloaded, "closed">>;
  reloadTls(): Promise<boolean>;
}

export interface Assigned {
  readonly config: Config;
  readonly demoFile: string | undefined;
  readonly dashboardKey: string | undefined;
}

/** How long disconnecting the clients may take when the first process is gone. */
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
  readonly #over = Promise.withResolvers<void>();
  /** Resolves when the server has stopped. */
  readonly ended = this.#over.promise;
  readonly #assigned = Promise.withResolvers<Assignment>();
  #actions: WorkerActions | undefined;
  #running: ServingProcess | undefined;
  #engine: WorkerEngine | undefined;
  #isEnding = false;
  #metrics: Metrics | undefined;
  #scraping: PromiseWithResolvers<Scraped> | undefined;

  constructor({ index, count }: WorkerInfo) {
    this.info = { index, count };
    process.on("message", (message: ToWorker) => this.#receive(message));
    process.on("disconnect", () => void this.#abandoned());
    // Ctrl+C reaches every process of the terminal; the workers wait for the first one's command.
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => this.#stop());
    setInterval(() => this.#post({ type: "heartbeat" }), HEARTBEAT_MS).unref();
    this.#post({ type: "connected" });
  }

  /** What to run with. */
  async assigned(): Promise<Assigned> {
    const { config, demoFile, dashboardKey } = await this.#assigned.promise;
    return { config: deserializeConfig(config), demoFile, dashboardKey };
  }

  /** Where it fails, the first process logs the error, once for all workers, and this one ends. */
  async start(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      await this.#failed(error);
    }
  }

  /** Listens beside the others. Throws what `ServingProcess.start` throws. */
  async run(deps: Dependencies, actions: WorkerActions): Promise<ServingProcess> {
    const { isJoined, isDraining } = await this.#assigned.promise;
    if (isJoined) {
      const send = (batch: WorkerBatch) => this.#post({ type: "batch", batch });
      this.#engine = workersEngine(deps.clock, send, publishTimeouts(deps.config));
    }
    this.#actions = actions;
    this.#metrics = deps.storage.metrics;
    const shared = { ...deps, sharesPort: true, ...(this.#engine && { engine: this.#engine }) };
    this.#running = await ServingProcess.start(shared);
    if (isDraining) this.#running.drain(true);
    this.#post({ type: "listening" });
    return this.#running;
  }

  /** The numbers of all workers together. Rejects where the first process does not answer. */
  async scrape(): Promise<Scraped> {
    if (!this.#scraping) {
      this.#scraping = Promise.withResolvers<Scraped>();
      this.#post({ type: "scrapeAll" });
    }
    const scraping = this.#scraping;
    const scraped = await withinTime(SCRAPE_MS, scraping.promise);
    if (this.#scraping === scraping) this.#scraping = undefined;
    if (!scraped) throw new Error("The first process does not answer.");
    return scraped;
  }

  /** The server has stopped. The program may do what else it has to, but not for long. */
  async end(): Promise<void> {
    this.#isEnding = true;
    setTimeout(() => process.exit(), LEAVE_MS).unref();
    // What it counted to its end is counted further by the first process.
    await this.#sendMetrics();
    if (process.connected) process.disconnect?.();
    this.#over.resolve();
  }

  // ---- private

  #post(message: FromWorker): void {
    if (process.connected) process.send?.(message);
  }

  #receive(message: ToWorker): void {
    switch (message.type) {
      case "assignment":
        return this.#assigned.resolve(message.assignment);
      case "batch":
        return this.#engine?.receive(message.batch);
      case "command":
        return void this.#execute(message.id, message.command);
      case "stop":
        return this.#stop();
      case "readMetrics":
        return void this.#sendMetrics();
      case "allMetrics":
        return this.#scraping?.resolve(message.scraped);
    }
  }

  async #sendMetrics(): Promise<void> {
    const reading = await this.#metrics?.read().catch(() => undefined);
    if (reading) this.#post({ type: "metrics", reading });
  }

  async #execute(id: number, command: WorkerCommand): Promise<void> {
    try {
      this.#post({ type: "completed", id, count: await this.#perform(command) });
    } catch (error) {
      this.#post({ type: "refused", id, failure: serializeError(error) });
    }
  }

  async #perform(command: WorkerCommand): Promise<number> {
    if (!this.#actions) throw new Error("This worker does not listen yet.");
    switch (command.type) {
      case "reload":
        return (await this.#actions.reload(deserializeConfig(command.config))).closed;
      case "reloadTls":
        return (await this.#actions.reloadTls()) ? 1 : 0;
      case "appChanged":
        await this.#running?.appChanged(command.id);
        return 0;
      case "drain":
        this.#running?.drain(command.isOn);
        return 0;
    }
  }

  #stop(): void {
    if (!this.#actions) process.exit(0);
    this.#actions.stop().catch(() => process.exit(1));
  }

  async #failed(error: unknown): Promise<never> {
    this.#isEnding = true;
    this.#post({ type: "failed", failure: serializeError(error) });
    await Bun.sleep(FAILED_MS);
    process.exit(1);
  }

  /** The first process is gone. The port has to be free for the next one. */
  async #abandoned(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    setTimeout(() => process.exit(1), ABANDON_MS);
    await this.#running?.stopNow();
    process.exit(1);
  }
}
