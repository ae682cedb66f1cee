/** What programs import: a server to embed, the types it speaks of, and the errors it throws. */

import type { AnyDeclaration, Declaration } from "@fanfare/schema";
import type { AuthorizeDashboard } from "./admin/sessions.ts";
import type { AppProvider } from "./apps/provided-apps.ts";
import { type ConfigInput, parseConfig, type SettingsInput } from "./config/load.ts";
import type { User } from "./domain/message.ts";
import type { Awaitable, Engine, EngineFactory } from "./domain/ports.ts";
import { parseDeclaration } from "./server/embed/declared-events.ts";
import type { FetchContext } from "./server/http/router.ts";
import { type Implementations, isProvider } from "./server/implementations.ts";
import type { LaunchOptions } from "./server/lifecycle/status.ts";
import { Server } from "./server/server.ts";

/** What a configuration file takes, and a handler of the HTTP requests that are none of the server's own. */
export type ServerOptions<D extends Declaration = AnyDeclaration, U extends User = User> = SettingsInput & {
  /** "memory", "redis" or "nats" with the settings of that name; or an engine of one's own (`fanfare/engine`). */
  engine?: ConfigInput["engine"] | Engine | EngineFactory;
  /** A list; or a provider that looks up apps, for example in the program's database. */
  apps?: ConfigInput["apps"] | AppProvider;
  /**
   * The declaration of the application's events (`defineEvents` of `@fanfare/schema`), or the file that exports one. It types channels,
   * events and calls; what clients publish and call is checked by it, and refused if it is not as declared.
   */
  events?: D | string;
  /** Decide before something happens: a connection, a command, a publication, an API call. Asked after the server's own guards. */
  guards?: Implementations["guards"];
  /** Functions that receive what happened, and sinks for the statistics of each app. */
  observers?: Implementations["observers"];
  /** Further protocols. Clients reach one at the path of its name: `ws://host/NAME?app=KEY`. */
  protocols?: Implementations["protocols"];
  fetch?(request: Request, context: FetchContext<Server<Declared<NoInfer<D>>, NoInfer<U>>>): Awaitable<Response>;
  /** Whether the sender may see the dashboard, and as what. Then it alone decides. */
  authorizeDashboard?: AuthorizeDashboard;
  /**
   * Whether SIGTERM and SIGINT stop the server, its clients drained, before they end the process. `true` by default. Where the
   * program listens to the signal itself, the server is stopped all the same, and ending the process is left to the program.
   */
  handleSignals?: boolean;
};

/** Of a declaration that the compiler knows nothing of, such as one from a file, everything is allowed. */
type Declared<D extends Declaration> = Declaration extends D ? AnyDeclaration : D;

/**
 * Makes a server; `start()` makes it listen. Throws ConfigError, one line for each problem. `D` is the type of
 * `options.events`, and `U` that of the users, for the compiler only. `launch.source` is where `reload()` gets settings from.
 */
export function createServer<D extends Declaration = AnyDeclaration, U extends User = User>(
  options: ServerOptions<D, U> = {},
  launch: LaunchOptions = {},
): Server<Declared<D>, U> {
  const { fetch, authorizeDashboard, handleSignals = true, guards, observers, protocols, ...settings } = options;
  const { engine, apps, events, ...others } = settings;
  const config = {
    ...others,
    ...(typeof engine === "string" && { engine }),
    ...(apps !== undefined && !isProvider(apps) && { apps }),
    ...(typeof events === "string" && { events }),
  };
  const given: Implementations = {
    ...(typeof engine !== "string" && { engine }),
    ...(isProvider(apps) && { apps }),
    ...(events !== undefined && typeof events !== "string" && { events: parseDeclaration(events) }),
    ...{ guards, observers, protocols },
  };
  const server = new Server<Declared<D>, U>(
    parseConfig(config),
    { handleSignals, ...launch },
    given,
  ).authorizeDashboard(authorizeDashboard);
  return fetch ? server.mount(fetch) : server;
}

export type { Role } from "./admin/api-types.ts";
export type { AuthorizeDashboard } from "./admin/sessions.ts";
export type { AppProvider } from "./apps/provided-apps.ts";
export type { ChannelOptions } from "./config/channel-options.ts";
export { type Config, ConfigError, type ConfigInput, defineConfig, readConfig } from "./config/load.ts";
export type { App } from "./domain/app.ts";
export type { AppStatistics } from "./domain/app-statistics.ts";
export type { Connection } from "./domain/connection.ts";
export {
  CommandError,
  type CommandErrorCode,
  type CommandErrorDetails,
  Disconnect,
  type DisconnectCode,
} from "./domain/error.ts";
export type { HubEvent } from "./domain/hub-event.ts";
export type {
  CloseFrame,
  Command,
  EventPublication,
  Member,
  Push,
  User,
} from "./domain/message.ts";
export type {
  ClusterShares,
  Engine,
  EngineFactory,
  Guard,
  Observer,
  SignedCall,
  StatisticsSink,
} from "./domain/ports.ts";
export type { Frame, Protocol } from "./domain/transport.ts";
export type { ListedConnection } from "./hub/connection-list.ts";
export type { Reached } from "./hub/steering.ts";
export type {
  KickOptions,
  PutConnectionOptions,
  PutOptions,
  ReconnectOptions,
  SteerOptions,
} from "./server/embed/acts.ts";
export type { AppHandle, ChannelStats, PresenceList, Present } from "./server/embed/app-handle.ts";
export type {
  ChannelHandle,
  ChannelHistory,
  ChannelInfo,
  HistoryEvent,
  HistoryQuery,
  PurgeOptions,
} from "./server/embed/channel-handle.ts";
export type {
  ChannelEvent,
  ChannelListener,
  ChannelSubscription,
  SubscribeOptions,
} from "./server/embed/channel-subscription.ts";
export type { ConnectionPage, ConnectionQuery, Connections } from "./server/embed/connections.ts";
export type {
  CommandContext,
  Context,
  FrameContext,
  HandshakeContext,
  MessageContext,
  Middleware,
  Next,
  RequestContext,
} from "./server/embed/middleware.ts";
export { allowIps, allowOrigins, type RateOptions, rateLimit } from "./server/embed/middleware-presets.ts";
export type { ConnectionTarget, Target } from "./server/embed/targets.ts";
export type {
  Authenticator,
  CallHandler,
  ChannelPush,
  Client,
  Ending,
  Handler,
  HookTypes,
  Message,
  NewMember,
  NewPermission,
  NewUser,
  Presence,
  UserPush,
} from "./server/embed/types.ts";
export type { UserHandle } from "./server/embed/user-handle.ts";
export type { Controller, ControllerClass } from "./server/endpoints/controller.ts";
export type {
  Endpoint,
  EndpointDefinition,
  EndpointHandlers,
  EndpointOptions,
  EndpointSocket,
  EndpointSockets,
  Params,
  Raw,
  Welcome,
} from "./server/endpoints/endpoint.ts";
export type { FetchContext, FetchHandler } from "./server/http/router.ts";
export type { AppChanges, Reloaded } from "./server/lifecycle/reload.ts";
export type { AppStats, ChannelCount, LaunchOptions, Stats, Status } from "./server/lifecycle/status.ts";
export type { Server } from "./server/server.ts";
export type { TaskOptions } from "./tasks/tasks.ts";
export { TaskError, type TaskErrorCode } from "./tasks/tasks.ts";
