/** Starts and stops a server in order, one step at a time: logs, storage, the serving process or its workers, the control socket. */

import type { Logger } from "pino";
import manifest from "../../package.json" with { type: "json" };
import { type ConfigInput, parseConfig } from "../config/load.ts";
import type { Config } from "../config/schema/schema.ts";
import type { App, ChannelRule } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import { type Awaitable, ignoringPublications, type Observer } from "../domain/ports.ts";
import type { Hub } from "../hub/hub.ts";
import { checkChannelName } from "../hub/limits.ts";
import { deduplicatedFaults, logObserver } from "../observers/log.ts";
import { endpointOf } from "../observers/telemetry/endpoints.ts";
import { Tasks } from "../tasks/tasks.ts";
import { DashboardKey } from "./dashboard/dashboard-key.ts";
import { Extensions, type ExtensionsHost } from "./embed/extensions.ts";
import type { WorkerInfo } from "./embed/types.ts";
import { type Implementations, isSink } from "./implementations.ts";
import { type ControlCommands, ControlSocket } from "./lifecycle/control-socket.ts";
import { appChanges, mergeReloadable, type Reloaded } from "./lifecycle/reload.ts";
import { type Stoppable, stopOnSignal } from "./lifecycle/signals.ts";
import type { LaunchOptions } from "./lifecycle/status.ts";
import { Logs } from "./log/logs.ts";
import type { Dependencies } from "./parts.ts";
import { type ServerProcess, ServingProcess } from "./serving-process.ts";
import { Storage } from "./storage/storage.ts";
import type { StorageHost } from "./storage/storage-options.ts";
import { openFileLimit } from "./system/machine.ts";
import { machineClock as clock } from "./system/machine-clock.ts";
import { InTurn } from "./system/promises.ts";
import { toListenError } from "./websocket/listen-error.ts";
import { Primary } from "./workers/primary.ts";
import { workerOf } from "./workers/worker.ts";

/** Descriptors that are not connections: listening sockets, logs, files, requests of the HTTP API. */
const RESERVED_FILES = 64;
const ROTATION_CHECK_MS = 1_000;

/** How many servers this process has made. */
let made = 0;

/** The public server object, as far as its lifecycle calls it. */
interface PublicServer extends ControlCommands, Stoppable {
  readonly url: string;
}

export class Lifecycle implements ExtensionsHost, StorageHost {
  readonly log: Logger;
  readonly launch: LaunchOptions;
  readonly extensions: Extensions;
  readonly given: Implementations;
  readonly tasks: Tasks;
  readonly dashboardKey: DashboardKey;
  readonly #server: PublicServer;
  readonly #logs: Logs;
  readonly #faults: ReturnType<typeof deduplicatedFaults>;
  readonly #observers: readonly Observer[];
  /** In the order of their making: a worker's program makes the same ones. */
  readonly #number = ++made;
  readonly #worker = workerOf(this.#number);
  #config: Config;
  #apps: readonly App[];
  #demoFile: string | undefined;
  /** Channels made before there was an app to make them in: the demo app comes with the first start. */
  #earlyChannels: ChannelRule[] = [];
  #process: ServerProcess | undefined;
  #storage: Storage | undefined;
  #control: ControlSocket | undefined;
  #ignoreSignals = () => {};
  #rotating: ReturnType<typeof setInterval> | undefined;
  readonly #steps = new InTurn();

  constructor(config: Config, launch: LaunchOptions, server: PublicServer, given: Implementations) {
    this.#config = config;
    this.#apps = config.apps;
    this.#server = server;
    this.launch = launch;
    this.given = given;
    const isForwarded = endpointOf("logs", config.telemetry) !== undefined;
    this.#logs = new Logs(config.log, clock, this.#worker?.info.index, isForwarded);
    this.log = this.#logs.logger;
    this.tasks = new Tasks(config.tasks);
    this.extensions = new Extensions(server, this, clock, given.events);
    this.dashboardKey = new DashboardKey({ config: () => this.#config, program: this.extensions, log: this.log });
    this.#faults = deduplicatedFaults(this.log);
    this.#observers = [
      logObserver(this.log, this.#faults),
      ignoringPublications((event) => this.extensions.hooks.observe(event)),
      ...(given.observers ?? []).flatMap((observer) => (isSink(observer) ? [] : observer)),
    ];
  }

  // ---- what it is

  get config(): Config {
    return this.#config;
  }

  /** Settings in code, before the start. Throws ConfigError, and an Error while the server runs. */
  configure(change: Partial<Config>): void {
    if (this.#process) throw new Error("The server is running: call this before start(), or reload().");
    this.#config = parseConfig({ ...this.#config, ...change });
    this.#logs.level = this.#config.log.level;
  }

  /** Of those that the program's provider looks up, the ones that it was asked about. */
  get apps(): readonly App[] {
    return (this.given.apps && this.#process?.apps.known) ?? this.#apps;
  }

  /** Where the generated demo app is stored, where there is one. */
  get demoFile(): string | undefined {
    return this.#demoFile;
  }

  /** Which of the workers this process is; undefined in the process that started several. A single process is a worker, too. */
  get worker(): WorkerInfo | undefined {
    return this.#worker?.info ?? (this.#config.workers > 1 ? undefined : { index: 0, count: 1 });
  }

  get isPrimary(): boolean {
    return this.#worker === undefined;
  }

  get maxConnections(): number {
    const each = Math.max(1, Math.min(this.#config.limits.connections, openFileLimit() - RESERVED_FILES));
    return this.isPrimary ? each * this.#config.workers : each;
  }

  /** Throws where the server does not run. */
  get process(): ServerProcess {
    if (!this.#config.enabled) throw new Error("The server is disabled: `enabled` is false in its configuration.");
    if (!this.#process) throw new Error("The server is not running: call start() first.");
    return this.#process;
  }

  connection(app: string, id: string): Connection | undefined {
    return this.#process?.hub.connection({ id: app }, id);
  }

  failed(error: unknown, during: string): void {
    const [log, ...others] = [...this.#observers, ...(this.#storage?.observers ?? [])];
    log?.({ type: "failed", error, during });
    for (const observe of others) {
      try {
        observe({ type: "failed", error, during });
      } catch (another) {
        log?.({ type: "failed", error: another, during: "observing failed" });
      }
    }
  }

  // ---- what the storage asks

  knownApp(id: string): App | undefined {
    return this.#apps.find((app) => app.id === id) ?? this.#process?.apps.knownById(id);
  }

  findApp(id: string): Awaitable<App | undefined> {
    return this.#process?.apps.byId(id) ?? this.#apps.find((app) => app.id === id);
  }

  get hub(): Hub | undefined {
    return this.#process?.hub;
  }

  get nodeState(): StorageHost["nodeState"] {
    const { lagMs = 0, readyState, address } = this.#process ?? {};
    return { lagMs, draining: readyState?.isDraining ?? false, port: address?.port };
  }

  get outboxes(): StorageHost["outboxes"] {
    return this.#process?.outboxStates ?? [];
  }

  appsChanged(): void {
    if (this.#process) this.reload(this.#config).catch((error) => this.failed(error, "taking over changed apps"));
  }

  // ---- what the program may do at any time

  /** Of the first app. Throws CommandError `channel_invalid`. */
  createChannel(rule: ChannelRule): void {
    const [app] = this.#apps;
    if (!app) {
      this.#earlyChannels.push(rule);
      return;
    }
    checkChannelName(app, rule.match);
    if (this.#process) this.#process.hub.overrideChannel(app, rule.match, rule);
    else this.extensions.channels.override(app, rule);
  }

  reopenLogs(): void {
    this.#logs.reopen();
  }

  // ---- steps, one after the other

  start(): Promise<void> {
    return this.#steps.run(() => (this.#worker ? this.#worker.start(() => this.#start()) : this.#start()));
  }

  async #start(): Promise<void> {
    if (this.#process) return;
    if (!this.#config.enabled) {
      this.log.info("disabled by `enabled`: nothing is started");
      return;
    }
    this.#logs.open();
    this.tasks.start();
    const assigned = await this.#worker?.assigned();
    if (assigned) this.#config = assigned.config;
    this.dashboardKey.take(assigned?.dashboardKey);
    const storage = await this.#openStorage();
    this.#logs.forwardTo(storage.telemetry?.logs?.write);
    try {
      const { config, demoFile } = assigned ?? (await storage.withApps(this.#config));
      this.#apps = config.apps;
      this.#demoFile = demoFile;
      for (const rule of this.#earlyChannels.splice(0)) this.createChannel(rule);
      this.#process = await this.#run(this.#dependencies(config, storage));
    } catch (error) {
      await storage.close(false);
      throw await toListenError(error, this.#config);
    }
    this.#storage = storage;
    await this.#started();
  }

  /** The parts are up: what happens around them begins. */
  async #started(): Promise<void> {
    const { worker } = this;
    // Workers write to the same files, and leave it to the first process to rotate them.
    if (!worker && this.#logs.hasFiles) this.#rotating = setInterval(() => this.#logs.rotateIfDue(), ROTATION_CHECK_MS);
    this.log.info({ url: this.#server.url, apps: this.#apps.length }, "listening");
    if (worker) this.extensions.hooks.started(worker);
    if (!this.isPrimary) return;
    if (this.launch.handleSignals) this.#ignoreSignals = stopOnSignal(this.#server);
    this.#control = await ControlSocket.openIfWanted(this.#config, this.#server, this.log);
  }

  #run(deps: Dependencies): Promise<ServerProcess> {
    if (this.#worker) return this.#worker.run(deps, this);
    return deps.config.workers > 1 ? Primary.start(deps, this.#number) : ServingProcess.start(deps);
  }

  stop(): Promise<void> {
    return this.#steps.run(() => this.#stop());
  }

  async #stop(): Promise<void> {
    if (!this.#process) return;
    const deadlineMs = clock.monotonicMs() + this.#config.drainTimeoutS * 1000;
    if (this.worker) this.extensions.hooks.stopping(this.worker);
    await this.#process.stop();
    await this.#storage?.close(this.isPrimary && this.#process.isLastNode);
    this.#logs.forwardTo(undefined);
    this.#storage = undefined;
    await this.#control?.close();
    this.#control = undefined;
    this.#process = undefined;
    await this.tasks.stop(deadlineMs - clock.monotonicMs());
    this.#faults.flush();
    this.#ignoreSignals();
    clearInterval(this.#rotating);
    this.log.info("stopped");
    this.#logs.close();
    await this.#worker?.end();
  }

  /** Without settings, with those of the launch's source, or those there are. */
  reload(settings?: ConfigInput): Promise<Reloaded> {
    return this.#steps.run(async () =>
      this.#reload(parseConfig(settings ?? (await this.launch.source?.()) ?? this.#config)),
    );
  }

  async #reload(settings: Config): Promise<Reloaded> {
    const running = this.#process;
    const storage = this.#storage;
    if (!running || !storage) throw new Error("The server is not running: there is nothing to reload.");
    const { config: wanted, applied, needsRestart } = mergeReloadable(this.#config, settings);
    const isGiven = this.#worker !== undefined;
    const { config, demoFile } = isGiven
      ? { config: wanted, demoFile: this.#demoFile }
      : await storage.withApps(wanted);
    const { now, ...apps } = appChanges(this.#apps, config.apps);
    const before = { config: this.#config, apps: this.#apps, demoFile: this.#demoFile };
    this.#apply({ config: wanted, apps: now, demoFile });
    this.#logs.reopen();
    let closed: number;
    try {
      closed = await running.reload(this.#dependencies({ ...config, apps: now }, storage));
    } catch (error) {
      this.#apply(before);
      throw error;
    }
    const answer: Reloaded = { applied, needsRestart, apps, closed };
    this.log.info(answer, "reloaded");
    return answer;
  }

  /** These count from now on, as far as this process goes by them itself. */
  #apply({ config, apps, demoFile }: { config: Config; apps: readonly App[]; demoFile: string | undefined }): void {
    this.#config = config;
    this.#apps = apps;
    this.#demoFile = demoFile;
    this.#logs.level = config.log.level;
  }

  reloadTls(): Promise<boolean> {
    return this.#process?.reloadTls() ?? Promise.resolve(false);
  }

  async replaceWorkers(): Promise<void> {
    await this.#process?.replaceWorkers?.();
  }

  // ---- what the parts are built from

  #openStorage(): Promise<Storage> {
    const { log, given, isPrimary: keepsApps } = this;
    return Storage.open({
      ...{ host: this, config: this.#config, log, clock, version: manifest.version, given, keepsApps },
    });
  }

  #dependencies(config: Config, storage: Storage): Dependencies {
    const { log, maxConnections, extensions, dashboardKey } = this;
    return {
      ...{ config, log, clock, maxConnections, extensions, storage, dashboardKey },
      ...{ demoFile: this.#demoFile, given: this.given },
      observers: [...this.#observers, ...storage.observers],
      scrape: () => (this.#worker ?? storage.metrics).scrape(),
    };
  }
}
