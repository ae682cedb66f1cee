/** What the broker hands back, told to whoever of this node is in the channel. */

import type { Connection } from "../domain/connection.ts";
import type { Publication, Push } from "../domain/message.ts";
import type { Fanout } from "../domain/wire.ts";
import type { Audience } from "./audience.ts";
import type { Tenant } from "./tenant.ts";
import type { Tenants } from "./tenants.ts";
import type { Users } from "./users.ts";

interface Host {
  readonly tenants: Tenants;
  readonly users: Users;
}

export class Delivery {
  readonly #host: Host;
  /** Nothing is told before there is one. */
  fanout: Fanout | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Called by the broker, on every node alike, in the broker's order. */
  deliver(publication: Publication): void {
    const tenant = this.#host.tenants.get(publication.app);
    const audience = tenant?.audiences.get(publication.channel);
    if (!tenant || !audience) return;
    switch (publication.type) {
      case "event":
        for (const listen of audience.listeners) listen(publication);
        return this.#tell(tenant, audience, publication, publication.except, audience.receive(publication));
      case "joined":
      case "left":
      case "count":
        return this.#tell(tenant, audience, publication, publication.except);
      case "online":
        return this.#tell(tenant, audience, { type: "watch", online: [publication.user], offline: [] });
      case "offline":
        return this.#tell(tenant, audience, { type: "watch", online: [], offline: [publication.user] });
      case "terminate":
        return this.#host.users.terminateHere(tenant, publication.user);
    }
  }

  #tell(
    tenant: Tenant,
    audience: Audience,
    push: Push,
    except: readonly string[] = NOBODY,
    having: readonly Connection[] = NO_CONNECTIONS,
  ): void {
    const named = except.length === 0 ? NO_CONNECTIONS : except.flatMap((id) => tenant.connections.get(id) ?? []);
    if (this.fanout) audience.tell(this.fanout, push, having.length === 0 ? named : [...named, ...having]);
  }
}

const NOBODY: readonly string[] = [];
const NO_CONNECTIONS: readonly Connection[] = [];
