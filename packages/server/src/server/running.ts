/** A server between its start and its stop: the hub, the listener and what goes with them. */

import type { Logger } from "pino";
import { type ConfigApps, configApps } from "../apps/config.ts";
import type { Config } from "../config/schema/schema.ts";
import type { App } from "../domain/app.ts";
import type { Disconnect } from "../domain/error.ts";
import type { Clock, Engine, Guard } from "../domain/ports.ts";
import { ipRules } from "../guards/ip.ts";
import { IpConnectionLimiter, type IpConnectionLimiterOptions } from "../guards/rate.ts";
import { Hub } from "../hub/hub.ts";
import { processFull } from "../hub/limits.ts";
import type { HubLimits, HubOptions } from "../hub/options.ts";
import { logFrames } from "../observers/log.ts";
import { nativeProtocol } from "../protocols/native/codec.ts";
import { pusherApi } from "../protocols/pusher/api.ts";
import { pusherProtocol } from "../protocols/pusher/codec.ts";
import { createEngine } from "./cluster/create-engine.ts";
import { EngineHealthLog } from "./cluster/engine-health-log.ts";
import { NodeLister } from "./cluster/node-list.ts";
import { nodeName } from "./cluster/node-name.ts";
import { Dashboard, ignoringDashboardApp } from "./dashboard/dashboard.ts";
import type { Extensions } from "./embed/extensions.ts";
import type { EndpointRegistry } from "./endpoints/endpoint-registry.ts";
import { guardsOf } from "./guards.ts";
import { apiOnOtherPort } from "./http/api-port.ts";
import { apiRoute } from "./http/api-route.ts";
import { callerResolver } from "./http/caller.ts";
import { type MetricsRouteOptions, metricsRoute } from "./http/metrics-route.ts";
import { nodesRoute } from "./http/nodes-route.ts";
import { programRoute } from "./http/program-route.ts";
import { type ReadyState, readyRoute } from "./http/ready-route.ts";
import { requestMiddleware } from "./http/request-middleware.ts";
import { type Route, router } from "./http/router.ts";
import { DrainController } from "./lifecycle/drain-controller.ts";
import { disconnectReason, disconnectRejected } from "./lifecycle/reload.ts";
import { demoRoute, startRoute } from "./pages/first-page.ts";
import type { Storage } from "./storage.ts";
import { EventLoopLag } from "./system/event-loop-lag.ts";
import { scheduleTurn } from "./system/machine-clock.ts";
import { MemoryMonitor, memoryFull } from "./system/memory-monitor.ts";
import { CertificateWatcher } from "./tls/certificate-watcher.ts";
import { readCertificates, type TlsCredentials } from "./tls/read-certificates.ts";
import { newConnectionId } from "./websocket/connection-id.ts";
import { Listeners, type ListenersOptions } from "./websocket/listeners.ts";
import { SlowConsumers, withSlowConsumers } from "./websocket/slow-consumers.ts";
import { removeStaleSocket } from "./websocket/unix-socket.ts";

const SWEEP_MS = 1_000;

/** What the program around the server brings along. */
export interface Dependencies
  extends Pick<HubOptions, "channels" | "handleCall" | "authorize" | "authenticate" | "observers" | "traffic"> {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly maxConnections: number;
  /** Where the generated demo app is kept, where there is one. */
  readonly demoFile: string | undefined;
  /** Asked after the origin, and before rates, replays and the program's hooks. */
  readonly tokens: Guard;
  readonly hooks: Guard;
  readonly program: Extensions;
  /** The numbers of `/metrics`. */
  readonly scrape?: MetricsRouteOptions["scrape"];
  /** What is kept and counted, for the dashboard. */
  readonly records?: Storage;
  /** Of several processes that are one server; without it, the one that is configured. */
  readonly engine?: Engine;
  /** Whether other processes listen on the same port. */
  readonly sharesPort?: boolean;
}

/** The same, with the engine. */
type WithEngine = Dependencies & { readonly engine: Engine };

export class RunningServer {
  readonly hub: Hub;
  readonly listener: Listeners;
  readonly memory: MemoryMonitor;
  readonly startedAtMs = Date.now();
  readonly #id = crypto.randomUUID();
  readonly #certificates: CertificateWatcher | undefined;
  readonly #lag: EventLoopLag;
  readonly #ipConnectionLimiter: IpConnectionLimiter;
  readonly #slowConsumers: SlowConsumers;
  readonly #apps: ConfigApps;
  readonly #dashboard: Dashboard;
  /** What the listener asks about whoever comes: made anew when the configuration is reloaded. */
  readonly #doors: ListenersOptions;
  readonly #sweeping: ReturnType<typeof setInterval>;
  readonly #leaving = new AbortController();
  readonly #departure: DrainController;
  readonly #endpoints: EndpointRegistry;
  #config: Config;

  /** Throws what Bun throws when it cannot listen, and ConfigError where the certificates cannot be used. */
  static async start(around: Dependencies): Promise<RunningServer> {
    const { tls, controllers } = around.config;
    await around.program.load(controllers);
    await removeStaleSocket(around.config.host);
    const { config, clock, log } = around;
    const warn = (sentence: string) => log.warn(sentence);
    const engine = around.engine ?? (await createEngine({ config, clock, warn }));
    const running = new RunningServer({ ...around, engine }, tls && (await readCertificates(tls)));
    try {
      await running.hub.start(running.listener);
      running.#dashboard.start();
    } catch (error) {
      clearInterval(running.#sweeping);
      running.#certificates?.stop();
      await running.listener.stop(true);
      throw error;
    }
    return running;
  }

  private constructor(around: WithEngine, credentials: TlsCredentials | undefined) {
    const { config, clock } = around;
    this.#config = config;
    this.#endpoints = around.program.endpoints;
    this.#lag = new EventLoopLag(clock);
    this.#departure = new DrainController({
      ...{ id: this.#id, clock, config: () => this.#config, hub: () => this.hub },
      ...{ listener: () => this.listener, endpoints: () => this.#endpoints },
    });
    this.#apps = configApps(config.apps);
    this.memory = new MemoryMonitor({ clock, markBytes: config.limits.memoryBytes, processes: config.workers });
    const { engine } = around;
    this.#dashboard = this.#dashboardOf(around, engine);
    const guards = guardsOf(around, this.memory, this.#dashboard, engine);
    const observers = [...(around.observers ?? []).map(ignoringDashboardApp), this.#dashboard.observe];
    const traffic = withSlowConsumers(around.traffic, () => this.#slowConsumers);
    this.hub = buildHub({ ...around, engine, observers, traffic }, this.#apps, guards, () => this.#report);
    this.hub.frameObserver = framesFor(around);
    this.#dashboard.attach(this.hub);
    this.#slowConsumers = new SlowConsumers(this.hub);
    this.#ipConnectionLimiter = new IpConnectionLimiter(turnstileOptions(around));
    this.#doors = { ...this.#doorsOf(around), credentials, drainPhase: () => this.#departure.requestArrived() };
    this.listener = new Listeners(this.#doors);
    const { tls: settings } = config;
    this.#certificates = settings && new CertificateWatcher({ settings, listeners: this.listener, log: around.log });
    const watch = new EngineHealthLog(around.log);
    this.#sweeping = setInterval(() => {
      this.#lag.tick(SWEEP_MS);
      watch.check(this.hub.health);
      this.hub.sweep(this.#lag.ms);
      this.#ipConnectionLimiter.sweep();
      this.#slowConsumers.check();
      around.records?.metrics.look(this.hub.health);
      around.program.endpoints.sweep(this.#lag.ms);
    }, SWEEP_MS);
  }

  #dashboardOf({ config, clock, records, program, sharesPort }: Dependencies, { ledger }: Engine): Dashboard {
    return new Dashboard({
      ...{ config, clock, ledger, records, key: program.dashboardKey },
      node: { id: this.#id, name: nodeName() },
      authorize: () => program.authorizeDashboard,
      // Of several processes on one port, none can have its clients sent to the others only.
      drain: sharesPort ? undefined : (isOn) => this.drain(isOn),
    });
  }

  get #report(): ReturnType<HubOptions["node"]> {
    const { startedAtMs, memory } = this;
    const { nodeUrl: url } = this.#config;
    const self = { id: this.#id, name: nodeName(), startedAtMs, lagMs: this.#lag.ms, memoryBytes: memory.usedBytes };
    const more = { ...(url !== undefined && { url }), ...(memory.isFull && ({ unready: true } as const)) };
    return { ...self, draining: this.isDraining, ...more };
  }

  /** Those who are here have to leave, or will have to. */
  get isDraining(): boolean {
    return this.#departure.isDraining;
  }

  /** As of `Certificates.reload`; false without TLS. */
  async reloadTls(settings?: Config["tls"]): Promise<boolean> {
    return (await this.#certificates?.reload(settings)) ?? false;
  }

  /** How late timers run, in milliseconds. */
  get lagMs(): number {
    return this.#lag.ms;
  }

  get condition(): ReadyState {
    const { isDraining, memory } = this;
    return { isDraining, keepsRunning: !this.#departure.isStopping, engine: this.hub.health, memory };
  }

  /** Whether no other node took over what this one left; known when it has stopped. */
  get isLastNode(): boolean {
    return this.#departure.isLastNode;
  }

  /**
   * These settings count from now on, as far as they can while it listens. Resolves with how many connections had to go, once
   * they went. Throws before anything is another.
   */
  async reload(around: Dependencies): Promise<number> {
    const { config } = around;
    const doors = this.#doorsOf(around);
    await this.#certificates?.reload(config.tls);
    this.#config = config;
    this.#apps.replace(config.apps);
    this.hub.limits = hubLimits(around);
    this.memory.setMark(config.limits.memoryBytes);
    this.hub.frameObserver = framesFor(around);
    Object.assign(this.#doors, doors);
    const connections = [...this.hub.connections()];
    this.#ipConnectionLimiter.adjust(
      turnstileOptions(around),
      [...connections, ...this.#endpoints.connections()].map(({ address }) => address),
    );
    for (const app of config.apps) this.hub.replaceApp(app);
    this.#endpoints.disconnectBarred(doors.barrier);
    return disconnectRejected(this.hub, connections, doors.recheck);
  }

  #doorsOf(around: Dependencies): Doors {
    return doorsOf(around, {
      hub: this.hub,
      apps: this.#apps,
      ipConnectionLimiter: this.#ipConnectionLimiter,
      slowConsumers: this.#slowConsumers,
      leaving: this.#leaving.signal,
      condition: () => this.condition,
      dashboard: this.#dashboard,
    });
  }

  /** As of `Departure.drain`; load balancers should send nobody while it is on. Idempotent. */
  drain(isOn: boolean): void {
    this.#departure.drain(isOn);
  }

  /**
   * Is unready for a while, refuses new clients, tells the others to come back (4200), waits for them to go, then closes. Whoever
   * calls on a connection that is open is answered to the end.
   */
  async stop(): Promise<void> {
    await this.#departure.beginStop();
    clearInterval(this.#sweeping);
    this.#certificates?.stop();
    await this.listener.stopAccepting();
    this.#leaving.abort(new Error("The server is shutting down."));
    await this.#departure.disconnectAll();
    this.#dashboard.stop();
    await this.hub.stop();
    await this.#departure.closeListeners();
  }

  /** There is no time: the port is free at once, and whoever is here is told to come back in the same breath. */
  async stopNow(): Promise<void> {
    this.#leaving.abort(new Error("The server is gone."));
    clearInterval(this.#sweeping);
    void this.listener.stop(false);
    await this.#departure.abandon();
  }
}

/** Where another socket would be one too many for the system, or for what is in memory already. */
function fullness({ program }: Dependencies, hub: Hub, { memory }: ReadyState): Disconnect | undefined {
  if (memory.isFull) return memoryFull();
  return hub.connectionCount + program.endpoints.count >= hub.limits.connections ? processFull(hub.limits) : undefined;
}

/** Looking at each frame costs a little: nobody does where the log shows none. */
function framesFor({ config: { log: settings }, log }: Dependencies): ReturnType<typeof logFrames> | undefined {
  return settings.level === "debug" || settings.level === "trace" ? logFrames(log) : undefined;
}

function turnstileOptions({ config, clock }: Dependencies): IpConnectionLimiterOptions {
  return { ...config.limits, trustedProxies: config.trustedProxies, clock };
}

function hubLimits({ config, maxConnections: connections }: Dependencies): HubLimits {
  const { waitingCommands, waitingBytes, frameBytes, outboundBufferBytes, readerLagS } = config.limits;
  const { activityTimeoutS, pongTimeoutS, publishWaitS } = config;
  return {
    connections,
    ...(connections < config.limits.connections && { connectionsLimitName: "the system's limit of open files" }),
    waitingCommands,
    waitingBytes,
    frameBytes,
    outboundBufferBytes,
    readerLagS,
    activityTimeoutS,
    pongTimeoutS,
    publishWaitS,
  };
}

export function buildHub(
  around: WithEngine,
  apps: ConfigApps,
  guards: readonly Guard[],
  node: HubOptions["node"],
): Hub {
  const { config, clock, observers, traffic, channels, handleCall: call, authorize, authenticate } = around;
  const { jsonDepth } = config.limits;
  const { engine } = around;
  return new Hub({
    engine: around.records?.tracing?.engine(engine) ?? engine,
    scheduleTurn: scheduleTurn,
    protocols: [pusherProtocol({ jsonDepth }), nativeProtocol({ jsonDepth })],
    clock,
    node,
    appById: (id) => apps.byId(id),
    limits: hubLimits(around),
    guards,
    middleware: around.program.middleware,
    ...(observers && { observers }),
    ...(around.records && { observersFlushed: around.records.flushed }),
    ...(traffic && { traffic }),
    ...(channels && { channels }),
    ...(call && { handleCall: call }),
    ...(authorize && { authorize }),
    ...(authenticate && { authenticate }),
  });
}

/** What the configuration makes of them; the certificates are looked after elsewhere. */
type Doors = Omit<ListenersOptions, "credentials" | "drainPhase">;

/** What stays when the configuration is reloaded. */
interface Inside {
  readonly hub: Hub;
  readonly apps: ConfigApps;
  readonly ipConnectionLimiter: IpConnectionLimiter;
  readonly slowConsumers: SlowConsumers;
  /** When nobody is let in any more. */
  readonly leaving: AbortSignal;
  readonly condition: () => ReadyState;
  readonly dashboard: Dashboard;
}

function doorsOf(
  around: Dependencies,
  { hub, apps, ipConnectionLimiter, slowConsumers, leaving, condition, dashboard: whole }: Inside,
): Doors {
  const { config, clock, program } = around;
  const { jsonDepth, httpBodyBytes: bodyBytes } = config.limits;
  const { path, strictProtocol, signatureWindowS } = config;
  const barrier = ipRules(config.allowIps, config.denyIps);
  const lister = new NodeLister(hub, clock);
  const nodes = (app: App, strategy: string | null) => lister.list(app, strategy);
  const step = around.records?.tracing?.call;
  const bare = pusherApi({ hub, apps, clock, pathPrefix: path, signatureWindowS, jsonDepth, bodyBytes, nodes, step });
  const [pusher, native] = hub.protocols;
  if (!pusher || !native) throw new Error("The hub has lost its protocols.");
  const isReady = readyRoute(path, condition);
  const numbers = around.scrape && metricsRoute({ config, identify: callerResolver(config), scrape: around.scrape });
  const ready: Route = (...asked) => isReady(...asked) ?? numbers?.(...asked) ?? places(...asked);
  const failed = (error: unknown, during: string) => hub.observe({ type: "failed", error, during });
  const defaultKey = config.apps[0]?.key ?? "";
  const places = nodesRoute({ path, nodeUrl: config.nodeUrl, apps, defaultKey, lister, failed });
  const identify = callerResolver(config);
  const isApp = (id: string) => apps.byId(id) !== undefined;
  const api = apiRoute({ api: bare, identify, metrics: around.records?.metrics, isApp });
  const newId = () => newConnectionId(hub.nodeBus.number);
  const dashboard = whole.door(config, identify, native);
  const aroundAll = requestMiddleware({ middleware: program.middleware, identify, failed });
  return {
    config,
    hub,
    sharesPort: around.sharesPort === true,
    admission: {
      apps,
      defaultKey,
      guards: hub.guards,
      pusher,
      native,
      clock,
      path,
      strictProtocol,
      newId,
      acquireQuota: (connection) => hub.quotas.acquireConnection(connection),
      failed: (error) => failed(error, "a WebSocket handshake"),
    },
    identify,
    barrier,
    dashboard,
    newId,
    recheck: (connection) => disconnectReason(connection, apps, barrier),
    ...{ ipConnectionLimiter, slowConsumers },
    isDraining: () => leaving.aborted,
    endpoints: program.endpoints,
    middleware: program.middleware,
    capacityError: () => fullness(around, hub, condition()),
    handleRequest: router({
      path,
      api: config.tls?.api ? apiOnOtherPort(hub, identify) : api,
      ready: (...asked) => ready(...asked) ?? dashboard.route(...asked),
      program: programRoute({ program, bodyBytes, identify, draining: leaving, failed }),
      hasProgram: () => program.fetch !== undefined,
      around: aroundAll,
      more: firstPage(around),
    }),
    handleApi: router({
      path,
      api,
      ready,
      program: () => undefined,
      hasProgram: () => false,
      around: aroundAll,
      more: [],
    }),
  };
}

/** The printed address shows something. Tokens only for the app that the server made itself: whoever opens that page is let into its channels. */
function firstPage({ config, demoFile: secretFile }: Dependencies): Route[] {
  const { mode, path, apps, dashboard } = config;
  const [app] = apps;
  if (mode !== "development") return [];
  if (secretFile !== undefined && app !== undefined) return [demoRoute({ app, path, secretFile })];
  return [startRoute({ path, dashboard: dashboard.enabled ? dashboard.path : undefined })];
}
