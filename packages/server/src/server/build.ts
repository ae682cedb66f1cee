/** Makes the parts of a serving process from its configuration. Nothing listens, connects or ticks yet. */

import manifest from "../../package.json" with { type: "json" };
import { AppDirectory } from "../apps/app-directory.ts";
import { ProvidedApps } from "../apps/provided-apps.ts";
import { Backend } from "../backend/backend.ts";
import { type App, isReserved } from "../domain/app.ts";
import type { Engine, Guard, Observer } from "../domain/ports.ts";
import type { TrafficMeter } from "../domain/traffic.ts";
import { apiRateGuard } from "../guards/api-rate-guard.ts";
import { IpConnectionLimiter, type IpConnectionLimiterOptions } from "../guards/ip-connection-limiter.ts";
import { originGuard } from "../guards/origin.ts";
import { replayGuard } from "../guards/replay.ts";
import { Hub } from "../hub/hub.ts";
import type { HubLimits, HubOptions } from "../hub/options.ts";
import { logFrames } from "../observers/log.ts";
import { nativeProtocol } from "../protocols/native/codec.ts";
import { pusherProtocol } from "../protocols/pusher/codec.ts";
import { recoveringPusherProtocol } from "../protocols/pusher/recovery.ts";
import { buildListenOptions } from "./build-listen-options.ts";
import { nodeName } from "./cluster/node-states.ts";
import { RoomMonitor } from "./cluster/room-monitor.ts";
import { Dashboard } from "./dashboard/dashboard.ts";
import { hookSettings } from "./hook-settings.ts";
import { ClusterWatch } from "./lifecycle/cluster-watch.ts";
import { DrainController, DrainState } from "./lifecycle/drain-controller.ts";
import { Rebalancer } from "./lifecycle/rebalancer.ts";
import { disconnectReason, disconnectRejected } from "./lifecycle/reload.ts";
import type { Dependencies, Parts } from "./parts.ts";
import { Streams } from "./streams/http-socket.ts";
import { OwnedSessions } from "./streams/owned-sessions.ts";
import { Relay } from "./streams/relay.ts";
import { Sessions } from "./streams/sessions.ts";
import { EventLoopLag, scheduleTurn } from "./system/machine-clock.ts";
import { MemoryMonitor, memoryGuard } from "./system/memory-monitor.ts";
import { HeldWrites } from "./websocket/held-writes.ts";
import { Listeners } from "./websocket/listeners.ts";
import { SlowConsumers, withSlowConsumers } from "./websocket/slow-consumers.ts";

export function build(deps: Dependencies, engine: Engine): Parts {
  const { config, clock, extensions, storage, log } = deps;
  // The same for all processes of one server: the name of the one that has started the others.
  const portGroup = deps.sharesPort ? nodeName(process.ppid) : undefined;
  const node = { id: crypto.randomUUID(), name: nodeName() };
  const startedAtMs = Date.now();
  const apps = createAppDirectory(deps, () => hub);
  const lag = new EventLoopLag(clock);
  const memory = new MemoryMonitor({ clock, markBytes: config.limits.memoryBytes, processes: config.workers });
  const drainState = new DrainState(clock);
  const room = new RoomMonitor({
    ...{ nodeId: node.id, portGroup, log },
    sockets: () => hub.connectionCount + extensions.endpoints.count,
    limit: () => hub.limits.connections,
  });
  const backend = appBackends(deps, () => hub);
  // The dashboard and the slow consumers need the hub, which asks them in turn, once it runs. Not to pass on what concerns no dashboard saves a client event a thirtieth.
  const dashboardGuard: Guard = {
    command: (connection, command) =>
      isReserved(connection.app) ? dashboard.guard.command?.(connection, command) : undefined,
  };
  const hub: Hub = buildHub(deps, {
    apps,
    engine,
    deciders: extensions.deciders(backend),
    guards: guardsFor(deps, { engine, memory, backend }, dashboardGuard),
    observers: deps.observers,
    observersOfAll: [(event) => dashboard.observe(event)],
    traffic: withSlowConsumers(storage.traffic, () => slowConsumers),
    node: () => ({
      ...node,
      startedAtMs,
      lagMs: lag.ms,
      memoryBytes: memory.usedBytes,
      draining: drainState.isDraining,
      ...(config.nodeUrl !== undefined && { url: config.nodeUrl }),
      ...((memory.isFull || room.isFull) && { unready: true }),
      // The hub asks for the id before it is made.
      get connectionsLimit() {
        return hub.limits.connections;
      },
      ...(portGroup !== undefined && { portGroup }),
    }),
  });
  hub.frameObserver = frameObserverFor(deps);
  const dashboard: Dashboard = new Dashboard({
    ...{ hub, config, clock, storage, node, ledger: engine.ledger, key: deps.dashboardKey },
    authorize: () => extensions.authorizeDashboard,
    // Of several processes on one port, none can have its clients sent to the others only.
    drain: deps.sharesPort ? undefined : (isOn) => drain.setDraining(isOn),
  });
  const slowConsumers: SlowConsumers = new SlowConsumers(hub);
  const ipConnectionLimiter = new IpConnectionLimiter(ipLimiterOptions(deps));
  const streams = new Streams();
  const relay = engine.name === "memory" ? undefined : new Relay({ hub, streams, ledger: engine.ledger });
  const sessions = new Sessions({
    ...{ streams, hub, relay, settings: config.http },
    isClosing: () => drainState.requests !== undefined,
  });
  if (relay) new OwnedSessions(sessions).start();
  const around = { nodeId: node.id, engine, startedAtMs, apps, hub, memory, room, lag, dashboard, drainState };
  const parts = { ...around, ipConnectionLimiter, slowConsumers, streams, sessions };
  const listeners = new Listeners(buildListenOptions(deps, parts));
  const heldWrites = new HeldWrites(listeners, clock, config.fanout.holdMs);
  const { endpoints } = extensions;
  const drain: DrainController = new DrainController({
    ...{ nodeId: node.id, settings: config, state: drainState, hub, listeners, endpoints, sessions },
  });
  return { ...parts, backend, listeners, heldWrites, drain, ...watchCluster(deps, parts) };
}

function watchCluster(
  { log, config, storage }: Dependencies,
  { nodeId, hub, engine, room, drainState }: Pick<Parts, "nodeId" | "hub" | "engine" | "room" | "drainState">,
): Pick<Parts, "rebalancer" | "clusterWatch"> {
  const rebalancer = new Rebalancer({
    ...{ nodeId, hub, log, settings: config.cluster },
    isDraining: () => drainState.isDraining,
    asked: (count) => storage.metrics.relocationAsked(count),
  });
  return { rebalancer, clusterWatch: new ClusterWatch({ hub, engine: engine.name, room, rebalancer }) };
}

interface HubParts extends Pick<HubOptions, "node" | "engine" | "deciders" | "observersOfAll"> {
  readonly apps: AppDirectory;
  readonly guards: readonly Guard[];
  readonly observers: readonly Observer[];
  readonly traffic: TrafficMeter;
}

export function buildHub(deps: Dependencies, { apps, engine, ...parts }: HubParts): Hub {
  const { config, clock, storage, extensions } = deps;
  const { jsonDepth } = config.limits;
  return new Hub({
    ...parts,
    engine: storage.tracing?.engine(engine) ?? engine,
    scheduleTurn,
    protocols: [
      pusherProtocol({ jsonDepth }),
      recoveringPusherProtocol({ jsonDepth }),
      nativeProtocol({ jsonDepth }),
      ...(deps.given.protocols ?? []),
    ],
    clock,
    appById: (id) => apps.byId(id),
    limits: hubLimits(deps),
    middleware: extensions.middleware,
    observersFlushed: storage.flushed,
    channels: extensions.channels,
  });
}

export function hubLimits({ config, maxConnections: connections }: Dependencies): HubLimits {
  const { activityTimeoutS, pongTimeoutS, publishWaitS, accessDoubtS, limits } = config;
  return {
    ...limits,
    connections,
    ...(connections < limits.connections && { connectionsLimitName: "the system's limit of open files" }),
    activityTimeoutS,
    pongTimeoutS,
    publishWaitS,
    ...(accessDoubtS !== undefined && { accessDoubtS }),
  };
}

/** Looking at each frame costs a little: undefined where the log would not show it. */
export function frameObserverFor({ config, log }: Dependencies): ReturnType<typeof logFrames> | undefined {
  return config.log.level === "debug" || config.log.level === "trace" ? logFrames(log) : undefined;
}

export function ipLimiterOptions({ config, clock }: Dependencies): IpConnectionLimiterOptions {
  return { ...config.limits, trustedProxies: config.trustedProxies, clock };
}

/** The back ends of apps with hooks. */
function appBackends({ config, clock, storage }: Dependencies, hub: () => Hub): Backend {
  return new Backend({
    ...{ clock, version: manifest.version, random: Math.random, settings: hookSettings(config) },
    answered: ({ id: app }, hook, outcome, seconds) => {
      storage.metrics.hookAnswered(app, hook, outcome, seconds);
      if (outcome === "unasked") return;
      const isTaken = outcome !== "failed";
      storage.receivers.attempted({ app, target: `hook:${hook}`, tookMs: seconds * 1000, isTaken });
    },
    turned: (app, hook, isDown, why) => {
      storage.metrics.hookTurned(app.id, hook, isDown);
      storage.receivers.rested(app.id, `hook:${hook}`, isDown);
      if (isDown) hub().observe({ type: "failed", error: new Error(why), during: `the hook ${hook} of ${app.id}` });
    },
    isRevoked: async (app, user, atMs) => {
      try {
        await hub().users.revocations.check(app, user, { atMs, outdated: () => new Error() });
        return false;
      } catch {
        // It was, or nobody can say.
        return true;
      }
    },
  });
}

/** The apps of one process of a server; where the program's answer about one changes, the connections follow. */
export function createAppDirectory({ config, clock, given }: Dependencies, hub: () => Hub): AppDirectory {
  if (!given.apps) return new AppDirectory(config);
  const provided = new ProvidedApps({
    provider: given.apps,
    clock,
    changed: (id, app) => void follow(hub(), directory, id, app),
    failed: (error, during) => hub().observe({ type: "failed", error, during }),
  });
  const directory = new AppDirectory(config, provided);
  return directory;
}

async function follow(hub: Hub, directory: AppDirectory, id: string, app: App | undefined): Promise<void> {
  if (app) hub.replaceApp(app);
  const connections = [...hub.connections()].filter((connection) => connection.app.id === id);
  await disconnectRejected(hub, connections, (connection) => disconnectReason(connection, directory, undefined));
}

/** In the order in which they are asked. The dashboard's comes first: its frames concern no other guard. */
function guardsFor(
  { config, clock, extensions, given }: Dependencies,
  { engine, memory, backend }: Pick<Parts, "engine" | "memory" | "backend">,
  dashboard: Guard,
): Guard[] {
  return [
    dashboard,
    memoryGuard(memory),
    originGuard(),
    extensions.tokenGuard(backend),
    apiRateGuard(engine, clock),
    replayGuard({
      clock,
      windowS: config.signatureWindowS,
      ...(engine.name !== "memory" && { ledger: engine.ledger }),
    }),
    ...(given.guards ?? []),
    ...(extensions.handlers.declared ? [extensions.handlers.declared.guard] : []),
    extensions.hooks.guard,
  ];
}
