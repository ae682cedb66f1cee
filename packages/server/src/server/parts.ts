/** What a serving process is built from, and the parts that it is built of. */

import type { Logger } from "pino";
import type { AppDirectory } from "../apps/app-directory.ts";
import type { Backend } from "../backend/backend.ts";
import type { Config } from "../config/schema/schema.ts";
import type { Clock, Engine, Observer } from "../domain/ports.ts";
import type { IpConnectionLimiter } from "../guards/ip-connection-limiter.ts";
import type { Hub } from "../hub/hub.ts";
import type { RoomMonitor } from "./cluster/room-monitor.ts";
import type { Dashboard } from "./dashboard/dashboard.ts";
import type { DashboardKey } from "./dashboard/dashboard-key.ts";
import type { Extensions } from "./embed/extensions.ts";
import type { MetricsRouteOptions } from "./http/metrics-route.ts";
import type { Implementations } from "./implementations.ts";
import type { ClusterWatch } from "./lifecycle/cluster-watch.ts";
import type { DrainController, DrainState } from "./lifecycle/drain-controller.ts";
import type { Rebalancer } from "./lifecycle/rebalancer.ts";
import type { Storage } from "./storage/storage.ts";
import type { Streams } from "./streams/http-socket.ts";
import type { Sessions } from "./streams/sessions.ts";
import type { EventLoopLag } from "./system/machine-clock.ts";
import type { MemoryMonitor } from "./system/memory-monitor.ts";
import type { HeldWrites } from "./websocket/held-writes.ts";
import type { Listeners } from "./websocket/listeners.ts";
import type { SlowConsumers } from "./websocket/slow-consumers.ts";

/** What a serving process is built from. A reload brings another one, of which only the configuration counts. */
export interface Dependencies {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly maxConnections: number;
  /** Where the generated demo app is stored, where there is one. */
  readonly demoFile: string | undefined;
  readonly extensions: Extensions;
  /** What the program gave beside the configuration. */
  readonly given: Implementations;
  readonly storage: Storage;
  readonly observers: readonly Observer[];
  /** The numbers of `/metrics`: of several workers, of all together. */
  readonly scrape: MetricsRouteOptions["scrape"];
  readonly dashboardKey: DashboardKey;
  /** Of several processes that are one server; without it, the one that is configured. */
  readonly engine?: Engine;
  /** Other processes listen on the same port. */
  readonly sharesPort?: boolean;
}

/** The parts of a serving process. */
export interface Parts {
  /** Another at each start. */
  readonly nodeId: string;
  readonly engine: Engine;
  readonly startedAtMs: number;
  readonly apps: AppDirectory;
  readonly backend: Backend;
  readonly hub: Hub;
  readonly memory: MemoryMonitor;
  readonly room: RoomMonitor;
  readonly lag: EventLoopLag;
  readonly ipConnectionLimiter: IpConnectionLimiter;
  readonly slowConsumers: SlowConsumers;
  readonly dashboard: Dashboard;
  /** Clients without a WebSocket. */
  readonly streams: Streams;
  readonly sessions: Sessions;
  readonly listeners: Listeners;
  readonly heldWrites: HeldWrites;
  readonly drainState: DrainState;
  readonly drain: DrainController;
  readonly rebalancer: Rebalancer;
  readonly clusterWatch: ClusterWatch;
}
