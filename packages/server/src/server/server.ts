/** The server: builds its parts, wires them, listens, and stops without losing anybody's message. */

import type { Logger } from "pino";
import manifest from "../../package.json" with { type: "json" };
import { type ChannelOptions, parseChannel } from "../config/channel-options.ts";
import { type ConfigInput, parseConfig } from "../config/load.ts";
import type { Config } from "../config/schema/schema.ts";
import type { App } from "../domain/app.ts";
import type { User } from "../domain/message.ts";
import type { Observer } from "../domain/ports.ts";
import { tokenGuard } from "../guards/token.ts";
import { Channels } from "../hub/channels.ts";
import type { Hub } from "../hub/hub.ts";
import { checkChannelName } from "../hub/limits.ts";
import { faultsFor, logObserver } from "../observers/log.ts";
import type { AnyModule, Given, InputOf, OutputOf, TaskModule } from "../tasks/module.ts";
import { type TaskOptions, Tasks } from "../tasks/tasks.ts";
import { AppHandle } from "./embed/app-handle.ts";
import { authenticate, authenticateHandshake } from "./embed/authenticator.ts";
import { EventHandlers } from "./embed/event-handlers.ts";
import { Extensions } from "./embed/extensions.ts";
import { Front, type Place } from "./embed/front.ts";
import { Hooks } from "./embed/hooks.ts";
import type {
  AnyEvents,
  Authenticator,
  ChannelFilter,
  EventName,
  Handler,
  HookAliases,
  HookName,
  HookTypes,
  Pushable,
  ResolvedHook,
} from "./embed/types.ts";
import { ControlSocket } from "./lifecycle/control-socket.ts";
import { appChanges, mergeReloadable, type Reloaded } from "./lifecycle/reload.ts";
import { stopOnSignal } from "./lifecycle/signals.ts";
import { type LaunchOptions, type Stats, type Status, serverStats, serverStatus } from "./lifecycle/status.ts";
import { Logs } from "./log/logs.ts";
import { type Dependencies, RunningServer } from "./running.ts";
import { Storage } from "./storage.ts";
import { openFileLimit } from "./system/file-limit.ts";
import { machineClock as clock } from "./system/machine-clock.ts";
import { toListenError } from "./websocket/listen-error.ts";
import type { WorkerInfo } from "./workers/ipc-messages.ts";
import { Primary } from "./workers/primary.ts";
import { workerOf } from "./workers/worker.ts";

/** Descriptors that are not connections: listening sockets, logs, files, requests of the HTTP API. */
const RESERVED_FILES = 64;
const TEND_MS = 1_000;

/** How many servers this process has made. */
let made = 0;

export class Server<E extends object = AnyEvents, U extends User = User> extends Front<E, U> {
  readonly log: Logger;
  readonly #logs: Logs;
  readonly #tasks: Tasks;
  readonly #handlers: EventHandlers;
  readonly #hooks: Hooks;
  readonly #faults: ReturnType<typeof faultsFor>;
  readonly #observers: readonly Observer[];
  readonly #launch: LaunchOptions;
  #control: ControlSocket | undefined;
  #ignoreSignals = () => {};
  protected readonly program: Extensions;
  #authenticator: Authenticator | undefined;
  /** What the program made of its channels; the hub is another after each start. */
  readonly #channels = new Channels();
  /** Channels made before there was an app to make them in. */
  readonly #early: (() => void)[] = [];
  #config: Config;
  #apps: readonly App[];
  #demoFile: string | undefined;
  #running: RunningServer | Primary | undefined;
  #records: Storage | undefined;
  /** In the order of their making: a worker's program makes the same ones. */
  readonly #number = ++made;
  readonly #worker = workerOf(this.#number);
  /** Workers leave it to the first process, which may have nothing to say for days, to put their log files aside. */
  #tending: ReturnType<typeof setInterval> | undefined;
  /** The start or stop that is under way. */
  #turn: Promise<void> = Promise.resolve();

  constructor(config: Config, launch: LaunchOptions = {}) {
    super();
    this.#config = config;
    this.#launch = launch;
    this.#apps = config.apps;
    this.#logs = new Logs(config.log, clock, this.#worker?.place.index);
    this.log = this.#logs.logger;
    this.#tasks = new Tasks(config.tasks);
    this.#faults = faultsFor(this.log);
    this.#observers = [logObserver(this.log, this.#faults), (event) => this.#hooks.observe(event)];
    const failed = (error: unknown, during: string) => this.#fail(error, during);
    this.program = new Extensions({ server: this, config: () => this.config, log: this.log, clock, failed });
    this.#hooks = new Hooks({
      failed,
      connection: (app, id) => this.#running?.hub?.connection({ id: app }, id),
    });
    this.#handlers = new EventHandlers(this.#hooks);
  }

  // ---- life

  /**
   * Listens, unless the configuration disables it. Throws ConfigError, or an Error with code EADDRINUSE or EACCES.
   * Idempotent; a server that was stopped can start again.
   */
  start(): Promise<void> {
    return this.#inTurn(() => (this.#worker ? this.#worker.start(() => this.#start()) : this.#start()));
  }

  async #start(): Promise<void> {
    if (this.#running) return;
    if (!this.config.enabled) {
      this.log.info("disabled by `enabled`: nothing is started");
      return;
    }
    this.#logs.open();
    this.#tasks.start();
    const assigned = await this.#worker?.assigned();
    if (assigned) this.#config = assigned.config;
    this.program.dashboardKey.take(assigned?.dashboardKey);
    const records = await this.#openRecords();
    try {
      const { config, demoFile } = assigned ?? (await records.withApps(this.config));
      this.#apps = config.apps;
      this.#demoFile = demoFile;
      for (const make of this.#early.splice(0)) make();
      this.#running = await this.#run(this.#surroundings(config, records));
    } catch (error) {
      await records.close(false);
      throw await toListenError(error, this.config);
    }
    this.#records = records;
    if (this.#running instanceof Primary) this.#tending = setInterval(() => this.#logs.rotateIfDue(), TEND_MS);
    this.log.info({ url: this.url, apps: this.#apps.length }, "listening");
    if (this.worker) this.#hooks.started(this.worker);
    if (!this.isPrimary) return;
    if (this.#launch.handleSignals) this.#ignoreSignals = stopOnSignal(this);
    this.#control = await ControlSocket.openIfWanted(this.config, this, this.log);
  }

  #run(around: Dependencies): Promise<RunningServer | Primary> {
    if (this.#worker) {
      const reload = async (config: Config) => (await this.reload(config)).closed;
      return this.#worker.run(around, { reload, reloadTls: () => this.reloadTls(), stop: () => this.stop() });
    }
    return around.config.workers > 1 ? Primary.start(around, this.#number) : RunningServer.start(around);
  }

  /** Refuses new clients, tells the others to come back (4200), waits for them to go, then closes. Idempotent. */
  stop(): Promise<void> {
    return this.#inTurn(() => this.#stop());
  }

  /**
   * Reads the certificates again, as the server does by itself once in `tls.watchS`. New clients get the new ones; nobody
   * is disconnected. Whether anything was new. Throws ConfigError where they cannot be used; then the old ones stay.
   */
  reloadTls(): Promise<boolean> {
    return this.#running?.reloadTls() ?? Promise.resolve(false);
  }

  /**
   * Lets other settings count without losing a connection that does not have to go; without an argument, those of the launch's
   * `source`, or those there are. In any case with certificates read and log files opened anew. What can only count after a restart stays as it is, and is named in the answer.
   * Throws ConfigError, and then nothing is another; Error where the server does not run.
   */
  reload(settings?: ConfigInput): Promise<Reloaded> {
    return this.#inTurn(async () =>
      this.#reload(parseConfig(settings ?? (await this.#launch.source?.()) ?? this.#config)),
    );
  }

  async #reload(settings: Config): Promise<Reloaded> {
    const running = this.#running;
    if (!running) throw new Error("The server is not running: there is nothing to reload.");
    const { config: wanted, applied, needsRestart } = mergeReloadable(this.#config, settings);
    const records = this.#worker ? undefined : this.#records;
    const { config, demoFile } = (await records?.withApps(wanted)) ?? { config: wanted, demoFile: this.#demoFile };
    const { now, ...apps } = appChanges(this.#apps, config.apps);
    const before = { config: this.#config, apps: this.#apps, demoFile: this.#demoFile };
    this.#count({ config: wanted, apps: now, demoFile });
    this.#logs.reopen();
    let closed: number;
    try {
      closed = await running.reload(this.#surroundings({ ...config, apps: now }));
    } catch (error) {
      this.#count(before);
      throw error;
    }
    const answer: Reloaded = { applied, needsRestart, apps, closed };
    this.log.info(answer, "reloaded");
    return answer;
  }

  /** These count from now on, as far as this process goes by them itself. */
  #count({ config, apps, demoFile }: { config: Config; apps: readonly App[]; demoFile: string | undefined }): void {
    this.#config = config;
    this.#apps = apps;
    this.#demoFile = demoFile;
    this.#logs.level = config.log.level;
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(step);
    this.#turn = Promise.allSettled([turn]).then(() => {});
    return turn;
  }

  async #stop(): Promise<void> {
    if (!this.#running) return;
    const deadlineMs = clock.monotonicMs() + this.config.drainTimeoutS * 1000;
    if (this.worker) this.#hooks.stopping(this.worker);
    await this.#running.stop();
    await this.#records?.close(this.isPrimary && this.#running.isLastNode);
    this.#records = undefined;
    await this.#control?.close();
    this.#control = undefined;
    this.#running = undefined;
    await this.#tasks.stop(deadlineMs - clock.monotonicMs());
    this.#faults.flush();
    this.#ignoreSignals();
    clearInterval(this.#tending);
    this.log.info("stopped");
    this.#logs.close();
    await this.#worker?.end();
  }

  /** As of `Supervisor.replace`: swaps the workers one by one. Nothing with a single process, and in a worker. */
  async replaceWorkers(): Promise<void> {
    if (this.#running instanceof Primary) await this.#running.replaceWorkers();
  }

  /** Sends whoever is here, and whoever comes, to other nodes (4200), until `drain(false)`. Throws where it does not run. */
  async drain(isOn = true): Promise<void> {
    await this.#runningNow().drain(isOn);
  }

  /** For log files that were renamed: the next line is in a new file of the old name. */
  reopenLogs(): void {
    this.#logs.reopen();
  }

  /** How it is, and what it runs as. Throws where it does not run. */
  async status(): Promise<Status> {
    return serverStatus(this.#runningNow(), { config: this.#config, place: this, launch: this.#launch });
  }

  /** Who is in which channel, in the whole cluster: of all apps, or of one by id or key. Throws where there is none such. */
  async stats(app?: string): Promise<Stats> {
    const apps = app === undefined ? this.#apps : [this.app(app).app];
    return serverStats(this.#runningNow().hub, apps, app === undefined);
  }

  // ---- where it is

  /** Which of the workers this process is; undefined in the process that started several. A single process is a worker, too. */
  get worker(): WorkerInfo | undefined {
    return this.#worker?.place ?? (this.config.workers > 1 ? undefined : { index: 0, count: 1 });
  }

  /** Whether this is the process that was started, and not one of its workers: for what has to be done once. */
  get isPrimary(): boolean {
    return this.#worker === undefined;
  }

  /** What it runs with. */
  get config(): Config {
    return this.#config;
  }

  protected get place(): Place {
    return this.#now().listener;
  }

  protected configure(change: Partial<Config>): void {
    if (this.#running) throw new Error("The server is running: call this before start(), or reload().");
    this.#config = parseConfig({ ...this.#config, ...change });
    this.#logs.level = this.#config.log.level;
  }

  /** As many as are configured, or as the system's limit of open files leaves room for; of several workers, of all together. */
  get maxConnections(): number {
    const each = Math.max(1, Math.min(this.config.limits.connections, openFileLimit() - RESERVED_FILES));
    return this.isPrimary ? each * this.config.workers : each;
  }

  get apps(): readonly App[] {
    return this.#apps;
  }

  /** Where the generated demo app is kept, where there is one. */
  get demoFile(): string | undefined {
    return this.#demoFile;
  }

  // ---- what a program does with it

  /** One app, by id or key; without a name, the first. */
  app(idOrKey?: string): AppHandle<E, U> {
    const { hub } = this.#now();
    const app = this.#apps.find(({ id, key }) => idOrKey === undefined || id === idOrKey || key === idOrKey);
    if (!app) throw new Error(`There is no app ${JSON.stringify(idOrKey)}.`);
    return new AppHandle(hub, app);
  }

  /** As of a tenancy; before `start()` as well. */
  createChannel(name: string, options: ChannelOptions = {}): this {
    const rule = parseChannel(name, options);
    this.#withApp((app) => {
      checkChannelName(app, name);
      if (this.#running) this.#running.hub.overrideChannel(app, name, rule);
      else this.#channels.override(app, rule);
    });
    return this;
  }

  /** Of any app, as the following two. */
  isEstablished(id: string): boolean {
    return this.#appOf(id).isEstablished(id);
  }

  push(id: string, payload: Pushable<E>): boolean {
    return this.#appOf(id).push(id, payload);
  }

  disconnect(id: string, message?: string): boolean {
    return this.#appOf(id).disconnect(id, message);
  }

  /** Answers native clients' custom events of this name; `*` those that nothing else handles. */
  handle<Name extends EventName<E>>(event: Name, handler: Handler<E[Name], U>): this;
  handle(event: "*", handler: Handler<unknown, U>): this;
  handle(event: string, handler: Handler<never, U>): this {
    this.#handlers.set(event, handler as Handler);
    return this;
  }

  /**
   * Calls the listener whenever that happens, in every app, until the function that this returns is called. With a
   * channel, by its name or by a pattern, only for that one. Throws TypeError where there is no such hook.
   */
  on<Name extends HookName | keyof HookAliases>(
    name: Name,
    listener: HookTypes<E, U>[ResolvedHook<Name>],
    ...[channel]: ChannelFilter<Name>
  ): () => void {
    return this.#hooks.on<ResolvedHook<Name>>(
      name as ResolvedHook<Name>,
      listener as HookTypes[ResolvedHook<Name>],
      channel,
    );
  }

  /**
   * Says who clients are: those that `authenticate` with anything but a valid JWT, and those that come with such a token.
   * Without one, or after `setAuthenticator(undefined)`, only JWTs and signatures count.
   */
  setAuthenticator(authenticator: Authenticator<U> | undefined): this {
    this.#authenticator = authenticator;
    return this;
  }

  /**
   * Runs a module's default export, or a function that needs nothing from around it, in a thread. Both ways only data is
   * copied. Resolves with what it returns; rejects with what it throws, or with TaskError. Name the module's type for the
   * compiler: `server.task<typeof import("./resize.ts")>(new URL("./resize.ts", import.meta.url), input)`.
   */
  task<M extends TaskModule = AnyModule>(module: URL | string, ...given: InputOf<M>): Promise<OutputOf<M>>;
  task<Input, Output>(run: (input: Input) => Output, ...given: Given<Input>): Promise<Awaited<Output>>;
  task(task: unknown, input?: unknown, options?: TaskOptions): Promise<unknown> {
    return this.#tasks.run(task, input, options);
  }

  #fail(error: unknown, during: string): void {
    for (const observe of [...this.#observers, ...(this.#records?.observers ?? [])])
      observe({ type: "failed", error, during });
  }

  /** The app that has the connection; where none has, any will do to say so. */
  #appOf(connection: string): AppHandle<E, U> {
    return this.app(this.#apps.find(({ id }) => this.#running?.hub?.connection({ id }, connection))?.id);
  }

  /** The demo app comes with the first start. */
  #withApp(act: (app: App) => void): void {
    const [app] = this.#apps;
    if (app) act(app);
    else this.#early.push(() => this.#withApp(act));
  }

  #now(): { listener: Place; hub: Hub } {
    if (!this.config.enabled) throw new Error("The server is disabled: `enabled` is false in its configuration.");
    return this.#runningNow();
  }

  #runningNow(): RunningServer | Primary {
    if (!this.#running) throw new Error("The server is not running: call start() first.");
    return this.#running;
  }

  #openRecords(): Promise<Storage> {
    const { config, log } = this;
    return Storage.open({
      config,
      log,
      clock,
      version: manifest.version,
      failed: (error, during) => this.#fail(error, during),
      keepsApps: !this.#worker,
      app: (id) => this.#apps.find((app) => app.id === id),
      hub: () => this.#running?.hub,
      node: () => {
        const { lagMs = 0, condition, listener } = this.#running ?? {};
        return { lagMs, draining: condition?.isDraining ?? false, port: listener?.port };
      },
      changed: () => {
        if (this.#running) this.reload(this.#config).catch((error) => this.#fail(error, "taking over changed apps"));
      },
    });
  }

  #surroundings(config: Config, records = this.#records): Dependencies {
    return {
      config,
      log: this.log,
      clock,
      maxConnections: this.maxConnections,
      demoFile: this.#demoFile,
      channels: this.#channels,
      observers: [...this.#observers, ...(records?.observers ?? [])],
      ...(records && { records, traffic: records.traffic, scrape: () => (this.#worker ?? records.metrics).scrape() }),
      tokens: tokenGuard({
        hasMore: () => this.#authenticator !== undefined,
        authenticate: (app, credentials) =>
          this.#authenticator && authenticateHandshake(this.#authenticator, app, credentials),
      }),
      hooks: this.#hooks.guard,
      program: this.program,
      handleCall: (connection, event, data) => this.#handlers.call(connection, event, data),
      authorize: (connection, channel) => this.#hooks.authorize(connection, channel),
      authenticate: (app, credentials) => this.#authenticator && authenticate(this.#authenticator, app, credentials),
    };
  }
}
