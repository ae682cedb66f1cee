/** The server: builds its parts, wires them, listens, and stops without losing anybody's message. */

import pino, { type Logger } from "pino";
import { configApps } from "../apps/config.ts";
import { type ChannelOptions, parseChannel } from "../config/channel.ts";
import { withDemoApp } from "../config/demo-app.ts";
import type { Config } from "../config/schema.ts";
import { demoRoute } from "../demo/demo.ts";
import type { App } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError, Disconnect } from "../domain/error.ts";
import type { User } from "../domain/message.ts";
import type { Awaitable, Clock, Observer } from "../domain/ports.ts";
import { memoryEngine } from "../engines/memory/engine.ts";
import { ipRules } from "../guards/ip.ts";
import { originGuard } from "../guards/origin.ts";
import { apiRateGuard, Turnstile } from "../guards/rate.ts";
import { replayGuard } from "../guards/replay.ts";
import { tokenGuard } from "../guards/token.ts";
import { after } from "../hub/after.ts";
import { Channels } from "../hub/channels.ts";
import { Hub } from "../hub/hub.ts";
import { checkChannelName } from "../hub/limits.ts";
import { logObserver } from "../observers/log.ts";
import { nativeProtocol } from "../protocols/native/codec.ts";
import { pusherApi } from "../protocols/pusher/api.ts";
import { pusherProtocol } from "../protocols/pusher/codec.ts";
import { identity } from "./address.ts";
import { authenticate, authenticateAtDoor } from "./authenticator.ts";
import type { Connections } from "./connections.ts";
import { openFileLimit } from "./file-limit.ts";
import { Hooks } from "./hooks.ts";
import { type Listener, listen } from "./listen.ts";
import { logStream } from "./logging.ts";
import { type Route, routes } from "./routes.ts";
import type { Target } from "./target.ts";
import { type ChannelStats, type PresenceList, Tenancy } from "./tenancy.ts";
import type {
  AnyEvents,
  Authenticator,
  EventName,
  Handler,
  HookAliases,
  HookName,
  HookTypes,
  OnlyIn,
  Pushable,
  Resolved,
} from "./types.ts";

/** Descriptors that are not connections: listening sockets, logs, files, requests of the HTTP API. */
const RESERVED_FILES = 64;
const SWEEP_MS = 1_000;
/** Most farewells in one slice of a drain, unless that would take longer than half the time there is. */
const DRAIN_SLICE = 200;
const DRAIN_PAUSE_MS = 50;

const clock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

export class Server<E extends object = AnyEvents, U extends User = User> {
  readonly config: Config;
  readonly log: Logger;
  readonly #handlers = new Map<string, Handler>();
  readonly #hooks: Hooks;
  readonly #observers: readonly Observer[];
  #authenticator: Authenticator | undefined;
  /** What the program made of its channels; the hub is another after each start. */
  readonly #channels = new Channels();
  /** Channels made before there was an app to make them in. */
  readonly #early: (() => void)[] = [];
  #apps: readonly App[];
  #demoFile: string | undefined;
  #hub: Hub | undefined;
  #listener: Listener | undefined;
  #sweeping: ReturnType<typeof setInterval> | undefined;
  #draining = false;
  /** The start or stop that is under way. */
  #turn: Promise<void> = Promise.resolve();

  constructor(config: Config) {
    this.config = config;
    this.#apps = config.apps;
    this.log = pino({ level: config.log.level }, logStream(config.log.format));
    this.#observers = [logObserver(this.log), (event) => this.#hooks.observe(event)];
    this.#hooks = new Hooks({
      failed: (error, during) => {
        for (const observe of this.#observers) observe({ type: "failed", error, during });
      },
      connection: (app, id) => this.#hub?.connection({ id: app }, id),
    });
  }

  // ---- life

  /**
   * Listens. Throws ConfigError, or an Error with code EADDRINUSE or EACCES. Idempotent; a server that was stopped can
   * start again.
   */
  start(): Promise<void> {
    return this.#inTurn(() => this.#start());
  }

  async #start(): Promise<void> {
    if (this.#listener) return;
    const { config, demoFile } = await withDemoApp(this.config);
    this.#apps = config.apps;
    this.#demoFile = demoFile;
    for (const make of this.#early.splice(0)) make();
    const hub = this.#buildHub(config);
    const turnstile = new Turnstile({ ...config.limits, trustedProxies: config.trustedProxies, clock });
    this.#listener = this.#listen(config, hub, turnstile);
    this.#hub = hub;
    await hub.start(this.#listener);
    this.#sweeping = setInterval(() => {
      hub.sweep();
      turnstile.sweep();
    }, SWEEP_MS);
    this.log.info({ url: this.url, apps: this.#apps.length }, "listening");
    this.#hooks.started();
  }

  /** Refuses new clients, tells the others to come back (4200), waits for them to go, then closes. Idempotent. */
  stop(): Promise<void> {
    return this.#inTurn(() => this.#stop());
  }

  /** One after the other, in whatever order a program and a signal ask for it. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(step);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #stop(): Promise<void> {
    const listener = this.#listener;
    const hub = this.#hub;
    if (!listener || !hub) return;
    this.#draining = true;
    this.#hooks.stopping();
    clearInterval(this.#sweeping);
    void listener.stop(false);
    await this.#drain(hub, listener);
    await listener.stop(true);
    await hub.stop();
    this.#listener = undefined;
    this.#hub = undefined;
    this.#draining = false;
    this.log.info("stopped");
  }

  async #drain(hub: Hub, listener: Listener): Promise<void> {
    const deadline = clock.monotonicMs() + this.config.drainTimeoutS * 1000;
    const connections = [...hub.connections()];
    const slices = Math.max(1, Math.floor((this.config.drainTimeoutS * 500) / DRAIN_PAUSE_MS));
    const size = Math.max(DRAIN_SLICE, Math.ceil(connections.length / slices));
    const why = new Disconnect("shutdown", "The server is shutting down; connect again.");
    while (connections.length > 0) {
      for (const connection of connections.splice(0, size)) hub.disconnect(connection, why);
      if (connections.length > 0) await Bun.sleep(DRAIN_PAUSE_MS);
    }
    while (listener.pendingWebSockets + listener.pendingRequests > 0 && clock.monotonicMs() < deadline) {
      await Bun.sleep(10);
    }
  }

  // ---- where it is

  get url(): string {
    const { hostname, port } = this.#running().listener;
    const host = hostname === "0.0.0.0" || hostname === "::" ? "127.0.0.1" : hostname;
    return `${this.config.tls ? "https" : "http"}://${host?.includes(":") ? `[${host}]` : host}:${port}`;
  }

  get port(): number {
    return this.#running().listener.port ?? this.config.port;
  }

  /** As many as are configured, or as the system's limit of open files leaves room for. */
  get maxConnections(): number {
    return Math.max(1, Math.min(this.config.limits.connections, openFileLimit() - RESERVED_FILES));
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
  app(idOrKey?: string): Tenancy<E, U> {
    const { hub } = this.#running();
    const app = this.#apps.find(({ id, key }) => idOrKey === undefined || id === idOrKey || key === idOrKey);
    if (!app) throw new Error(`There is no app ${JSON.stringify(idOrKey)}.`);
    return new Tenancy(hub, app);
  }

  toChannel(name: string): Target<E> {
    return this.app().toChannel(name);
  }

  toUser(id: string): Target<E> {
    return this.app().toUser(id);
  }

  channels(prefix?: string): ReturnType<Tenancy["channels"]> {
    return this.app().channels(prefix);
  }

  channel(name: string): ReturnType<Tenancy["channel"]> {
    return this.app().channel(name);
  }

  members(name: string): ReturnType<Tenancy["members"]> {
    return this.app().members(name);
  }

  /** As of a tenancy; before `start()` as well. */
  createChannel(name: string, options: ChannelOptions = {}): this {
    const rule = parseChannel(name, options);
    this.#withApp((app) => {
      checkChannelName(app, name);
      if (this.#hub) this.#hub.makeChannel(app, name, rule);
      else this.#channels.make(app, rule);
    });
    return this;
  }

  removeChannel(name: string): boolean {
    return this.app().removeChannel(name);
  }

  broadcast(payload: Pushable<E>, channel?: string): Promise<void> {
    return this.app().broadcast(payload, channel);
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
    listener: HookTypes<E, U>[Resolved<Name>],
    ...[channel]: OnlyIn<Name>
  ): () => void {
    return this.#hooks.on<Resolved<Name>>(name as Resolved<Name>, listener as HookTypes[Resolved<Name>], channel);
  }

  /**
   * Says who clients are: those that `authenticate` with anything but a valid JWT, and those that come with such a token.
   * Without one, or after `setAuthenticator(undefined)`, only JWTs and signatures count.
   */
  setAuthenticator(authenticator: Authenticator<U> | undefined): this {
    this.#authenticator = authenticator;
    return this;
  }

  // ---- private

  /** The app that has the connection; where none has, any will do to say so. */
  #appOf(connection: string): Tenancy<E, U> {
    const app = this.#apps.find(({ id }) => this.#hub?.connection({ id }, connection));
    return this.app(app?.id);
  }

  /** The demo app comes with the first start. */
  #withApp(act: (app: App) => void): void {
    const [app] = this.#apps;
    if (app) act(app);
    else this.#early.push(() => this.#withApp(act));
  }

  #running(): { listener: Listener; hub: Hub } {
    if (!this.#listener || !this.#hub) throw new Error("The server is not running: call start() first.");
    return { listener: this.#listener, hub: this.#hub };
  }

  #buildHub(config: Config): Hub {
    const { jsonDepth, waitingCommands, frameBytes } = config.limits;
    const { activityTimeoutS, pongTimeoutS } = config;
    return new Hub({
      engine: memoryEngine(clock),
      channels: this.#channels,
      protocols: [pusherProtocol({ jsonDepth }), nativeProtocol({ jsonDepth })],
      clock,
      limits: { connections: this.maxConnections, waitingCommands, frameBytes, activityTimeoutS, pongTimeoutS },
      guards: [
        originGuard(),
        tokenGuard({
          hasMore: () => this.#authenticator !== undefined,
          authenticate: (app, credentials) =>
            this.#authenticator && authenticateAtDoor(this.#authenticator, app, credentials),
        }),
        apiRateGuard(clock),
        replayGuard({ clock, windowS: config.signatureWindowS }),
        this.#hooks.guard,
      ],
      observers: this.#observers,
      call: (connection, event, data) => this.#call(connection, event, data),
      authorize: (connection, channel) => this.#hooks.authorize(connection, channel),
      authenticate: (app, credentials) => this.#authenticator && authenticate(this.#authenticator, app, credentials),
    });
  }

  #listen(config: Config, hub: Hub, turnstile: Turnstile): Listener {
    const { jsonDepth, httpBodyBytes: bodyBytes } = config.limits;
    const { path, strictProtocol, signatureWindowS } = config;
    const apps = configApps(config.apps);
    const api = pusherApi({ hub, apps, clock, pathPrefix: path, signatureWindowS, jsonDepth, bodyBytes });
    const [pusher, native] = hub.protocols;
    if (!pusher || !native) throw new Error("The hub has lost its protocols.");
    return listen({
      config,
      hub,
      admission: {
        apps,
        defaultKey: config.apps[0]?.key ?? "",
        guards: hub.guards,
        pusher,
        native,
        clock,
        path,
        strictProtocol,
        newId: newConnectionId,
        failed: (error) => hub.observe({ type: "failed", error, during: "a WebSocket handshake" }),
      },
      identify: identity(config.trustedProxies),
      mayCome: ipRules(config.allowIps, config.denyIps),
      turnstile,
      isDraining: () => this.#draining,
      answer: routes(path, api, this.#demo(config)),
    });
  }

  /** Only for the app that the server made itself: whoever opens the page is let into its channels. */
  #demo({ mode, path, apps: [app] }: Config): Route[] {
    const secretFile = this.#demoFile;
    if (secretFile === undefined || app === undefined || mode !== "development") return [];
    return [demoRoute({ app, path, secretFile })];
  }

  #call(connection: Connection, event: string, data: unknown): Awaitable<unknown> {
    const handler = this.#handlers.get(event) ?? this.#handlers.get("*");
    if (!handler && !this.#hooks.hearsMessages) {
      const name = JSON.stringify(event.slice(0, 64));
      throw new CommandError("unknown_command", `Nothing on this server handles ${name}.`);
    }
    return after(this.#hooks.hear(connection, { event, data }), () => handler?.(connection, data));
  }
}

/** Pusher protocol: two numbers and a dot. 64 random bits, so that no two nodes ever make the same. */
function newConnectionId(): string {
  const [left = 0, right = 0] = crypto.getRandomValues(new Uint32Array(2));
  return `${left}.${right}`;
}
