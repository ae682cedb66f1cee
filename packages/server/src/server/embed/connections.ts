/** The connections of one app in this process, as they are at the moment of asking. */

import type { App } from "../../domain/app.ts";
import type { User } from "../../domain/message.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Client } from "./types.ts";

export class Connections<U extends User = User> implements Iterable<Client<U>> {
  readonly #hub: Hub;
  readonly #app: App;

  constructor(hub: Hub, app: App) {
    this.#hub = hub;
    this.#app = app;
  }

  get(id: string): Client<U> | undefined {
    return this.#hub.connection(this.#app, id) as Client<U> | undefined;
  }

  /** Undefined where there is no such connection, or no user is signed in on it. */
  getUserInfo(id: string): U | undefined {
    return this.get(id)?.user;
  }

  /** Those of the whole cluster; what other processes changed in the last second may be missing. Throws CommandError `engine_unavailable`. */
  async countEverywhere(): Promise<number> {
    return this.#hub.clusterConnectionCount(this.#app);
  }

  count(): number {
    return this.#hub.connectionCountOf(this.#app);
  }

  *[Symbol.iterator](): Generator<Client<U>> {
    for (const connection of this.#hub.connections(this.#app)) {
      // What has not said yet who it is is not open for the program either.
      if (!connection.awaitsAuthentication) yield connection as Client<U>;
    }
  }
}
