/**
 * Connections that are asked to come back to another node although this one goes on. Only those are asked that miss nothing by
 * it: their clients come back to each channel at their position, and the channel keeps its events for long enough.
 */

import { isReserved } from "../domain/app.ts";
import { type Channel, userOfChannel } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import type { Disconnect } from "../domain/error.ts";
import type { HubContext } from "./context.ts";
import { NOTICE_MS } from "./expiry.ts";
import { Relocation } from "./held-departures.ts";
import type { Tenant } from "./tenants.ts";

/** By then nearly all are back: pusher-js waits a second before it dials, and then for as long as it was told. */
const ON_THE_WAY_MS = 3_000;

export class Relocations {
  readonly #context: HubContext;
  readonly #disconnect: (connection: Connection, why: Disconnect) => void;
  /** Apps that were seen to send events to users, which are kept nowhere. */
  readonly #notifying = new Set<string>();
  /** When connections were asked, of late. */
  #askedAtMs: number[] = [];

  constructor(context: HubContext, disconnect: (connection: Connection, why: Disconnect) => void) {
    this.#context = context;
    this.#disconnect = disconnect;
  }

  /**
   * The connections that may go now and be away for so long, the oldest first: one that has just come back is not sent on before the
   * others.
   */
  candidates(withinMs: number): Connection[] {
    const found: Connection[] = [];
    for (const tenant of this.#context.tenants) {
      if (isReserved(tenant.app)) continue;
      this.#noteUserEvents(tenant);
      for (const connection of tenant.connections.values()) {
        if (this.#mayGo(tenant, connection, withinMs)) found.push(connection);
      }
    }
    return found.sort((one, other) => one.openedAtMs - other.openedAtMs);
  }

  /**
   * Asks it to come back after a while, unless it may not go any more; until `withinMs` are over it stays a member wherever it is.
   * Whether it was asked.
   */
  ask(connection: Connection, afterMs: number, withinMs: number): boolean {
    const tenant = this.#context.tenants.get(connection.app.id);
    if (!tenant || !this.#mayGo(tenant, connection, withinMs)) return false;
    this.#askedAtMs.push(this.#context.clock.monotonicMs());
    this.#disconnect(connection, new Relocation(afterMs, withinMs));
    return true;
  }

  /** How many were asked and may not be back yet, here or elsewhere. */
  get onTheWay(): number {
    const sinceMs = this.#context.clock.monotonicMs() - ON_THE_WAY_MS;
    this.#askedAtMs = this.#askedAtMs.filter((atMs) => atMs > sinceMs);
    return this.#askedAtMs.length;
  }

  /** Call it every second or two. */
  sweep(nowMs: number): void {
    this.#context.held.sweep(nowMs);
  }

  /** The node ends: nobody is held for a member any more. */
  stop(): void {
    this.#context.held.release();
  }

  #mayGo(tenant: Tenant, connection: Connection, withinMs: number): boolean {
    const { protocol, closed, awaitsAuthentication, wasPlaced, entering, turnsUnderWay, frameQueue } = connection;
    if (!protocol.recovers || closed || awaitsAuthentication || wasPlaced) return false;
    // What it has asked for is answered first.
    if (entering || turnsUnderWay > 0 || frameQueue?.hasPending) return false;
    // By a token that has ended nobody comes back, even where that does not end the connection.
    if (connection.expiresAtMs - this.#context.clock.monotonicMs() <= NOTICE_MS) return false;
    return connection.channels().every((name) => this.#isRecovered(tenant, name, withinMs));
  }

  #isRecovered(tenant: Tenant, name: string, withinMs: number): boolean {
    if (userOfChannel(name) !== undefined) return !this.#notifying.has(tenant.app.id);
    const audience = tenant.audiences.get(name);
    return audience !== undefined && keepsFor(audience.channel, withinMs);
  }

  #noteUserEvents({ app, audiences }: Tenant): void {
    if (this.#notifying.has(app.id)) return;
    for (const { channel, lastSentAtMs } of audiences.values()) {
      if (lastSentAtMs === Number.NEGATIVE_INFINITY || userOfChannel(channel.name) === undefined) continue;
      this.#notifying.add(app.id);
      return;
    }
  }
}

/** Whether a client that was away for so long is sent what it missed. */
function keepsFor({ policy }: Channel, ms: number): boolean {
  return policy.history !== undefined && policy.history.ttlS * 1000 >= ms;
}
