/**
 * Users whose connections the back end ended: what authenticated them until then counts no more, on any node. A node that may
 * have missed that checks its connections again.
 */

import { type App, isReserved } from "../domain/app.ts";
import type { Awaitable } from "../domain/ports.ts";
import type { HubContext } from "./context.ts";
import type { Tenant } from "./tenants.ts";

/** What says that a connection is a user's: a token, a signature, the program's answer. */
export interface AuthProof {
  /** When it was made, at the earliest: Unix milliseconds. */
  readonly atMs: number;
  /** What is thrown where that is not after the user was terminated. */
  readonly outdated: () => Error;
}

interface Own {
  readonly atMs: number;
  readonly untilMs: number;
}

/** Asked about, or written, at a time. */
const BATCH = 100;
/** Of its own, a node remembers as many; the oldest are forgotten first. */
const MOST_OWN = 10_000;

export class Revocations {
  readonly #context: HubContext;
  /** Disconnects the user's connections of this node that were authenticated until then. */
  readonly #disconnectHere: (tenant: Tenant, user: string, untilMs: number) => void;
  /** Of this node, with the time to remember them until, to be written again where the engine's data is lost. */
  readonly #own = new Map<string, Own>();
  /** Users here whose end this node may have missed. */
  readonly #toRecheck = new Map<string, { readonly tenant: Tenant; readonly user: string }>();
  #mayBeLost = false;
  #isAtWork = false;

  constructor(context: HubContext, disconnectHere: (tenant: Tenant, user: string, untilMs: number) => void) {
    this.#context = context;
    this.#disconnectHere = disconnectHere;
  }

  /** Whatever authenticated the user until now counts no more. Throws CommandError `engine_unavailable`. */
  revoke(app: App, user: string): Awaitable<void> {
    const { clock, ledger } = this.#context;
    const [name, atMs, ttlMs] = [nameOf(app, user), clock.wallMs(), app.limits.revocationTtlS * 1000];
    this.#own.delete(name);
    this.#own.set(name, { atMs, untilMs: clock.monotonicMs() + ttlMs });
    for (const oldest of this.#own.keys()) {
      if (this.#own.size <= MOST_OWN) break;
      this.#own.delete(oldest);
    }
    return ledger.setMax(name, atMs, ttlMs);
  }

  /**
   * Throws where the user was terminated after that, or the engine cannot say. Call it when the node is subscribed to the user's online
   * channel: then the publication that ends the user comes later, or what was written before it is read here.
   */
  async check(app: App, user: string, { atMs, outdated }: AuthProof): Promise<void> {
    if (isReserved(app)) return;
    const untilMs = await this.#context.ledger.get(nameOf(app, user));
    if (untilMs !== undefined && atMs <= untilMs) throw outdated();
  }

  /** The engine may have lost what was written. */
  interrupted(): void {
    this.#mayBeLost = true;
  }

  /** The publication that ends the user may have been missed. */
  recheck(tenant: Tenant, user: string): void {
    if (tenant.users.has(user)) this.#toRecheck.set(nameOf(tenant.app, user), { tenant, user });
  }

  /** Call it every second or two: rechecks what may be outdated, as soon as the engine answers. */
  sweep(): void {
    if (!this.#isAtWork && (this.#mayBeLost || this.#toRecheck.size > 0)) void this.#recheckAll();
  }

  async #recheckAll(): Promise<void> {
    this.#isAtWork = true;
    try {
      if (this.#mayBeLost) await this.#writeAgain();
      while (this.#toRecheck.size > 0) await this.#lookAgain();
    } catch {
      // The engine is away: the next sweep tries again.
    } finally {
      this.#isAtWork = false;
    }
  }

  /** What is raised again is the same: only where it was lost does it change anything. */
  async #writeAgain(): Promise<void> {
    this.#mayBeLost = false;
    try {
      const nowMs = this.#context.clock.monotonicMs();
      for (const [name, { untilMs }] of this.#own) if (untilMs <= nowMs) this.#own.delete(name);
      const own = [...this.#own];
      for (let from = 0; from < own.length; from += BATCH) {
        const some = own.slice(from, from + BATCH);
        await Promise.all(
          some.map(([name, { atMs, untilMs }]) => this.#context.ledger.setMax(name, atMs, untilMs - nowMs)),
        );
      }
    } catch (error) {
      this.#mayBeLost = true;
      throw error;
    }
  }

  async #lookAgain(): Promise<void> {
    const some = [...this.#toRecheck].slice(0, BATCH);
    // Users who are added from here on are asked about once more.
    for (const [name] of some) this.#toRecheck.delete(name);
    try {
      await Promise.all(
        some.map(async ([name, { tenant, user }]) => {
          const untilMs = await this.#context.ledger.get(name);
          if (untilMs !== undefined) this.#disconnectHere(tenant, user, untilMs);
        }),
      );
    } catch (error) {
      for (const [name, entry] of some) this.#toRecheck.set(name, entry);
      throw error;
    }
  }
}

function nameOf({ id }: Pick<App, "id">, user: string): string {
  return JSON.stringify(["revoked", id, user]);
}
