/** The connections of one app in this process, as they are at the moment of asking. */

import type { App } from "../../domain/app.ts";
import type { User } from "../../domain/message.ts";
import type { ListedConnection } from "../../hub/connection-list.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Client } from "./types.ts";

export interface ConnectionQuery {
  /** At least 1. Default 100. */
  readonly limit?: number;
  /** The `next` of the page before. */
  readonly cursor?: string | undefined;
  /** Only those that are signed in as the user, or are the user in a presence channel. */
  readonly userId?: string;
  /** Only those in the channel. */
  readonly channel?: string;
}

export interface ConnectionPage {
  /** In the order of ids. */
  readonly items: readonly ListedConnection[];
  /** The `cursor` of the next page; undefined at the end. */
  readonly next: string | undefined;
  /** How many nodes did not answer: theirs are missing. */
  readonly nodesMissing: number;
}

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

  /** A page of those of the whole cluster. Throws CommandError `engine_unavailable`, RangeError. */
  async list({ limit = 100, cursor, userId, channel }: ConnectionQuery = {}): Promise<ConnectionPage> {
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw new RangeError("The limit has to be a whole number from 1 up.");
    const { connections, next, nodesMissing } = await this.#hub.connectionList.page(this.#app, {
      ...(cursor !== undefined && { after: cursor }),
      ...(userId !== undefined && { user: userId }),
      ...(channel !== undefined && { channel }),
      limit,
    });
    return { items: connections, next, nodesMissing };
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
