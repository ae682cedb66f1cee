/** A server between its start and its stop: the hub, the listener and what goes with them. */

import type { Logger } from "pino";
import { configApps } from "../apps/config.ts";
import type { Config } from "../config/schema.ts";
import { demoRoute } from "../demo/demo.ts";
import { Disconnect } from "../domain/error.ts";
import type { Clock, Guard } from "../domain/ports.ts";
import { ipRules } from "../guards/ip.ts";
import { originGuard } from "../guards/origin.ts";
import { apiRateGuard, Turnstile } from "../guards/rate.ts";
import { replayGuard } from "../guards/replay.ts";
import { Hub } from "../hub/hub.ts";
import type { HubOptions } from "../hub/options.ts";
import { logGuard } from "../observers/log.ts";
import { nativeProtocol } from "../protocols/native/codec.ts";
import { pusherApi } from "../protocols/pusher/api.ts";
import { pusherProtocol } from "../protocols/pusher/codec.ts";
import { identity } from "./address.ts";
import { apiElsewhere } from "./api-port.ts";
import { Certificates } from "./certificates.ts";
import { engineOf } from "./engine.ts";
import { Lag } from "./lag.ts";
import { Listeners } from "./listeners.ts";
import { mount } from "./mount.ts";
import { nodeName } from "./node.ts";
import type { Program } from "./program.ts";
import { type Route, routes } from "./routes.ts";
import { type Credentials, readTls } from "./tls.ts";

const SWEEP_MS = 1_000;
/** Most farewells in one slice of a drain, unless that would take longer than half the time there is. */
const DRAIN_SLICE = 200;
const DRAIN_PAUSE_MS = 50;

/** What the program around the server brings along. */
export interface Surroundings
  extends Pick<HubOptions, "channels" | "call" | "authorize" | "authenticate" | "observers"> {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly maxConnections: number;
  /** Where the generated demo app is kept, where there is one. */
  readonly demoFile: string | undefined;
  /** Asked after the origin, and before rates, replays and the program's hooks. */
  readonly tokens: Guard;
  readonly hooks: Guard;
  readonly program: Program;
}

export class Running {
  readonly hub: Hub;
  readonly listener: Listeners;
  readonly #certificates: Certificates | undefined;
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #lag: Lag;
  readonly #sweeping: ReturnType<typeof setInterval>;
  readonly #leaving = new AbortController();

  /** Throws what Bun throws when it cannot listen, and ConfigError where the certificates cannot be used. */
  static async start(around: Surroundings): Promise<Running> {
    const { tls } = around.config;
    const running = new Running(around, tls && (await readTls(tls)));
    try {
      await running.hub.start(running.listener);
    } catch (error) {
      clearInterval(running.#sweeping);
      running.#certificates?.stop();
      await running.listener.stop(true);
      throw error;
    }
    return running;
  }

  private constructor(around: Surroundings, credentials: Credentials | undefined) {
    const { config, clock } = around;
    this.#config = config;
    this.#clock = clock;
    this.#lag = new Lag(clock);
    this.hub = buildHub(around, () => ({ ...this.#report, lagMs: this.#lag.ms, draining: this.isDraining }));
    const turnstile = new Turnstile({ ...config.limits, trustedProxies: config.trustedProxies, clock });
    this.listener = open(around, credentials, this.hub, turnstile, this.#leaving.signal);
    const { tls: settings } = config;
    this.#certificates = settings && new Certificates({ settings, listeners: this.listener, log: around.log });
    this.#sweeping = setInterval(() => {
      this.#lag.beat(SWEEP_MS);
      this.hub.sweep();
      turnstile.sweep();
    }, SWEEP_MS);
  }

  readonly #report = { id: crypto.randomUUID(), name: nodeName(), startedAtMs: Date.now() };

  get isDraining(): boolean {
    return this.#leaving.signal.aborted;
  }

  /** As of `Certificates.reload`; false without TLS. */
  async reloadTls(settings?: Config["tls"]): Promise<boolean> {
    return (await this.#certificates?.reload(settings)) ?? false;
  }

  /** Refuses new clients, tells the others to come back (4200), waits for them to go, then closes. */
  async stop(): Promise<void> {
    this.#leaving.abort(new Error("The server is shutting down."));
    clearInterval(this.#sweeping);
    this.#certificates?.stop();
    void this.listener.stop(false);
    await this.#drain();
    await this.listener.stop(true);
    await this.hub.stop();
  }

  async #drain(): Promise<void> {
    const { drainTimeoutS } = this.#config;
    const deadline = this.#clock.monotonicMs() + drainTimeoutS * 1000;
    const connections = [...this.hub.connections()];
    const slices = Math.max(1, Math.floor((drainTimeoutS * 500) / DRAIN_PAUSE_MS));
    const size = Math.max(DRAIN_SLICE, Math.ceil(connections.length / slices));
    const why = new Disconnect("shutdown", "The server is shutting down; connect again.");
    while (connections.length > 0) {
      for (const connection of connections.splice(0, size)) this.hub.disconnect(connection, why);
      if (connections.length > 0) await Bun.sleep(DRAIN_PAUSE_MS);
    }
    while (
      this.listener.pendingWebSockets + this.listener.pendingRequests > 0 &&
      this.#clock.monotonicMs() < deadline
    ) {
      await Bun.sleep(10);
    }
  }
}

function buildHub(around: Surroundings, node: HubOptions["node"]): Hub {
  const { config, log, clock, observers, channels, call, authorize, authenticate } = around;
  const { jsonDepth, waitingCommands, frameBytes } = config.limits;
  const { activityTimeoutS, pongTimeoutS } = config;
  const apps = configApps(config.apps);
  return new Hub({
    engine: engineOf(clock),
    protocols: [pusherProtocol({ jsonDepth }), nativeProtocol({ jsonDepth })],
    clock,
    node,
    appById: (id) => apps.byId(id),
    limits: { connections: around.maxConnections, waitingCommands, frameBytes, activityTimeoutS, pongTimeoutS },
    guards: [
      // Each guard costs every frame a little.
      ...(log.isLevelEnabled("debug") ? [logGuard(log)] : []),
      originGuard(),
      around.tokens,
      apiRateGuard(clock),
      replayGuard({ clock, windowS: config.signatureWindowS }),
      around.hooks,
    ],
    ...(observers && { observers }),
    ...(channels && { channels }),
    ...(call && { call }),
    ...(authorize && { authorize }),
    ...(authenticate && { authenticate }),
  });
}

function open(
  around: Surroundings,
  credentials: Credentials | undefined,
  hub: Hub,
  turnstile: Turnstile,
  draining: AbortSignal,
): Listeners {
  const { config, clock, program } = around;
  const { jsonDepth, httpBodyBytes: bodyBytes } = config.limits;
  const { path, strictProtocol, signatureWindowS } = config;
  const apps = configApps(config.apps);
  const api = pusherApi({ hub, apps, clock, pathPrefix: path, signatureWindowS, jsonDepth, bodyBytes });
  const [pusher, native] = hub.protocols;
  if (!pusher || !native) throw new Error("The hub has lost its protocols.");
  const failed = (error: unknown, during: string) => hub.observe({ type: "failed", error, during });
  const identify = identity(config.trustedProxies);
  return new Listeners({
    config,
    credentials,
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
      failed: (error) => failed(error, "a WebSocket handshake"),
    },
    identify,
    mayCome: ipRules(config.allowIps, config.denyIps),
    turnstile,
    isDraining: () => draining.aborted,
    answer: routes({
      path,
      api: config.tls?.api ? apiElsewhere : api,
      program: mount({ program, bodyBytes, identify, draining, failed }),
      hasProgram: () => program.fetch !== undefined,
      more: demo(around),
    }),
    answerApi: routes({ path, api, program: () => undefined, hasProgram: () => false, more: [] }),
  });
}

/** Only for the app that the server made itself: whoever opens the page is let into its channels. */
function demo({ config, demoFile: secretFile }: Surroundings): Route[] {
  const { mode, path, apps } = config;
  const [app] = apps;
  if (secretFile === undefined || app === undefined || mode !== "development") return [];
  return [demoRoute({ app, path, secretFile })];
}

/** Pusher protocol: two numbers and a dot. 64 random bits, so that no two nodes ever make the same. */
function newConnectionId(): string {
  const [left = 0, right = 0] = crypto.getRandomValues(new Uint32Array(2));
  return `${left}.${right}`;
}
