/** A process that serves clients, from its start to its stop: starts the parts in order, and stops them in order. */

import type { Logger } from "pino";
import type { AppDirectory } from "../apps/app-directory.ts";
import { isUnixSocketPath } from "../config/schema/fields.ts";
import type { Config } from "../config/schema/schema.ts";
import type { EngineHealth } from "../domain/ports.ts";
import type { Hub } from "../hub/hub.ts";
import type { Outboxes } from "../outbox/outboxes.ts";
import type { OutboxState } from "../outbox/reader.ts";
import { build, frameObserverFor, hubLimits, ipLimiterOptions } from "./build.ts";
import { buildListenOptions, readyState } from "./build-listen-options.ts";
import { createEngine } from "./cluster/create-engine.ts";
import { hookSettings } from "./hook-settings.ts";
import type { ReadyState } from "./http/ready-route.ts";
import { disconnectRejected } from "./lifecycle/reload.ts";
import type { Dependencies, Parts } from "./parts.ts";
import { CertificateWatcher } from "./tls/certificate-watcher.ts";
import { readCertificates } from "./tls/read-certificates.ts";
import { removeStaleSocket } from "./websocket/listen.ts";
import type { Listeners } from "./websocket/listeners.ts";

const SWEEP_MS = 1_000;

/** Where clients reach a server, and where its API is. */
export type ListenAddress = Pick<Listeners, "hostname" | "port" | "apiHostname" | "apiPort">;

/** The same as a URL. */
export function urlOf({ hostname, port }: Pick<ListenAddress, "hostname" | "port">, { tls }: Config): string {
  if (isUnixSocketPath(hostname)) return `unix:${hostname}`;
  const host = hostname === "0.0.0.0" || hostname === "::" ? "127.0.0.1" : hostname;
  return `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Where its dashboard is: with the key that signs one in, where there is one. */
export function dashboardUrl(url: string, { dashboard, path }: Config, key: string | undefined): string {
  return `${url}${path}${dashboard.path}/${key === undefined ? "" : `?key=${key}`}`;
}

/** A server between its start and its stop: this process, or the workers that this process has started. */
export interface ServerProcess {
  readonly hub: Hub;
  readonly address: ListenAddress;
  readonly apps: AppDirectory;
  readonly startedAtMs: number;
  /** How late timers run, in milliseconds. */
  readonly lagMs: number;
  readonly readyState: ReadyState;
  /** Of the tables in applications' databases that are read here. */
  readonly outboxStates: readonly OutboxState[];
  /** Whether no other node took over what this one left; known when it has stopped. */
  readonly isLastNode: boolean;
  /** The processes that the clients are with, where that is not this one. */
  readonly pids?: readonly number[];
  /** Resolves with how many connections had to go, once they went. Throws before anything has changed. */
  reload(deps: Dependencies): Promise<number>;
  /** Whether anything was new; false without TLS. Throws ConfigError. */
  reloadTls(): Promise<boolean>;
  /** Asks the program's app provider again. */
  appChanged(id: string): Promise<void>;
  /** Sends clients to other nodes while it is on. Idempotent. */
  drain(isOn: boolean): void | Promise<void>;
  /** Refuses new clients, tells the others to connect again (4200), waits for them to go, then closes. */
  stop(): Promise<void>;
  /** Only where there are workers. */
  replaceWorkers?(): Promise<void>;
}

export class ServingProcess implements ServerProcess {
  readonly hub: Hub;
  readonly address: ListenAddress;
  readonly apps: AppDirectory;
  readonly startedAtMs: number;
  readonly #parts: Parts;
  readonly #certificates: CertificateWatcher | undefined;
  #outboxes: Outboxes | undefined;
  readonly #sweeping: ReturnType<typeof setInterval>;

  /** Throws what Bun throws when it cannot listen, and ConfigError where the certificates cannot be used. */
  static async start(deps: Dependencies): Promise<ServingProcess> {
    const { config, clock, extensions, log } = deps;
    await extensions.load(config);
    await removeStaleSocket(config.host);
    const credentials = config.tls && (await readCertificates(config.tls));
    const warn = (sentence: string) => log.warn(sentence);
    const parts = build(deps, deps.engine ?? (await createEngine({ config, clock, warn, given: deps.given.engine })));
    const { listeners, heldWrites, hub, dashboard } = parts;
    listeners.open(credentials);
    const certificates = config.tls && new CertificateWatcher({ settings: config.tls, listeners, log });
    const started = new ServingProcess(deps, parts, certificates);
    try {
      await hub.start(heldWrites);
      dashboard.start();
      started.#outboxes = await startOutboxes(deps, parts);
    } catch (error) {
      started.#stopTimers();
      await listeners.stop(true);
      throw error;
    }
    return started;
  }

  private constructor(deps: Dependencies, parts: Parts, certificates: CertificateWatcher | undefined) {
    const { lag, hub, ipConnectionLimiter, slowConsumers, sessions, dashboard, clusterWatch } = parts;
    this.hub = hub;
    this.address = parts.listeners;
    this.apps = parts.apps;
    this.startedAtMs = parts.startedAtMs;
    this.#parts = parts;
    this.#certificates = certificates;
    const healthLog = new EngineHealthLog(deps.log);
    this.#sweeping = setInterval(() => {
      lag.tick(SWEEP_MS);
      healthLog.check(hub.health);
      hub.sweep(lag.ms);
      ipConnectionLimiter.sweep();
      slowConsumers.check();
      sessions.sweep(lag.ms);
      deps.storage.metrics.engineChecked(hub.health);
      deps.storage.measurements.tick(lag.ms);
      deps.extensions.endpoints.sweep(lag.ms);
      dashboard.tick();
      clusterWatch.tick();
    }, SWEEP_MS);
  }

  get lagMs(): number {
    return this.#parts.lag.ms;
  }

  get readyState(): ReadyState {
    return readyState(this.#parts);
  }

  get outboxStates(): readonly OutboxState[] {
    return this.#outboxes?.states ?? [];
  }

  get isLastNode(): boolean {
    return this.#parts.drain.isLastNode;
  }

  async reloadTls(settings?: Config["tls"]): Promise<boolean> {
    return (await this.#certificates?.reload(settings)) ?? false;
  }

  async reload(deps: Dependencies): Promise<number> {
    const { config, extensions } = deps;
    const { hub, apps, backend, memory, listeners, heldWrites, drain, ipConnectionLimiter, sessions } = this.#parts;
    const options = buildListenOptions(deps, this.#parts);
    await this.#certificates?.reload(config.tls);
    drain.settings = config;
    this.#parts.rebalancer.settings = config.cluster;
    heldWrites.holdMs = config.fanout.holdMs;
    apps.configure(config);
    backend.settings = hookSettings(config);
    hub.limits = hubLimits(deps);
    sessions.settings = config.http;
    memory.setMark(config.limits.memoryBytes);
    hub.frameObserver = frameObserverFor(deps);
    listeners.reconfigure(options);
    const connections = [...hub.connections()];
    const everyone = [...connections, ...extensions.endpoints.connections()];
    ipConnectionLimiter.adjust(
      ipLimiterOptions(deps),
      everyone.map(({ address }) => address),
    );
    for (const app of config.apps) hub.replaceApp(app);
    extensions.endpoints.disconnectBarred(options.barrier);
    return disconnectRejected(hub, connections, options.recheck);
  }

  appChanged(id: string): Promise<void> {
    return this.apps.changed(id);
  }

  drain(isOn: boolean): void {
    this.#parts.drain.setDraining(isOn);
  }

  async stop(): Promise<void> {
    const { drain, drainState, listeners, dashboard, hub, backend, rebalancer } = this.#parts;
    rebalancer.stop();
    await drain.beginStop();
    // Another node reads on while the clients of this one leave.
    await this.#outboxes?.stop();
    this.#stopTimers();
    await listeners.stopAccepting();
    drainState.closeDoors("The server is shutting down.");
    await drain.disconnectAll();
    dashboard.stop();
    await hub.stop();
    backend.close();
    await drain.closeListeners();
  }

  /** There is no time: the port is free at once, and every client is told to connect again. */
  async stopNow(): Promise<void> {
    const { drain, drainState, listeners, rebalancer } = this.#parts;
    rebalancer.stop();
    drainState.closeDoors("The server is gone.");
    clearInterval(this.#sweeping);
    void this.#outboxes?.stop();
    void listeners.stop(false);
    await drain.abandon();
  }

  #stopTimers(): void {
    clearInterval(this.#sweeping);
    this.#certificates?.stop();
  }
}

/** The readers of applications' outboxes, where there are any: nothing of them is loaded otherwise. */
async function startOutboxes(
  { config, clock, storage, log }: Dependencies,
  { hub, apps, engine, nodeId }: Parts,
): Promise<Outboxes | undefined> {
  if (config.outbox.length === 0) return undefined;
  const weakness = engine.broker.expireKey ? WEAKNESSES[engine.name] : FIVE_MINUTES;
  if (weakness !== undefined) log.info({ engine: engine.name }, weakness);
  const { Outboxes } = await import("../outbox/outboxes.ts");
  const outboxes = await Outboxes.open({
    ...{ settings: config.outbox, hub, clock, node: nodeId },
    ...{ broker: engine.broker, ledger: engine.ledger },
    appById: (id) => apps.byId(id),
    mostBytes: () =>
      Math.max(config.defaults.limits.eventDataBytes, ...apps.known.map(({ limits }) => limits.eventDataBytes)),
    counted: (source, what, count) => storage.metrics.outboxCounted(source, what, count),
  });
  outboxes.start();
  return outboxes;
}

/** Where an outbox is less than exactly once, as docs/outbox.md says of each engine: said when it begins. */
const FIVE_MINUTES =
  "outbox: this engine remembers for 5 minutes, not for an hour, which rows were published: one whose reader dies before it deletes it, with no other for longer than that, is published again";
const WEAKNESSES: Readonly<Record<string, string>> = {
  memory:
    "outbox: if this process is killed between publishing a row and deleting it, the row is published again at the next start, for the engine `memory` forgets that it was",
};

/** Looks at a server that has just started, in which nothing is amiss yet: a machine with much to do may take that long to connect. */
const FIRST_LOOKS = 3;

/** Says in the log when what carries the server cannot be reached, and when it can again. */
class EngineHealthLog {
  readonly #log: Logger;
  #isAway = false;
  #looks = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Call it at the start, and every second or so. One line for each change. */
  check(health: EngineHealth): void {
    this.#looks = health.reachable ? FIRST_LOOKS : this.#looks + 1;
    if (this.#isAway === !health.reachable || this.#looks < FIRST_LOOKS) return;
    this.#isAway = !health.reachable;
    if (health.reachable) return this.#log.info("the engine can be reached again");
    const { why, refusal } = health;
    const what = refusal === undefined ? "the engine cannot be reached" : "the engine refuses what it is asked";
    const about = { why, ...(refusal !== undefined && { refusal }) };
    this.#log.error(about, `${what}: publications wait, and are refused after \`publishWaitS\``);
  }
}
