/** The apps of which this node holds a connection or hears a channel: each appears with the first and goes with the last. */

import { type App, isReserved } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import type { Broker } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";
import type { Channels } from "./channels.ts";
import { type NodeStats, nodeStatsOf } from "./stats.ts";
import { Tenant } from "./tenant.ts";

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

  get nodeStats(): NodeStats {
    return nodeStatsOf([...this.#tenants.values()].filter(({ app }) => !isReserved(app)));
  }

  [Symbol.iterator](): Iterator<Tenant> {
    return this.#tenants.values();
  }
}
