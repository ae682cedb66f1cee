/** What the embedding program adds to its server: hooks, handlers, endpoints, middleware. It outlives each start and stop. */

import { randomUUID } from "node:crypto";
import type { Declaration } from "@fanfare/schema";
import type { AuthorizeDashboard } from "../../admin/sessions.ts";
import type { Backend } from "../../backend/backend.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { App } from "../../domain/app.ts";
import { CommandError, Disconnect } from "../../domain/error.ts";
import type { User } from "../../domain/message.ts";
import type { Clock, Guard } from "../../domain/ports.ts";
import { consistentUserInfo } from "../../domain/user-info.ts";
import { type MoreAuthority, tokenGuard, tokenVerifier, userOfToken } from "../../guards/token.ts";
import { Channels } from "../../hub/channels.ts";
import { checkUserId } from "../../hub/limits.ts";
import type { Deciders } from "../../hub/options.ts";
import { TurnQueue } from "../../hub/turn-queue.ts";
import { loadControllers } from "../endpoints/controller.ts";
import type { EndpointLimits } from "../endpoints/endpoint-connection.ts";
import { EndpointRegistry } from "../endpoints/endpoint-registry.ts";
import type { EndpointHost } from "../endpoints/registered-endpoint.ts";
import type { FetchHandler } from "../http/router.ts";
import { scheduleTurn } from "../system/machine-clock.ts";
import { DeclaredEvents, EventHandlers, loadDeclaration } from "./declared-events.ts";
import { type HookHost, Hooks } from "./hooks.ts";
import { MiddlewareStack } from "./middleware.ts";
import type { Authenticator, NewUser } from "./types.ts";

/** The server around the extensions, running or not. */
export interface ExtensionsHost extends HookHost {
  readonly config: Config;
}

export class Extensions {
  /** The public server object, which handlers get. */
  readonly server: unknown;
  readonly hooks: Hooks;
  readonly handlers: EventHandlers;
  readonly endpoints: EndpointRegistry;
  readonly middleware: MiddlewareStack;
  /** Rules that the program gave single channels. */
  readonly channels = new Channels();
  /** Answers HTTP requests that are none of the server's own. */
  fetch: FetchHandler | undefined;
  authorizeDashboard: AuthorizeDashboard | undefined;
  authenticator: Authenticator | undefined;
  /** Once: controllers stay at their paths when the server stops and starts again. */
  #loading: Promise<void> | undefined;
  readonly #verify = tokenVerifier();

  constructor(server: unknown, host: ExtensionsHost, clock: Clock, events?: Declaration) {
    this.server = server;
    this.hooks = new Hooks(host);
    this.handlers = new EventHandlers(this.hooks);
    if (events) this.handlers.declared = new DeclaredEvents(events);
    this.middleware = new MiddlewareStack(server);
    const limits = memoizePerConfig(() => host.config, limitsOf);
    const { middleware } = this;
    const endpointHost: EndpointHost = {
      clock,
      turnQueue: new TurnQueue(clock, scheduleTurn),
      failed: (error, during) => host.failed(error, during),
      get limits() {
        return limits();
      },
      get compresses() {
        return host.config.compression;
      },
      get messageMiddleware() {
        return middleware.frame;
      },
    };
    this.endpoints = new EndpointRegistry(endpointHost, host.config.path);
  }

  /** Loads the files that the configuration names. Throws ConfigError. */
  async load(config: Pick<Config, "controllers" | "events">): Promise<void> {
    this.#loading ??= this.#load(config);
    await this.#loading;
  }

  async #load({ controllers, events }: Pick<Config, "controllers" | "events">): Promise<void> {
    if (events !== undefined) this.handlers.declared = new DeclaredEvents(await loadDeclaration(events));
    await loadControllers(controllers, this.server, (path, definition) => {
      this.endpoints.add(path, definition);
    });
  }

  /** Checks the token of a handshake: a JWT, or whatever the program's authenticator or the app's back end takes. */
  tokenGuard(backend: Backend): Guard {
    const more: MoreAuthority = {
      hasMore: ({ hooks }) => this.authenticator !== undefined || hooks?.authenticate !== undefined,
      authenticate: (connection, credentials) =>
        this.authenticator
          ? authenticateHandshake(this.authenticator, connection.app, credentials)
          : backend.authenticate(connection, credentials),
      backEnd: backend,
    };
    return tokenGuard(more, this.#verify);
  }

  /** Until when the token is good, where it says so; undefined also where others than its issuer may take it. Throws CommandError. */
  async endOfToken(app: App, token: string): Promise<number | undefined> {
    if (this.authenticator || app.hooks) return undefined;
    return (await userOfToken(this.#verify, app, token)).expiresAtMs;
  }

  /** What the program decides, and where it does not, the app's back end. */
  deciders(backend: Backend): Deciders {
    return {
      handleCall: (connection, event, data) =>
        this.handlers.call(connection, event, data, backend.handlerOf(connection.app, event)),
      authorize: (connection, command) =>
        this.hooks.hasListener("authorize", command.channel)
          ? this.hooks.authorize(connection, command.channel)
          : backend.authorize(connection, command, false),
      authorizeWatching: (connection, command) =>
        this.hooks.hasListener("watch", command.channel)
          ? this.hooks.authorizeWatching(connection, command.channel)
          : backend.authorizeWatching(connection, command),
      confirm: (connection, command) => backend.authorize(connection, command, true),
      authenticate: (connection, credentials) =>
        this.authenticator
          ? authenticate(this.authenticator, connection.app, credentials)
          : backend.authenticate(connection, credentials),
      moderate: (connection, publication) => backend.moderate(connection, publication),
      refresh: (connection) => backend.refresh(connection),
    };
  }
}

/** Computed again only when the configuration object is another: it is asked for with every message. */
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

/** Asks the program which user a client is, and checks its answer. */
async function authenticate(
  ask: Authenticator,
  app: App,
  credentials: Readonly<Record<string, unknown>>,
): Promise<User | false> {
  const said: unknown = await ask(credentials, app);
  const answer = said === true ? { id: nameIn(credentials) } : said;
  if (answer === false || answer === null || answer === undefined) return false;
  if (typeof answer !== "object" || !("id" in answer) || !isId(answer.id)) {
    throw new TypeError("The authenticator has to return a user, such as { id: credentials.username }, true or false.");
  }
  const { infoText: _, ...known } = answer as NewUser;
  const user = { ...known, ...consistentUserInfo(answer as NewUser), id: String(answer.id) };
  checkUserId(app, user.id);
  return user;
}

/** During a handshake a refusal closes the connection. */
async function authenticateHandshake(...args: Parameters<typeof authenticate>): Promise<User | false> {
  try {
    return await authenticate(...args);
  } catch (error) {
    throw error instanceof CommandError ? new Disconnect("token_invalid", error.message) : error;
  }
}

/** The user's id where the program answers only that the credentials are valid: the username in them, or a random id. */
function nameIn({ username }: Readonly<Record<string, unknown>>): string | number {
  return isId(username) ? username : randomUUID();
}

function isId(id: unknown): id is string | number {
  return typeof id === "string" || typeof id === "number";
}
