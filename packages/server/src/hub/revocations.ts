/**
 * Users whose connections the back end ended: what vouched for them until then counts no more, on any node. A node that may
 * have missed the word itself looks again at whom it has.
 */

import { type App, isReserved } from "../domain/app.ts";
import type { Awaitable, Clock, Ledger } from "../domain/ports.ts";
import type { Tenant } from "./tenants.ts";

interface Host {
  readonly ledger: Pick<Ledger, "setMax" | "get">;
  readonly clock: Clock;
  /** Ends the user's connections of this node that were vouched for until then. */
  endHere(tenant: Tenant, user: string, untilMs: number): void;
}

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
  readonly #host: Host;
  /** Of this node, with the time to remember them until, to be written again where the engine's data is lost. */
  readonly #own = new Map<string, Own>();
  /** Users here whose end this node may have missed. */
  readonly #doubted = new Map<string, { readonly tenant: Tenant; readonly user: string }>();
  #mayBeLost = false;
  #isAtWork = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Whatever vouched for the user until now counts no more. Throws CommandError `engine_unavailable`. */
  revoke(app: App, user: string): Awaitable<void> {
    const { clock, ledger } = this.#host;
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
   * Throws where the user was terminated after that, or nobody can say. To be asked when the node hears the user's online
   * channel: then the word that ends the user comes later, or what it was written down before is read here.
   */
  async check(app: App, user: string, { atMs, outdated }: AuthProof): Promise<void> {
    if (isReserved(app)) return;
    const untilMs = await this.#host.ledger.get(nameOf(app, user));
    if (untilMs !== undefined && atMs <= untilMs) throw outdated();
  }

  /** The engine may have lost what it was told. */
  interrupted(): void {
    this.#mayBeLost = true;
  }

  /** The word that ends the user may have been missed. */
  recheck(tenant: Tenant, user: string): void {
    if (tenant.users.has(user)) this.#doubted.set(nameOf(tenant.app, user), { tenant, user });
  }

  /** Call it every second or two: settles what is in doubt, as soon as the engine answers. */
  sweep(): void {
    if (!this.#isAtWork && (this.#mayBeLost || this.#doubted.size > 0)) void this.#settle();
  }

  async #settle(): Promise<void> {
    this.#isAtWork = true;
    try {
      if (this.#mayBeLost) await this.#writeAgain();
      while (this.#doubted.size > 0) await this.#lookAgain();
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
      const nowMs = this.#host.clock.monotonicMs();
      for (const [name, { untilMs }] of this.#own) if (untilMs <= nowMs) this.#own.delete(name);
      const own = [...this.#own];
      for (let from = 0; from < own.length; from += BATCH) {
        const some = own.slice(from, from + BATCH);
        await Promise.all(
          some.map(([name, { atMs, untilMs }]) => this.#host.ledger.setMax(name, atMs, untilMs - nowMs)),
        );
      }
    } catch (error) {
      this.#mayBeLost = true;
      throw error;
    }
  }

  async #lookAgain(): Promise<void> {
    const some = [...this.#doubted].slice(0, BATCH);
    // Whoever comes into doubt from here on is asked about once more.
    for (const [name] of some) this.#doubted.delete(name);
    try {
      await Promise.all(
        some.map(async ([name, { tenant, user }]) => {
          const untilMs = await this.#host.ledger.get(name);
          if (untilMs !== undefined) this.#host.endHere(tenant, user, untilMs);
        }),
      );
    } catch (error) {
      for (const [name, doubted] of some) this.#doubted.set(name, doubted);
      throw error;
    }
  }
}

function nameOf({ id }: Pick<App, "id">, user: string): string {
  return JSON.stringify(["revoked", id, user]);
}
