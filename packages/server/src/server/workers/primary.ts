/** The first process of a server with several workers: starts them, and carries what they send to each other. */

import type { AppDirectory } from "../../apps/app-directory.ts";
import { ConfigError } from "../../config/config-error.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { Engine } from "../../domain/ports.ts";
import type { Fanout } from "../../domain/transport.ts";
import { memoryEngine } from "../../engines/memory/engine.ts";
import { workersEngine } from "../../engines/workers/engine.ts";
import { WorkerHub } from "../../engines/workers/worker-hub.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Reading } from "../../observers/metrics/merge.ts";
import type { Metrics } from "../../observers/metrics/metrics.ts";
import type { Scraped } from "../../observers/metrics/snapshot.ts";
import { buildHub, createAppDirectory } from "../build.ts";
import { answerShares } from "../cluster/cluster-shares.ts";
import { createClusterEngine } from "../cluster/create-engine.ts";
import { nodeName } from "../cluster/node-states.ts";
import type { ReadyState } from "../http/ready-route.ts";
import { isLastNode } from "../lifecycle/drain-controller.ts";
import type { Dependencies } from "../parts.ts";
import type { ServerProcess } from "../serving-process.ts";
import { EventLoopLag } from "../system/machine-clock.ts";
import { MemoryMonitor } from "../system/memory-monitor.ts";
import { type Assignment, serializeConfig } from "./ipc-messages.ts";
import { type ReservedPorts, reservePorts } from "./reserve-ports.ts";
import { type Readings, Supervisor } from "./supervisor.ts";
import { isWorker, publishTimeouts } from "./worker.ts";

/** A worker sends a heartbeat once a second: on a busy machine one may come later than that. */
const SHORTEST_LEASE_S = 3;
/** Beyond the drain: what a worker has to tidy up, and a busy machine. */
const STOP_MS = 5_000;
const TICK_MS = 1_000;
/** The longest a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1;

/** The server of this process that has workers now. */
let startedServer: number | undefined;

/** The clients are with the workers. */
const NO_CLIENTS: Fanout = { publish: () => 0 };

export class Primary implements ServerProcess {
  readonly hub: Hub;
  readonly apps: AppDirectory;
  readonly #memory: MemoryMonitor;
  readonly startedAtMs = Date.now();
  readonly #id = crypto.randomUUID();
  readonly #lag: EventLoopLag;
  readonly #ticking: ReturnType<typeof setInterval>;
  readonly #supervisor: Supervisor;
  readonly #workerHub: WorkerHub | undefined;
  readonly #metrics: WorkerMetrics;
  #config: Config;
  #isStopping = false;
  /** Its workers send their clients to other machines. */
  #isDraining = false;
  isLastNode = false;

  /** Resolves when all workers listen. Throws what Bun throws when it cannot listen, ConfigError, or a worker's error. */
  static async start(deps: Dependencies, server: number): Promise<Primary> {
    if (process.platform !== "linux") {
      throw new ConfigError("`workers` has to be 1 on this system: only Linux lets several processes share a port");
    }
    // Each of its workers runs the whole program, and would start the workers of the other one again.
    if (isWorker || startedServer !== undefined) {
      throw new Error("A program can have one server with several workers: give the others `workers: 1`.");
    }
    startedServer = server;
    try {
      return await Primary.#startOn(await reservePorts(deps.config), deps, server);
    } catch (error) {
      startedServer = undefined;
      throw error;
    }
  }

  static async #startOn(ports: ReservedPorts, deps: Dependencies, server: number): Promise<Primary> {
    try {
      const { config } = ports;
      const engine = await createClusterEngine({ config, clock: deps.clock, given: deps.given.engine });
      const primary = new Primary({ ...deps, config }, engine, server);
      await primary.#start();
      return primary;
    } finally {
      ports.release();
    }
  }

  private constructor(deps: Dependencies, engine: Engine | undefined, server: number) {
    const { config, clock, log } = deps;
    this.#config = config;
    this.apps = createAppDirectory(deps, () => this.hub);
    if (!engine) {
      const failed = (error: unknown, during: string) => log.error({ err: error }, during);
      this.#workerHub = new WorkerHub({ engine: memoryEngine(clock), clock, failed });
    }
    this.#memory = new MemoryMonitor({ clock, markBytes: config.limits.memoryBytes, processes: config.workers });
    this.#lag = new EventLoopLag(clock);
    this.#ticking = setInterval(() => {
      this.#lag.tick(TICK_MS);
      this.hub.sweep(this.#lag.ms);
    }, TICK_MS);
    this.hub = buildHub(deps, {
      apps: this.apps,
      engine: engine ?? this.#ownEngine(deps),
      guards: [...(deps.given.guards ?? []), deps.extensions.hooks.guard],
      observers: deps.observers,
      traffic: deps.storage.traffic,
      node: () => ({ ...this.#report, id: this.#id }),
    });
    answerShares(this.hub, () => ({ id: this.#id, connections: 0, movable: 0, onTheWay: 0 }));
    const read = (withinMs: number) => this.#supervisor.readMetrics(withinMs);
    this.#metrics = new WorkerMetrics({ metrics: deps.storage.metrics, read, count: config.workers });
    this.#supervisor = new Supervisor({
      count: config.workers,
      server,
      assignment: this.#assignmentOf(deps),
      leaseS: Math.max(SHORTEST_LEASE_S, config.nodeTimeoutS),
      stopMs: () => this.#stopMs,
      log,
      attach: (child) => {
        const overflowed = () => {
          log.error(`worker ${child.info.index} (process ${child.pid}) does not keep up, and is ended`);
          child.kill();
        };
        const link = this.#workerHub?.attach({ send: (batch) => child.send(batch), overflowed });
        return {
          receive: (batch) => link?.receive(batch),
          scrape: () => this.#metrics.scrape(),
          detach: async () => {
            this.#metrics.addFinal(child.reading);
            await link?.disconnect();
          },
        };
      },
    });
  }

  async #start(): Promise<void> {
    await this.#workerHub?.start();
    await this.hub.start(NO_CLIENTS);
    try {
      await this.#supervisor.start();
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  /** How late timers run, in milliseconds. */
  get lagMs(): number {
    return this.#lag.ms;
  }

  get readyState(): ReadyState {
    const { isDraining } = this;
    return { isDraining, keepsRunning: !this.#isStopping, engine: this.hub.health, memory: this.#memory };
  }

  get isDraining(): boolean {
    return this.#isStopping || this.#isDraining;
  }

  get #report() {
    const { startedAtMs, lagMs, isDraining: draining } = this;
    const name = nodeName();
    return { name, startedAtMs, lagMs, memoryBytes: this.#memory.usedBytes, draining, portGroup: name };
  }

  get #stopMs(): number {
    const { drainDelayS, drainTimeoutS } = this.#config;
    return Math.min((drainDelayS + drainTimeoutS) * 1000 + STOP_MS, LONGEST_MS);
  }

  /** Where the workers listen. */
  get address() {
    const { host, port, tls } = this.#config;
    return { hostname: host, port, apiHostname: tls?.api?.host ?? host, apiPort: tls?.api?.port ?? port };
  }

  /** The processes that the clients are with. */
  get pids(): readonly number[] {
    return this.#supervisor.pids;
  }

  /** As of `Supervisor.replace`. */
  replaceWorkers(): Promise<void> {
    return this.#supervisor.replace();
  }

  /** As of `ServerProcess.reload`, in every worker. */
  async reload(deps: Dependencies): Promise<number> {
    // The ports are those that were picked.
    const { port, tls } = this.#config;
    const held = deps.config.tls && tls && { tls: { ...deps.config.tls, ...(tls.api && { api: tls.api }) } };
    const config = { ...deps.config, port, ...held };
    const assignment = this.#assignmentOf({ ...deps, config });
    const closed = await this.#supervisor.command({ type: "reload", config: assignment.config }, assignment);
    this.#config = config;
    this.#memory.setMark(config.limits.memoryBytes);
    this.apps.configure(deps.config);
    for (const app of deps.config.apps) this.hub.replaceApp(app);
    return closed;
  }

  /** As of `ServerProcess.reloadTls`, in every worker. */
  async reloadTls(): Promise<boolean> {
    return (await this.#supervisor.command({ type: "reloadTls" })) > 0;
  }

  async appChanged(id: string): Promise<void> {
    await this.apps.changed(id);
    await this.#supervisor.command({ type: "appChanged", id });
  }

  /** As of `ServerProcess.drain`, in every worker, in those that start later as well. */
  async drain(isOn: boolean): Promise<void> {
    this.#isDraining = isOn;
    await this.#supervisor.command({ type: "drain", isOn }, { ...this.#supervisor.assignment, isDraining: isOn });
  }

  /** Its workers read them. */
  readonly outboxStates = [];

  /** Every worker tells its clients to connect again (4200), and ends when they have gone. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#supervisor.stop();
    this.isLastNode = await isLastNode(this.hub, this.#id);
    await this.#close();
  }

  async #close(): Promise<void> {
    startedServer = undefined;
    clearInterval(this.#ticking);
    await this.hub.stop();
    await this.#workerHub?.close();
  }

  /** This process is a node like the others, but without a channel in between and without clients. */
  #ownEngine({ clock, config }: Dependencies): Engine {
    const engine = workersEngine(clock, (batch) => link?.receive(batch), publishTimeouts(config));
    const link = this.#workerHub?.attach({ send: (batch) => engine.receive(batch), isListed: false });
    return engine;
  }

  #assignmentOf({ config, demoFile, dashboardKey: key }: Dependencies): Assignment {
    const { value: dashboardKey } = key;
    const isJoined = this.#workerHub !== undefined;
    const generated = {
      ...(demoFile !== undefined && { demoFile }),
      ...(dashboardKey !== undefined && { dashboardKey }),
    };
    return { config: serializeConfig(config), isJoined, isDraining: this.#isDraining, ...generated };
  }
}

interface WorkerMetricsOptions {
  /** The first process' own. */
  readonly metrics: Pick<Metrics, "read">;
  readonly read: (withinMs: number) => Promise<Readings>;
  /** How many there ought to be. */
  readonly count: number;
}

/** Less than a worker waits for the whole. */
const READ_MS = 2_000;

/** `/metrics` of all processes: asked of any worker, answered by the first process. */
class WorkerMetrics {
  readonly #options: WorkerMetricsOptions;
  /** What workers had counted that have ended. */
  #ended: Promise<Reading> = Promise.resolve([]);
  #scraping: Promise<Scraped> | undefined;

  constructor(options: WorkerMetricsOptions) {
    this.#options = options;
  }

  /** Those who ask at the same time get the same answer. */
  scrape(): Promise<Scraped> {
    this.#scraping ??= this.#scrape().finally(() => {
      this.#scraping = undefined;
    });
    return this.#scraping;
  }

  /** A worker's process is no more: its share stays. */
  addFinal(last: Reading): void {
    this.#ended = this.#ended.then(async (before) => (await merging()).mergeFinal(before, last));
  }

  async #scrape(): Promise<Scraped> {
    const { metrics, read, count } = this.#options;
    const [{ merge }, { Gauge }] = await Promise.all([merging(), import("prom-client")]);
    const [own, { now, answered }] = await Promise.all([metrics.read(), read(READ_MS)]);
    // At one moment: a worker that ends in between would count twice, or not at all.
    const [living, ended] = [now(), this.#ended];
    const registry = merge([{ worker: "first", reading: own }, ...living], await ended);
    const registers = [registry];
    new Gauge({ name: "fanfare_workers", help: "Workers that there ought to be.", registers }).set(count);
    const help = "Workers whose numbers these are; of the others they are as old as their last word.";
    new Gauge({ name: "fanfare_workers_answering", help, registers }).set(answered);
    return { type: registry.contentType, text: await registry.metrics() };
  }
}

/** Its library is loaded when the numbers are asked for. */
function merging(): Promise<typeof import("../../observers/metrics/merge.ts")> {
  return import("../../observers/metrics/merge.ts");
}
