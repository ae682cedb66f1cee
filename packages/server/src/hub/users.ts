/** Who is signed in on this node, who watches whom, and how the rest of the cluster is notified. */

import type { App } from "../domain/app.ts";
import { onlineChannel } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError, Disconnect, isEngineAway } from "../domain/error.ts";
import type { ReplacedPublication, User } from "../domain/message.ts";
import type { Awaitable } from "../domain/ports.ts";
import type { HubContext } from "./context.ts";
import { type AuthProof, Revocations } from "./revocations.ts";
import type { Tenant } from "./tenants.ts";

/** Why the connections of a user end who is terminated. */
export const TERMINATED = "The app's back end ended this user's connections.";

export class Users {
  readonly #context: HubContext;
  readonly #disconnect: (connection: Connection, why: Disconnect) => void;
  readonly revocations: Revocations;
  /** Those whose entry is being written: what writes it also removes it when the connection closes meanwhile. */
  readonly #signingIn = new Set<Connection>();
  /** Those that take the place of their user's others, until the engine's order says so: no other takes theirs before. */
  readonly #replacing = new Set<Connection>();

  constructor(context: HubContext, disconnect: (connection: Connection, why: Disconnect) => void) {
    this.#context = context;
    this.#disconnect = disconnect;
    this.revocations = new Revocations(context, (tenant, user, untilMs) => this.#disconnectUser(tenant, user, untilMs));
  }

  /**
   * Makes the connection one of this user's. Throws when it already is another's, when the user was terminated after
   * it was authenticated, or when the engine is away.
   */
  async signIn(connection: Connection, user: User, proof: AuthProof): Promise<void> {
    if (connection.closed) return;
    if (connection.user && connection.user.id !== user.id) {
      throw new CommandError("already_signed_in", `This connection is already signed in as ${connection.user.id}.`);
    }
    const wasProven = connection.isAuthenticated;
    // A client that brings proof in time has all the time that the engine takes.
    connection.isAuthenticated = true;
    try {
      if (connection.user) await this.#renew(connection, user, proof);
      else await this.#enter(connection, user, proof);
    } catch (error) {
      if (!isEngineAway(error)) connection.isAuthenticated = wasProven;
      throw error;
    }
  }

  /** Notifies the connection when these users come online and go offline; returns who is online now. */
  async watch(connection: Connection, users: readonly string[]): Promise<readonly string[]> {
    if (connection.closed) return [];
    const tenant = this.#context.tenants.of(connection.app);
    const watched = [...new Set(users)];
    const audiences = watched.map((user) => tenant.retain(onlineChannel(user)));
    this.#unwatch(tenant, connection);
    connection.watchedUsers = watched;
    for (const audience of audiences) audience.addSubscriber(connection, this.#context.fanout);
    try {
      await Promise.all(audiences.map((audience) => audience.subscribing));
      const app = connection.app.id;
      const found = await Promise.all(watched.map((user) => this.#context.registry.members(app, onlineChannel(user))));
      return watched.filter((_, index) => (found[index]?.length ?? 0) > 0);
    } catch (error) {
      this.#unwatch(tenant, connection);
      throw error;
    }
  }

  /** The connection is gone: it is no user's any more, and watches none. In the background, and never throws. */
  removeConnection(tenant: Tenant, connection: Connection): void {
    if (connection.user || connection.watchedUsers) this.#removeInBackground(tenant, connection);
  }

  #removeInBackground(tenant: Tenant, connection: Connection): void {
    this.#context.runInBackground(() => this.#remove(tenant, connection));
  }

  #remove(tenant: Tenant, connection: Connection): Awaitable<void> {
    this.#unwatch(tenant, connection);
    const { user } = connection;
    if (!user || !tenant.removeUser(user.id, connection) || this.#signingIn.has(connection)) return;
    return this.#exit(tenant, connection, user);
  }

  /** The engine's order decides between two that come at once: the later one stays. */
  replace(tenant: Tenant, { user, connection: id }: ReplacedPublication): void {
    const newest = tenant.connections.get(id);
    if (newest) this.#replacing.delete(newest);
    const why = new Disconnect(
      "replaced",
      "The user has connected elsewhere, and may have one connection (singleConnection).",
    );
    for (const connection of [...(tenant.users.get(user) ?? [])]) {
      if (connection !== newest && !this.#replacing.has(connection)) this.#disconnect(connection, why);
    }
  }

  #disconnectUser(tenant: Tenant, user: string, untilMs: number): void {
    const why = new Disconnect("terminated", TERMINATED);
    for (const connection of [...(tenant.users.get(user) ?? [])]) {
      if (connection.authenticatedAtMs <= untilMs) this.#disconnect(connection, why);
    }
  }

  async #renew(connection: Connection, user: User, proof: AuthProof): Promise<void> {
    await this.revocations.check(connection.app, user.id, proof);
    if (connection.closed) return;
    connection.user = user;
    connection.authenticatedAtMs = Math.max(connection.authenticatedAtMs, proof.atMs);
  }

  async #enter(connection: Connection, user: User, proof: AuthProof): Promise<void> {
    const tenant = this.#context.tenants.of(connection.app);
    const audience = tenant.retain(onlineChannel(user.id));
    connection.user = user;
    connection.authenticatedAtMs = proof.atMs;
    tenant.addUser(user.id, connection);
    this.#signingIn.add(connection);
    if (connection.app.singleConnection === "replace") this.#replacing.add(connection);
    let isHere = false;
    try {
      await audience.subscribing;
      if (connection.closed) return;
      await this.revocations.check(connection.app, user.id, proof);
      if (connection.closed) return;
      await this.#takeSinglePlace(connection, user);
      await this.#context.registry.join(onlineEntry(connection, user), Number.POSITIVE_INFINITY);
      if (this.#replacing.has(connection)) await this.#context.broker.publish(replacedBy(connection, user));
      isHere = !connection.closed;
    } finally {
      this.#signingIn.delete(connection);
      if (!isHere) {
        this.#replacing.delete(connection);
        tenant.removeUser(user.id, connection);
        if (!connection.closed) connection.user = undefined;
        // An entry may have been written even where the answer was lost.
        await this.#exit(tenant, connection, user);
      }
    }
  }

  async #takeSinglePlace({ app, id }: Connection, user: User): Promise<void> {
    if (app.singleConnection !== "refuse" || (await this.#context.ledger.acquire(placeOf(app, user), id, 1))) return;
    throw new Disconnect(
      "quota_exceeded",
      "The user is connected already, and may have one connection (singleConnection).",
    );
  }

  async #exit(tenant: Tenant, connection: Connection, user: User): Promise<void> {
    const audience = tenant.audiences.get(onlineChannel(user.id));
    const { app, id } = connection;
    this.#replacing.delete(connection);
    try {
      if (app.singleConnection === "refuse") await this.#context.ledger.release(placeOf(app, user), id);
      const held = this.#context.held.of(connection);
      if (held) await held;
      await this.#context.registry.leave(onlineEntry(connection, user));
    } finally {
      if (audience) this.#context.tenants.release(tenant, audience);
    }
  }

  #unwatch(tenant: Tenant, connection: Connection): void {
    if (!connection.watchedUsers) return;
    for (const user of connection.watchedUsers) {
      const audience = tenant.audiences.get(onlineChannel(user));
      if (!audience) continue;
      audience.removeSubscriber(connection, this.#context.fanout);
      this.#context.tenants.release(tenant, audience);
    }
    connection.watchedUsers = undefined;
  }
}

function placeOf(app: App, user: User): string {
  return JSON.stringify(["single", app.id, user.id]);
}

function replacedBy({ app, id }: Connection, user: User): ReplacedPublication {
  return { type: "replaced", app: app.id, channel: onlineChannel(user.id), user: user.id, connection: id };
}

function onlineEntry(connection: Connection, user: User) {
  const channel = onlineChannel(user.id);
  return { app: connection.app.id, channel, connection: connection.id, member: { id: user.id, info: null } };
}
