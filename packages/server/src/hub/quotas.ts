/**
 * Places that the whole cluster counts together: of an app's connections, and of a channel's subscribers. The engine is asked
 * only where there is a limit, so that others pay no round trip.
 */

import { type App, isReserved } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import { Disconnect, isEngineAway } from "../domain/error.ts";
import type { Awaitable } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";
import { andThen } from "./awaitable.ts";
import type { HubContext } from "./context.ts";
import { channelFull, quotaExceeded } from "./limits.ts";
import type { Tenant } from "./tenants.ts";

/** In it each node counts its connections of an app, as it counts the subscribers of a channel. */
const CONNECTIONS = "#connections";
const UNLIMITED = Number.POSITIVE_INFINITY;

export class Quotas {
  readonly #context: HubContext;

  constructor(context: HubContext) {
    this.#context = context;
  }

  /**
   * Has the app's limit count the connection, until it leaves. Throws Disconnect: `quota_exceeded`, or `engine_unavailable`
   * where the engine cannot say how many there are.
   */
  acquireConnection(connection: Connection): Awaitable<void> {
    const { app } = connection;
    const most = app.limits.connections;
    if (most === UNLIMITED || isReserved(app)) return;
    return this.#countConnection(connection, most);
  }

  #countConnection(connection: Connection, most: number): Awaitable<void> {
    connection.isCounted = true;
    return this.#take(placeOf(connection.app), connection, most, (error) => {
      // What the engine did not answer it may have done.
      if (error !== undefined) this.releaseConnection(connection);
      connection.isCounted = false;
      throw error === undefined ? quotaExceeded(most) : whyNot(error);
    });
  }

  /** Safe to call again, and for a connection that is not counted. */
  releaseConnection(connection: Connection): void {
    if (!connection.isCounted) return;
    connection.isCounted = false;
    this.#giveBack(placeOf(connection.app), connection);
  }

  /** Has the channel's limit count the subscriber. Throws CommandError `channel_full`, `engine_unavailable`. */
  acquireSubscriber(connection: Connection, audience: Audience): Awaitable<void> {
    const most = audience.channel.policy.maxSubscribers;
    return most === UNLIMITED ? undefined : this.#countAmong(connection, audience, most);
  }

  #countAmong(connection: Connection, audience: Audience, most: number): Awaitable<void> {
    audience.counted ??= new Set();
    audience.counted.add(connection.id);
    return this.#take(seatOf(audience), connection, most, (error) => {
      if (error !== undefined) this.releaseSubscriber(connection, audience);
      audience.counted?.delete(connection.id);
      throw error ?? channelFull(most);
    });
  }

  /** As `leave`. */
  releaseSubscriber(connection: Connection, audience: Audience): void {
    if (audience.counted?.delete(connection.id)) this.#giveBack(seatOf(audience), connection);
  }

  /** The limits are others: who is here already is counted, however many they are. */
  recount(tenant: Tenant | undefined): void {
    if (!tenant) return;
    const { connections, audiences } = tenant;
    for (const connection of connections.values()) {
      const { app } = connection;
      if (!connection.isCounted && app.limits.connections !== UNLIMITED && !isReserved(app)) {
        connection.isCounted = true;
        this.#context.runInBackground(() => this.#context.ledger.acquire(placeOf(app), connection.id, UNLIMITED));
      }
      for (const name of connection.channels()) {
        const audience = audiences.get(name);
        if (audience) this.#countSubscriber(connection, audience);
      }
    }
  }

  /** This node has so many connections of the app now. An engine that is away writes it later. */
  setConnectionCount(app: App, here: number): void {
    if (isReserved(app)) return;
    let written: Awaitable<unknown>;
    try {
      written = this.#context.registry.setSubscriberCount(app.id, CONNECTIONS, here);
    } catch (error) {
      written = Promise.reject(error);
    }
    if (written instanceof Promise) this.#context.follow(written.catch(unlessAway));
  }

  /** Of the app, in the whole cluster; `here` are those of this node. */
  connectionCount(app: App, here: number): Awaitable<number> {
    const summary = this.#context.registry.summary(app.id, CONNECTIONS);
    return andThen(summary, (found) => Math.max(found?.subscribers ?? 0, here));
  }

  #countSubscriber({ id }: Connection, audience: Audience): void {
    if (audience.channel.policy.maxSubscribers === UNLIMITED || audience.counted?.has(id)) return;
    audience.counted ??= new Set();
    audience.counted.add(id);
    this.#context.runInBackground(() => this.#context.ledger.acquire(seatOf(audience), id, UNLIMITED));
  }

  /** `refuse` gets the error; nothing, where there is no place left. */
  #take(place: string, { id }: Connection, most: number, refuse: (error?: unknown) => never): Awaitable<void> {
    let taken: Awaitable<boolean>;
    try {
      taken = this.#context.ledger.acquire(place, id, most);
    } catch (error) {
      return refuse(error);
    }
    const judge = (isTaken: boolean) => (isTaken ? undefined : refuse());
    return taken instanceof Promise ? taken.then(judge, refuse) : judge(taken);
  }

  #giveBack(place: string, { id }: Connection): void {
    this.#context.runInBackground(() => this.#context.ledger.release(place, id));
  }
}

function placeOf({ id }: App): string {
  return JSON.stringify(["connections", id]);
}

function seatOf({ app, channel }: Audience): string {
  return JSON.stringify(["subscribers", app, channel.name]);
}

function unlessAway(error: unknown): void {
  if (!isEngineAway(error)) throw error;
}

function whyNot(error: unknown): unknown {
  if (!isEngineAway(error)) return error;
  return new Disconnect(
    "engine_unavailable",
    "The connection count is unavailable (the engine is unreachable); retry.",
  );
}
