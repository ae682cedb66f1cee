/** Who is signed in on this node, who watches whom, and what the rest of the cluster is told of it. */

import { onlineChannel } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError, Disconnect } from "../domain/error.ts";
import type { User } from "../domain/message.ts";
import type { Registry } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";
import type { Tenant } from "./tenant.ts";

interface Host {
  readonly registry: Registry;
  tenant(app: Connection["app"]): Tenant;
  release(tenant: Tenant, audience: Audience): void;
  disconnect(connection: Connection, why: Disconnect): void;
}

export class Users {
  readonly #host: Host;
  /** Those whose row is being written: whoever writes it also takes it back when the connection closes meanwhile. */
  readonly #arriving = new Set<Connection>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** Makes the connection one of this user's. Throws when it already is another's, or when the engine is away. */
  async signIn(connection: Connection, user: User): Promise<void> {
    if (connection.closed) return;
    if (connection.user && connection.user.id !== user.id) {
      throw new CommandError("already_signed_in", `This connection is already signed in as ${connection.user.id}.`);
    }
    connection.proven = true;
    const again = connection.user !== undefined;
    connection.user = user;
    if (!again) await this.#enter(connection, user);
  }

  /** Tells the connection of these users' coming and going from now on; returns who is online now. */
  async watch(connection: Connection, users: readonly string[]): Promise<readonly string[]> {
    if (connection.closed) return [];
    const tenant = this.#host.tenant(connection.app);
    const watched = [...new Set(users)];
    const audiences = watched.map((user) => tenant.retain(onlineChannel(user)));
    this.#unwatch(tenant, connection);
    connection.watching = watched;
    for (const audience of audiences) audience.tune(connection);
    try {
      await Promise.all(audiences.map((audience) => audience.attached));
      const app = connection.app.id;
      const found = await Promise.all(watched.map((user) => this.#host.registry.members(app, onlineChannel(user))));
      return watched.filter((_, index) => (found[index]?.length ?? 0) > 0);
    } catch (error) {
      this.#unwatch(tenant, connection);
      throw error;
    }
  }

  /** The connection is gone: nobody's any more, and told of nobody. */
  async forget(tenant: Tenant, connection: Connection): Promise<void> {
    this.#unwatch(tenant, connection);
    const { user } = connection;
    if (!user || !tenant.forgetUser(user.id, connection) || this.#arriving.has(connection)) return;
    await this.#exit(tenant, connection, user);
  }

  terminateHere(tenant: Tenant, user: string): void {
    const why = new Disconnect("terminated", "The app's back end ended this user's connections.");
    for (const connection of [...(tenant.users.get(user) ?? [])]) this.#host.disconnect(connection, why);
  }

  async #enter(connection: Connection, user: User): Promise<void> {
    const tenant = this.#host.tenant(connection.app);
    const audience = tenant.retain(onlineChannel(user.id));
    tenant.addUser(user.id, connection);
    this.#arriving.add(connection);
    let isHere = false;
    try {
      await audience.attached;
      if (connection.closed) return;
      await this.#host.registry.join(onlineRow(connection, user), Number.POSITIVE_INFINITY);
      isHere = !connection.closed;
    } finally {
      this.#arriving.delete(connection);
      if (!isHere) {
        tenant.forgetUser(user.id, connection);
        if (!connection.closed) connection.user = undefined;
        // A row may have been written even where the answer was lost.
        await this.#exit(tenant, connection, user);
      }
    }
  }

  async #exit(tenant: Tenant, connection: Connection, user: User): Promise<void> {
    const audience = tenant.audiences.get(onlineChannel(user.id));
    try {
      await this.#host.registry.leave(onlineRow(connection, user));
    } finally {
      if (audience) this.#host.release(tenant, audience);
    }
  }

  #unwatch(tenant: Tenant, connection: Connection): void {
    for (const user of connection.watching ?? []) {
      const audience = tenant.audiences.get(onlineChannel(user));
      if (!audience) continue;
      audience.silence(connection);
      this.#host.release(tenant, audience);
    }
    connection.watching = undefined;
  }
}

function onlineRow(connection: Connection, user: User) {
  const channel = onlineChannel(user.id);
  return { app: connection.app.id, channel, connection: connection.id, member: { id: user.id, info: null } };
}
