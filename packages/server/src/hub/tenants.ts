/** The apps of which this node has a connection or receives a channel: each appears with the first and goes with the last. */

import { type App, isReserved } from "../domain/app.ts";
import { type Channel, type ChannelKind, isInternal, kindOf, onlineChannel } from "../domain/channel.ts";
import type { Connection, Transport } from "../domain/connection.ts";
import type { Awaitable, Broker } from "../domain/ports.ts";
import { Audience } from "./audience.ts";
import type { Channels } from "./channels.ts";

export interface NodeStats {
  readonly apps: number;
  readonly connections: number;
  /** Those the server uses itself included. */
  readonly channels: number;
  readonly users: number;
}

/** What one app has on this node; the channels that the server uses itself are left out. */
export interface AppStats {
  readonly app: string;
  readonly connections: number;
  readonly subscriptions: number;
  readonly channels: Readonly<Record<ChannelKind, number>>;
  readonly transports: readonly TransportStats[];
}

/** Connections that speak the same protocol over the same transport. */
export interface TransportStats {
  readonly protocol: string;
  readonly transport: Transport;
  readonly connections: number;
  /** Those of them that are over TLS. */
  readonly encrypted: number;
}

export class Tenants implements Iterable<Tenant> {
  readonly #channels: Channels;
  readonly #broker: Broker;
  readonly #tenants = new Map<string, Tenant>();

  constructor(channels: Channels, broker: Broker) {
    this.#channels = channels;
    this.#broker = broker;
  }

  get(app: string): Tenant | undefined {
    return this.#tenants.get(app);
  }

  /** The app's, made where there is none. */
  of(app: App): Tenant {
    let tenant = this.#tenants.get(app.id);
    if (!tenant) {
      tenant = new Tenant(app, this.#channels, this.#broker);
      this.#tenants.set(app.id, tenant);
    }
    return tenant;
  }

  /** Whether anything may have been sent since then to a channel that the connection receives. */
  wasSentTo(connection: Connection, sinceMs: number): boolean {
    return this.get(connection.app.id)?.wasSentTo(connection, sinceMs) ?? false;
  }

  release(tenant: Tenant, audience: Audience): void {
    tenant.release(audience);
    this.dropIfEmpty(tenant);
  }

  dropIfEmpty(tenant: Tenant): void {
    if (tenant.isEmpty && this.#tenants.get(tenant.app.id) === tenant) this.#tenants.delete(tenant.app.id);
  }

  *connections(app?: Pick<App, "id">): Generator<Connection> {
    for (const tenant of app ? [this.#tenants.get(app.id)] : this.#tenants.values()) {
      if (tenant) yield* tenant.connections.values();
    }
  }

  /** The channel as this node knows it; undefined where none of its connections is in it. */
  knownChannel(app: App, name: string): Channel | undefined {
    return this.#tenants.get(app.id)?.audiences.get(name)?.channel;
  }

  /** Without the apps of the server's own use. */
  get nodeStats(): NodeStats {
    const stats = { apps: 0, connections: 0, channels: 0, users: 0 };
    for (const { connections, audiences, users } of this.#configured) {
      stats.apps++;
      stats.connections += connections.size;
      stats.channels += audiences.size;
      stats.users += users.size;
    }
    return stats;
  }

  get appStats(): readonly AppStats[] {
    return this.#configured.map(appStatsOf);
  }

  get #configured(): readonly Tenant[] {
    return [...this.#tenants.values()].filter(({ app }) => !isReserved(app));
  }

  [Symbol.iterator](): Iterator<Tenant> {
    return this.#tenants.values();
  }
}

/**
 * Connections that clients had before, by their ids. What such a one sent may be published only now, its client having come back
 * meanwhile by another connection: it is the client's own all the same.
 */
class FormerIds {
  /** More than one client may say so. */
  readonly #successors = new Map<string, Set<Connection>>();
  readonly #ids = new Map<Connection, Set<string>>();

  add(connection: Connection, ids: readonly string[]): void {
    const known = this.#ids.get(connection) ?? new Set();
    this.#ids.set(connection, known);
    for (const id of ids) {
      known.add(id);
      const successors = this.#successors.get(id) ?? new Set();
      this.#successors.set(id, successors.add(connection));
    }
  }

  remove(connection: Connection): void {
    const ids = this.#ids.get(connection);
    if (!ids) return;
    for (const id of ids) {
      const successors = this.#successors.get(id);
      if (successors?.delete(connection) && successors.size === 0) this.#successors.delete(id);
    }
    this.#ids.delete(connection);
  }

  get isEmpty(): boolean {
    return this.#successors.size === 0;
  }

  /** The connections of clients that had the one of that id before. */
  of(id: string): Iterable<Connection> {
    return this.#successors.get(id) ?? NO_SUCCESSORS;
  }
}

const NO_SUCCESSORS: readonly Connection[] = [];

/** Who is in more of them is not worth looking at each. */
const MANY_CHANNELS = 100;

export class Tenant {
  /** Replaced when the configuration is reloaded. */
  app: App;
  readonly connections = new Map<string, Connection>();
  readonly audiences = new Map<string, Audience>();
  readonly users = new Map<string, Set<Connection>>();
  readonly formerIds = new FormerIds();
  /** As of its channels: the greatest of theirs, also of those that are gone. */
  lastSentAtMs = Number.NEGATIVE_INFINITY;
  readonly #channels: Channels;
  readonly #broker: Broker;

  constructor(app: App, channels: Channels, broker: Broker) {
    this.app = app;
    this.#channels = channels;
    this.#broker = broker;
  }

  get isEmpty(): boolean {
    return this.connections.size === 0 && this.audiences.size === 0;
  }

  addUser(id: string, connection: Connection): void {
    const here = this.users.get(id) ?? new Set();
    this.users.set(id, here.add(connection));
  }

  /** The same app, with other settings: for those who are here as for those who come. */
  replaceApp(app: App): void {
    this.app = app;
    for (const connection of this.connections.values()) {
      connection.app = app;
      connection.checkAtMs = 0;
    }
    for (const audience of this.audiences.values()) audience.channel = this.#channels.of(app, audience.channel.name);
  }

  /** Whether the connection was one of the user's. */
  removeUser(id: string, connection: Connection): boolean {
    const here = this.users.get(id);
    if (!here?.delete(connection)) return false;
    if (here.size === 0) this.users.delete(id);
    return true;
  }

  wasSentTo(connection: Connection, sinceMs: number): boolean {
    // Where all is quiet the channels of each connection need not be gone through.
    if (this.lastSentAtMs < sinceMs) return false;
    if (connection.membershipCount > MANY_CHANNELS) return true;
    const isNews = (name: string) => (this.audiences.get(name)?.lastSentAtMs ?? 0) >= sinceMs;
    if (connection.channels().some(isNews)) return true;
    return connection.watchedUsers?.some((user) => isNews(onlineChannel(user))) ?? false;
  }

  /** The channel's audience, kept until released as often as it was retained. */
  retain(name: string): Audience {
    let audience = this.audiences.get(name);
    if (!audience) {
      audience = new Audience(this.app.id, this.#channels.of(this.app, name));
      this.audiences.set(name, audience);
    }
    if (audience.needsSubscribe) this.#attach(audience);
    audience.holders++;
    return audience;
  }

  release(audience: Audience): void {
    if (--audience.holders > 0) return;
    this.audiences.delete(audience.channel.name);
    this.#broker.unsubscribe(this.app.id, audience.channel.name);
  }

  #attach(audience: Audience): void {
    audience.needsSubscribe = false;
    const attached = this.#subscribe(audience.channel.name);
    if (!(attached instanceof Promise)) return;
    audience.subscribing = attached.then(
      () => {
        audience.subscribing = undefined;
      },
      (error) => {
        // Joins under way fail; the next one asks again.
        audience.needsSubscribe = true;
        throw error;
      },
    );
    // Only joins await it.
    audience.subscribing.catch(() => {});
  }

  #subscribe(channel: string): Awaitable<void> {
    try {
      return this.#broker.subscribe(this.app.id, channel);
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

function appStatsOf({ app, connections, audiences }: Tenant): AppStats {
  const channels = { public: 0, private: 0, presence: 0 };
  let subscriptions = 0;
  for (const { channel, size } of audiences.values()) {
    if (isInternal(channel.name) || size === 0) continue;
    channels[kindOf(channel.traits)]++;
    subscriptions += size;
  }
  const transports = transportStatsOf(connections.values());
  return { app: app.id, connections: connections.size, subscriptions, channels, transports };
}

function transportStatsOf(connections: Iterable<Connection>): readonly TransportStats[] {
  const found: { -readonly [K in keyof TransportStats]: TransportStats[K] }[] = [];
  for (const { protocol, transport, isEncrypted } of connections) {
    let same = found.find((one) => one.transport === transport && one.protocol === protocol.name);
    if (!same) {
      same = { protocol: protocol.name, transport, connections: 0, encrypted: 0 };
      found.push(same);
    }
    same.connections++;
    same.encrypted += Number(isEncrypted);
  }
  return found;
}
