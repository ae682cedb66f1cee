/** The connections of an app, wherever in the cluster they are, page by page. */

import type { App } from "../domain/app.ts";
import { isInternal } from "../domain/channel.ts";
import type { Connection, Transport } from "../domain/connection.ts";
import type { NodeBus } from "./node-bus.ts";
import { fieldsOf, numberOf, textOf } from "./steer-act.ts";

export interface ConnectionQuery {
  /** The user it is signed in as, or is in a presence channel. */
  readonly user?: string;
  /** One that it is in. */
  readonly channel?: string;
  /** The last one of the page before. */
  readonly after?: string;
  readonly limit: number;
}

export interface ListedConnection {
  readonly id: string;
  readonly user?: string;
  readonly address: string;
  readonly protocol: string;
  readonly transport: Transport;
  /** The node's number, which connections' ids begin with. */
  readonly node: number;
  /** Unix milliseconds, by the node's clock. */
  readonly openedAtMs: number;
  /** The first hundred. */
  readonly channels: readonly string[];
  readonly channelCount: number;
}

export interface ConnectionPage {
  /** In the order of their ids. */
  readonly connections: readonly ListedConnection[];
  /** What the next page begins after; absent where this is the last. */
  readonly next?: string;
  /** Nodes that did not answer: their connections are not in it. */
  readonly nodesMissing: number;
}

/** As the hub is. */
interface Host {
  readonly nodeBus: NodeBus;
  readonly clock: { wallMs(): number; monotonicMs(): number };
  connections(app: Pick<App, "id">): Iterable<Connection>;
}

const LIST = "list connections";
const MOST_CHANNELS = 100;

export class ConnectionList {
  readonly #hub: Host;

  constructor(hub: Host) {
    this.#hub = hub;
    hub.nodeBus.handle(LIST, (data) => {
      const { app, query } = fieldsOf(data);
      return this.#pageHere(textOf(app), queryOf(query));
    });
  }

  /** Throws CommandError `engine_unavailable` where no node can be asked. */
  async page({ id: app }: App, query: ConnectionQuery): Promise<ConnectionPage> {
    const { answers, missing: nodesMissing } = await this.#hub.nodeBus.askAll(LIST, { app, query });
    // What came over the bus was made by the same code; no program acts on it.
    const all = answers.flatMap((answer) => (Array.isArray(answer) ? (answer as ListedConnection[]) : []));
    const connections = all.sort(byId).slice(0, query.limit);
    const last = connections.at(-1);
    return { connections, ...(all.length > connections.length && last && { next: last.id }), nodesMissing };
  }

  /** One more than asked for, which says that there are more. */
  #pageHere(app: string, { user, channel, after, limit }: ConnectionQuery): readonly ListedConnection[] {
    const found: Connection[] = [];
    for (const connection of this.#hub.connections({ id: app })) {
      if (connection.awaitsAuthentication) continue;
      if (after !== undefined && connection.id <= after) continue;
      if (channel !== undefined && !connection.isIn(channel)) continue;
      if (user === undefined || connection.isUsers(user)) found.push(connection);
    }
    const sorted = found.sort(byId).slice(0, limit + 1);
    return sorted.map((connection) => this.#listed(connection));
  }

  #listed(connection: Connection): ListedConnection {
    const { clock, nodeBus } = this.#hub;
    const { id, user, address, protocol, transport, openedAtMs } = connection;
    const channels = [...connection.channels()].filter((name) => !isInternal(name));
    return {
      id,
      ...(user && { user: user.id }),
      address,
      protocol: protocol.name,
      transport,
      node: nodeBus.number,
      openedAtMs: Math.round(clock.wallMs() - (clock.monotonicMs() - openedAtMs)),
      channels: channels.slice(0, MOST_CHANNELS),
      channelCount: channels.length,
    };
  }
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : Number(a.id > b.id);
}

function queryOf(value: unknown): ConnectionQuery {
  const { user, channel, after, limit } = fieldsOf(value);
  return {
    ...(user !== undefined && { user: textOf(user) }),
    ...(channel !== undefined && { channel: textOf(channel) }),
    ...(after !== undefined && { after: textOf(after) }),
    limit: numberOf(limit),
  };
}
