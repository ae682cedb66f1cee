/** The server as the program that embeds it has it: its public API. What it does is elsewhere, most of all in `lifecycle.ts`. */

import type { AnyDeclaration, CallName, ChannelName, Declaration } from "@fanfare/schema";
import type { Logger } from "pino";
import type { AuthorizeDashboard } from "../admin/sessions.ts";
import { type ChannelOptions, parseChannel } from "../config/channel-options.ts";
import type { ConfigInput } from "../config/load.ts";
import type { Config } from "../config/schema/schema.ts";
import type { App } from "../domain/app.ts";
import type { User } from "../domain/message.ts";
import type { ClusterShares, NodeState } from "../domain/ports.ts";
import type { AnyModule, Given, InputOf, OutputOf, TaskModule, TaskOptions } from "../tasks/tasks.ts";
import { clusterShares } from "./cluster/cluster-shares.ts";
import { AppHandle, type ChannelStats, type PresenceList } from "./embed/app-handle.ts";
import type { ChannelHandle } from "./embed/channel-handle.ts";
import type { ChannelSubscription, Subscribing } from "./embed/channel-subscription.ts";
import type { Connections } from "./embed/connections.ts";
import type { Context, Contexts, Middleware } from "./embed/middleware.ts";
import type { ConnectionTarget, Target } from "./embed/targets.ts";
import type {
  Authenticator,
  CallHandler,
  ChannelFilter,
  ChannelPush,
  Handler,
  HookAliases,
  HookName,
  HookTypes,
  ResolvedHook,
  UserPush,
  WorkerInfo,
} from "./embed/types.ts";
import type { UserHandle } from "./embed/user-handle.ts";
import { type Controller, type ControllerClass, definitionOf } from "./endpoints/controller.ts";
import type { Endpoint, EndpointDefinition, EndpointOptions } from "./endpoints/endpoint.ts";
import type { FetchHandler } from "./http/router.ts";
import type { Implementations } from "./implementations.ts";
import type { Reloaded } from "./lifecycle/reload.ts";
import { type LaunchOptions, type Stats, type Status, serverStats, serverStatus } from "./lifecycle/status.ts";
import { Lifecycle } from "./lifecycle.ts";
import { dashboardUrl, urlOf } from "./serving-process.ts";

export class Server<D extends Declaration = AnyDeclaration, U extends User = User> {
  readonly #lifecycle: Lifecycle;

  constructor(config: Config, launch: LaunchOptions = {}, given: Implementations = {}) {
    this.#lifecycle = new Lifecycle(config, launch, this, given);
  }

  get log(): Logger {
    return this.#lifecycle.log;
  }

  // ---- start, stop, reload

  /** Listens, unless it is disabled. Throws ConfigError, or an Error: EADDRINUSE, EACCES. Idempotent; it may follow a stop. */
  start(): Promise<void> {
    return this.#lifecycle.start();
  }

  /** Refuses new clients, tells the others to connect again (4200), waits for them to go, then closes. Idempotent. */
  stop(): Promise<void> {
    return this.#lifecycle.stop();
  }

  /**
   * Reads the certificates again, as the server does by itself once in `tls.watchS`. New clients get the new ones; no client
   * is disconnected. Whether anything was new. Throws ConfigError where they cannot be used; then the old ones stay.
   */
  reloadTls(): Promise<boolean> {
    return this.#lifecycle.reloadTls();
  }

  /**
   * Applies other settings without losing a connection that does not have to go; without an argument, those of the launch's
   * `source`, or those there are. Certificates are read again and log files opened again in any case. What needs a restart
   * stays as it is, and is named in the answer. Throws ConfigError, and then nothing has changed; Error where it does not run.
   */
  reload(settings?: ConfigInput): Promise<Reloaded> {
    return this.#lifecycle.reload(settings);
  }

  /**
   * Call it when an app that the program's provider looks up has changed: the provider is asked again at once, and the
   * connections of an app that is disabled or gone are closed. In the process that started workers it counts for all of them;
   * other servers of a cluster are told by their own programs, or ask again after `cacheS`. Rejects with what the provider
   * throws, and throws where the server does not run.
   */
  async appChanged(id: string): Promise<void> {
    await this.#lifecycle.process.appChanged(id);
  }

  /** Swaps the workers one by one, each when the new one listens. Does nothing with a single process, and in a worker. */
  replaceWorkers(): Promise<void> {
    return this.#lifecycle.replaceWorkers();
  }

  /** Sends clients that are here, and those that come, to other nodes (4200), until `drain(false)`. Throws where it does not run. */
  async drain(isOn = true): Promise<void> {
    await this.#lifecycle.process.drain(isOn);
  }

  /** Has all nodes that have more connections than their even share ask some to come back (4200). Throws as `nodes()` does. */
  rebalance(): Promise<ClusterShares> {
    return clusterShares(this.#lifecycle.process.hub, true);
  }

  /** For log files that were renamed: the next line is in a new file of the old name. */
  reopenLogs(): void {
    this.#lifecycle.reopenLogs();
  }

  /** How it is, and what it runs as. Throws where it does not run. */
  async status(): Promise<Status> {
    return serverStatus(this.#lifecycle.process, this.#lifecycle, this);
  }

  /** How many are in which channel, in the whole cluster: of all apps, or of one by id or key. Throws where there is none such. */
  async stats(app?: string): Promise<Stats> {
    const apps = app === undefined ? this.apps : [this.app(app).app];
    return serverStats(this.#lifecycle.process.hub, apps, app === undefined);
  }

  /** All nodes of the cluster, this one included, as they last said they are. */
  async nodes(): Promise<readonly NodeState[]> {
    return this.#lifecycle.process.hub.nodes();
  }

  // ---- what it runs with, and where

  get config(): Config {
    return this.#lifecycle.config;
  }

  get apps(): readonly App[] {
    return this.#lifecycle.apps;
  }

  /** Where the generated demo app is stored, where there is one. */
  get demoFile(): string | undefined {
    return this.#lifecycle.demoFile;
  }

  /** Which of the workers this process is; undefined in the process that started several. A single process is a worker, too. */
  get worker(): WorkerInfo | undefined {
    return this.#lifecycle.worker;
  }

  /** Whether this is the process that was started, and not one of its workers: for what has to be done once. */
  get isPrimary(): boolean {
    return this.#lifecycle.isPrimary;
  }

  /** As many as are configured, or as the system's limit of open files leaves room for; of several workers, of all together. */
  get maxConnections(): number {
    return this.#lifecycle.maxConnections;
  }

  get url(): string {
    return urlOf(this.#lifecycle.process.address, this.config);
  }

  /** Where API calls go: the same, unless they have a port of their own (`tls.api`). */
  get apiUrl(): string {
    const { apiHostname: hostname, apiPort: port } = this.#lifecycle.process.address;
    return urlOf({ hostname, port }, this.config);
  }

  get port(): number {
    return this.#lifecycle.process.address.port;
  }

  /**
   * Where the dashboard is. In development, where no accounts are configured, with the key that signs one in: for the person
   * who started the server, and not for a page or a log that others see. Undefined where there is no dashboard.
   */
  get dashboardUrl(): string | undefined {
    const { config, dashboardKey } = this.#lifecycle;
    return config.dashboard.enabled ? dashboardUrl(this.url, config, dashboardKey.value) : undefined;
  }

  // ---- single settings, before it starts; each throws ConfigError, and an Error while the server runs

  /** `limits.connections`, of each process. */
  setMaxClients(most: number): this {
    this.#lifecycle.configure({ limits: { ...this.config.limits, connections: most } });
    return this;
  }

  /** `activityTimeoutS`: silence after which either side asks whether the other is there. */
  setPingInterval(seconds: number): this {
    this.#lifecycle.configure({ activityTimeoutS: seconds });
    return this;
  }

  /** `log.level`: messages are logged, with their secrets masked. */
  enableDebug(): this {
    this.#lifecycle.configure({ log: { ...this.config.log, level: "debug" } });
    return this;
  }

  /** One app, by id or key; without a name, the first. */
  app(idOrKey?: string): AppHandle<D, U> {
    const { hub } = this.#lifecycle.process;
    const app = idOrKey === undefined ? this.apps[0] : this.apps.find(({ id, key }) => [id, key].includes(idOrKey));
    if (!app) throw new Error(`There is no app ${JSON.stringify(idOrKey)}.`);
    return new AppHandle(hub, app);
  }

  /** As of an app; before `start()` as well. */
  createChannel(name: string, options: ChannelOptions = {}): this {
    this.#lifecycle.createChannel(parseChannel(name, options));
    return this;
  }

  /** Of any app, as the following two. */
  isEstablished(id: string): boolean {
    return this.#appOf(id).isEstablished(id);
  }

  push(id: string, payload: UserPush<D>): boolean {
    return this.#appOf(id).push(id, payload);
  }

  disconnect(id: string, message?: string): boolean {
    return this.#appOf(id).disconnect(id, message);
  }

  /** The app that has the connection; where none has, any will do to say so. */
  #appOf(connection: string): AppHandle<D, U> {
    return this.app(this.apps.find(({ id }) => this.#lifecycle.connection(id, connection))?.id);
  }

  toChannel<N extends ChannelName<D>>(name: N): Target<ChannelPush<D, N>> {
    return this.app().toChannel(name);
  }

  toUser(id: string | number): Target<UserPush<D>> {
    return this.app().toUser(id);
  }

  toConnection(id: string): ConnectionTarget<UserPush<D>> {
    return this.app().toConnection(id);
  }

  connection(id: string): ConnectionTarget<UserPush<D>> {
    return this.app().connection(id);
  }

  user(id: string | number): UserHandle<D> {
    return this.app().user(id);
  }

  channels(prefix?: string): ReturnType<AppHandle["channels"]> {
    return this.app().channels(prefix);
  }

  channel<N extends ChannelName<D>>(name: N): ChannelHandle<D, N> {
    return this.app().channel(name);
  }

  subscribe<N extends ChannelName<D>>(...asked: Subscribing<D, N>): Promise<ChannelSubscription> {
    return this.app().subscribe(...asked);
  }

  history(...query: Parameters<AppHandle["history"]>): ReturnType<AppHandle["history"]> {
    return this.app().history(...query);
  }

  purgeHistory(...range: Parameters<AppHandle["purgeHistory"]>): ReturnType<AppHandle["purgeHistory"]> {
    return this.app().purgeHistory(...range);
  }

  members(name: string): ReturnType<AppHandle["members"]> {
    return this.app().members(name);
  }

  removeChannel(name: string): boolean {
    return this.app().removeChannel(name);
  }

  broadcast(payload: UserPush<D>): Promise<void>;
  broadcast<N extends ChannelName<D>>(payload: ChannelPush<D, N>, channel: N): Promise<void>;
  broadcast(payload: unknown, channel?: string): Promise<void> {
    const app: AppHandle = new AppHandle(this.#lifecycle.process.hub, this.app().app);
    return channel === undefined ? app.broadcast(payload) : app.broadcast(payload, channel);
  }

  getPresence(channel: string): Promise<PresenceList> {
    return this.app().getPresence(channel);
  }

  getChannelStats(name: string): Promise<ChannelStats> {
    return this.app().getChannelStats(name);
  }

  getChannels(): Promise<readonly ChannelStats[]> {
    return this.app().getChannels();
  }

  get connections(): Connections<U> {
    return this.app().connections;
  }

  // ---- what the program adds; also while the server runs

  /** Answers native clients' custom events of this name; `*` those that nothing else handles. */
  handle<C extends CallName<D>>(event: C, handler: CallHandler<D, C, U>): this;
  handle(event: "*", handler: Handler<unknown, U>): this;
  handle(event: string, handler: Handler<never, U>): this {
    this.#lifecycle.extensions.handlers.set(event, handler as Handler);
    return this;
  }

  /**
   * Calls the listener whenever that happens, in every app, until the function that this returns is called. With a
   * channel, by its name or by a pattern, only for that one. Throws TypeError where there is no such hook.
   */
  on<Name extends HookName | keyof HookAliases>(
    name: Name,
    listener: HookTypes<D, U>[ResolvedHook<Name>],
    ...[channel]: ChannelFilter<Name>
  ): () => void {
    const { hooks } = this.#lifecycle.extensions;
    return hooks.on<ResolvedHook<Name>>(name as ResolvedHook<Name>, listener as HookTypes[ResolvedHook<Name>], channel);
  }

  /**
   * Says who clients are: those that `authenticate` with anything but a valid JWT, and those that come with such a token.
   * Without one, or after `setAuthenticator(undefined)`, only JWTs and signatures count.
   */
  setAuthenticator(authenticator: Authenticator<U> | undefined): this {
    this.#lifecycle.extensions.authenticator = authenticator;
    return this;
  }

  /**
   * Passes every HTTP request that is none of the server's own (`/apps/…`, `/health`) to this handler, instead of the page
   * for newcomers; none, after `mount(undefined)`.
   */
  mount(handler: FetchHandler<this> | undefined): this {
    this.#lifecycle.extensions.fetch = handler as FetchHandler | undefined;
    return this;
  }

  /**
   * Says of each request whether its sender may see the dashboard, and as what: "view", "operate", "admin", `{ name, role }` or
   * false. Then it alone decides: passwords and tokens of the configuration sign no one in.
   */
  authorizeDashboard(authorize: AuthorizeDashboard | undefined): this {
    this.#lifecycle.extensions.authorizeDashboard = authorize;
    return this;
  }

  /**
   * Opens WebSockets at this path, with all of the payload in the handlers' hands: `/rooms/:room`, `/files/*`.
   * Throws TypeError where the path is taken or the server's own, RangeError where a limit is above the server's.
   */
  websocket<D = unknown>(path: string, definition: EndpointDefinition<D>): Endpoint<D> {
    return this.#lifecycle.extensions.endpoints.add(path, definition);
  }

  /**
   * An endpoint as a class, which is made with the server, or as an object of such callbacks. What it leaves out is done as by
   * default. Throws as `websocket` does, and TypeError where it has no callback, or one that does not exist.
   */
  controller<D = unknown>(
    path: string,
    controller: Controller<D> | ControllerClass<this, D>,
    options?: EndpointOptions,
  ): Endpoint<D> {
    const definition = definitionOf(controller as Controller | ControllerClass<never>, this, options);
    return this.websocket<D>(path, definition as EndpointDefinition<D>);
  }

  /**
   * Puts it around every handshake, message and HTTP request, or those of one kind, inside what is there already.
   * Throws TypeError where there is no such kind.
   */
  use(middleware: Middleware<Context<this, U>>): this;
  use<Kind extends keyof Contexts>(kind: Kind, middleware: Middleware<Contexts<this, U>[Kind]>): this;
  use(first: keyof Contexts | Middleware<never>, second?: Middleware<never>): this {
    const { middleware } = this.#lifecycle.extensions;
    if (typeof first === "function") middleware.use(undefined, first);
    else middleware.use(first, second);
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
    return this.#lifecycle.tasks.run(task, input, options);
  }
}
