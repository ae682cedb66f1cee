/** A server as its program meets it at the door and in its first app. What it takes to run is elsewhere. */

import type { AuthorizeDashboard } from "../../admin/access.ts";
import { isUnixSocketPath } from "../../config/schema/fields.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { User } from "../../domain/message.ts";
import { type Controller, type ControllerClass, definitionOf } from "../endpoints/controller.ts";
import type { Endpoint, EndpointDefinition, EndpointOptions } from "../endpoints/endpoint.ts";
import type { FetchHandler } from "../http/fetch-handler.ts";
import type { Listeners } from "../websocket/listeners.ts";
import type { AppHandle, ChannelStats, PresenceList } from "./app-handle.ts";
import type { Connections } from "./connections.ts";
import type { Extensions } from "./extensions.ts";
import type { Context, Contexts, Middleware } from "./middleware.ts";
import type { ConnectionTarget, Target } from "./targets.ts";
import type { Pushable } from "./types.ts";

/** Where clients reach it, and where its API is. */
export type Place = Pick<Listeners, "hostname" | "port" | "apiHostname" | "apiPort">;

export abstract class Front<E extends object, U extends User> {
  /** What it runs with. */
  abstract readonly config: Config;
  protected abstract readonly program: Extensions;
  /** Throws while it does not listen. */
  protected abstract readonly place: Place;
  /** Throws ConfigError, and an Error while it runs. */
  protected abstract configure(change: Partial<Config>): void;

  /** One app, by id or key; without a name, the first. */
  abstract app(idOrKey?: string): AppHandle<E, U>;

  // ---- where it is

  get url(): string {
    return this.#urlOf(this.place.hostname, this.place.port);
  }

  /** Where API calls go: the same, unless they have a port of their own (`tls.api`). */
  get apiUrl(): string {
    return this.#urlOf(this.place.apiHostname, this.place.apiPort);
  }

  /**
   * Where the dashboard is. In development, where nobody has an account, with the key that lets one in: for whoever started
   * the server, and not for a page or a log that others see. Undefined where there is no dashboard.
   */
  get dashboardUrl(): string | undefined {
    const { dashboard, path } = this.config;
    if (!dashboard.enabled) return undefined;
    const key = this.program.dashboardKey.value;
    return `${this.url}${path}${dashboard.path}/${key === undefined ? "" : `?key=${key}`}`;
  }

  get port(): number {
    return this.place.port;
  }

  #urlOf(hostname: string, port: number): string {
    if (isUnixSocketPath(hostname)) return `unix:${hostname}`;
    const host = hostname === "0.0.0.0" || hostname === "::" ? "127.0.0.1" : hostname;
    return `${this.config.tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  // ---- single settings, before it starts; each throws ConfigError, and an Error while the server runs

  /** `limits.connections`, of each process. */
  setMaxClients(most: number): this {
    this.configure({ limits: { ...this.config.limits, connections: most } });
    return this;
  }

  /** `activityTimeoutS`: silence after which either side asks whether the other is there. */
  setPingInterval(seconds: number): this {
    this.configure({ activityTimeoutS: seconds });
    return this;
  }

  /** `log.level`: messages are logged, with their secrets masked. */
  enableDebug(): this {
    this.configure({ log: { ...this.config.log, level: "debug" } });
    return this;
  }

  // ---- the first app

  toChannel(name: string): Target<E> {
    return this.app().toChannel(name);
  }

  toUser(id: string | number): Target<E> {
    return this.app().toUser(id);
  }

  toConnection(id: string): ConnectionTarget<E> {
    return this.app().toConnection(id);
  }

  channels(prefix?: string): ReturnType<AppHandle["channels"]> {
    return this.app().channels(prefix);
  }

  channel(name: string): ReturnType<AppHandle["channel"]> {
    return this.app().channel(name);
  }

  history(...query: Parameters<AppHandle["history"]>): ReturnType<AppHandle["history"]> {
    return this.app().history(...query);
  }

  members(name: string): ReturnType<AppHandle["members"]> {
    return this.app().members(name);
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

  // ---- the program's own, on the server's port

  /**
   * Hands every HTTP request that is none of the server's own (`/apps/…`, `/health`) to this handler, instead of the page
   * for newcomers; nothing, after `mount(undefined)`. Also while the server runs.
   */
  mount(handler: FetchHandler<this> | undefined): this {
    this.program.fetch = handler as FetchHandler | undefined;
    return this;
  }

  /**
   * Says of each request whether its sender may see the dashboard, and as what: "view", "operate", "admin", `{ name, role }` or
   * false. Then it alone decides: passwords and tokens of the configuration sign nobody in. Also while the server runs.
   */
  authorizeDashboard(authorize: AuthorizeDashboard | undefined): this {
    this.program.authorizeDashboard = authorize;
    return this;
  }

  /**
   * Opens WebSockets at this path, with all of the payload in the handlers' hands: `/rooms/:room`, `/files/*`. Also while the
   * server runs. Throws TypeError where the path is taken or the server's own, RangeError where a limit is above the server's.
   */
  websocket<D = unknown>(path: string, definition: EndpointDefinition<D>): Endpoint<D> {
    return this.program.endpoints.add(path, definition);
  }

  /**
   * An endpoint as a class, which is made with the server, or as an object of such callbacks. What it leaves out is done as by
   * default. Throws as `websocket` does, and TypeError where it has no callback, or one that does not exist.
   */
  controller<D = unknown>(
    path: string,
    controller: Controller<D> | ControllerClass<this, D>,
    options?: EndpointOptions,
  ): Endpoint<D> {
    const definition = definitionOf(controller as Controller | ControllerClass<never>, this, options);
    return this.websocket<D>(path, definition as EndpointDefinition<D>);
  }

  /**
   * Puts it around every handshake, message and HTTP request, or those of one kind, inside what is there already. Also while
   * the server runs. Throws TypeError where there is no such kind.
   */
  use(middleware: Middleware<Context<this, U>>): this;
  use<Kind extends keyof Contexts>(kind: Kind, middleware: Middleware<Contexts<this, U>[Kind]>): this;
  use(first: keyof Contexts | Middleware<never>, second?: Middleware<never>): this {
    if (typeof first === "function") this.program.middleware.use(undefined, first);
    else this.program.middleware.use(first, second);
    return this;
  }
}
