/** What handshakes, sockets and requests need of the server. */

import type { Server as BunServer } from "bun";
import type { Config } from "../../config/schema/schema.ts";
import type { Connection } from "../../domain/connection.ts";
import type { Disconnect } from "../../domain/error.ts";
import type { Barrier } from "../../guards/ip.ts";
import type { IpConnectionLimiter } from "../../guards/ip-connection-limiter.ts";
import type { Hub } from "../../hub/hub.ts";
import type { DashboardEntry } from "../dashboard/dashboard.ts";
import type { MiddlewareStack } from "../embed/middleware.ts";
import type { EndpointConnection } from "../endpoints/endpoint-connection.ts";
import type { EndpointRegistry } from "../endpoints/endpoint-registry.ts";
import type { ResolveCaller } from "../http/caller.ts";
import type { RequestHandler } from "../http/router.ts";
import type { AdmissionOptions, RejectedClient } from "./admission.ts";
import type { SlowConsumers } from "./slow-consumers.ts";

export type SocketData = Connection | RejectedClient | EndpointConnection;
export type Listener = BunServer<SocketData>;

/** What a handshake needs: all but the ordinary requests. */
export type HandshakeOptions = Omit<ListenOptions, "handleRequest" | "handleApi">;

export interface ListenOptions {
  readonly config: Config;
  readonly hub: Hub;
  readonly admission: AdmissionOptions;
  readonly identify: ResolveCaller;
  readonly dashboard: DashboardEntry;
  /** Undefined where every address may connect. */
  readonly barrier: Barrier | undefined;
  /** Checks a client when its socket opens: during the handshake the configuration may have been reloaded. */
  readonly recheck: (connection: Connection) => Disconnect | undefined;
  readonly ipConnectionLimiter: IpConnectionLimiter;
  readonly slowConsumers: SlowConsumers;
  /** Whether other processes listen on the same port. */
  readonly sharesPort?: boolean;
  readonly isDraining: () => boolean;
  /** Called for each request. While the server stops, a request is the last on its connection, or comes too late. */
  readonly drainPhase: () => "last" | "too late" | undefined;
  readonly endpoints: EndpointRegistry;
  readonly middleware: Pick<MiddlewareStack, "handshake">;
  /** Why the process may not open another socket; undefined while it may. */
  readonly capacityError: () => Disconnect | undefined;
  /** Ordinary HTTP. */
  readonly handleRequest: RequestHandler;
  /** The same on the API's own port. */
  readonly handleApi: RequestHandler;
}
