/** What the program around the server brings to its door. It outlives each start and stop. */

import type { Logger } from "pino";
import type { AuthorizeDashboard } from "../../admin/access.ts";
import type { ControllerSettings } from "../../config/schema/controllers.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { Clock } from "../../domain/ports.ts";
import { TurnQueue } from "../../hub/turn-queue.ts";
import { DashboardKey } from "../dashboard/dashboard-key.ts";
import type { EndpointLimits } from "../endpoints/endpoint-connection.ts";
import { EndpointRegistry } from "../endpoints/endpoint-registry.ts";
import { loadControllers } from "../endpoints/load-controllers.ts";
import type { FetchHandler } from "../http/fetch-handler.ts";
import { scheduleTurn } from "../system/machine-clock.ts";
import { MiddlewareStack } from "./middleware.ts";

export interface ExtensionsOptions {
  /** Told to handlers. */
  readonly server: unknown;
  readonly config: () => Config;
  readonly log: Logger;
  readonly clock: Clock;
  /** Tells the log, and whoever listens to errors. */
  readonly failed: (error: unknown, during: string) => void;
}

export class Extensions {
  readonly server: unknown;
  readonly endpoints: EndpointRegistry;
  readonly middleware: MiddlewareStack;
  /** Once: they stay at their paths when the server stops and starts again. */
  #loading: Promise<void> | undefined;
  /** Ordinary HTTP, as far as it is none of the server's own. */
  fetch: FetchHandler | undefined;
  /** Who may see the dashboard. */
  authorizeDashboard: AuthorizeDashboard | undefined;
  /** Opens the dashboard where nobody has an account. */
  readonly dashboardKey: DashboardKey;

  constructor({ server, config, log, clock, failed }: ExtensionsOptions) {
    this.server = server;
    this.dashboardKey = new DashboardKey({ config, program: this, log });
    this.middleware = new MiddlewareStack(server);
    this.endpoints = new EndpointRegistry(
      {
        limits: memoizePerConfig(config, limitsOf),
        compresses: () => config().compression,
        nowMs: () => clock.monotonicMs(),
        pacer: new TurnQueue(clock, scheduleTurn),
        failed,
        middleware: this.middleware,
      },
      config().path,
    );
  }

  /** Throws ConfigError. */
  async load(controllers: readonly ControllerSettings[]): Promise<void> {
    this.#loading ??= loadControllers(controllers, this.server, (path, definition) => {
      this.endpoints.add(path, definition);
    });
    await this.#loading;
  }
}

/** Made anew when the configuration is another: it is asked for with every message. */
function memoizePerConfig<T>(config: () => Config, make: (config: Config) => T): () => T {
  let known: { readonly of: Config; readonly made: T } | undefined;
  return () => {
    const now = config();
    if (known?.of !== now) known = { of: now, made: make(now) };
    return known.made;
  };
}

/** What an endpoint takes unless it says otherwise. */
function limitsOf({ limits, activityTimeoutS, pongTimeoutS }: Config): EndpointLimits {
  const { frameBytes, outboundBufferBytes, readerLagS, waitingCommands, waitingBytes } = limits;
  return {
    maxSockets: Number.POSITIVE_INFINITY,
    frameBytes,
    outboundBufferBytes,
    readerLagS,
    messagesPerSecond: Number.POSITIVE_INFINITY,
    waitingMessages: waitingCommands,
    waitingBytes,
    idleTimeoutS: activityTimeoutS,
    pongTimeoutS,
    concurrent: false,
  };
}
