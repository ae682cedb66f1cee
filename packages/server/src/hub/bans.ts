/**
 * Users who may not be in a channel for a time. Each ban is the last event of a channel of the server's own, which the engine
 * keeps for so long; one number of the app says whether there may be any, so that without bans no subscription asks.
 */

import { type App, isReserved } from "../domain/app.ts";
import { CommandError } from "../domain/error.ts";
import type { Awaitable } from "../domain/ports.ts";
import type { HubContext } from "./context.ts";

/** A ban may take as long, in milliseconds: thirty days. */
export const LONGEST_BAN_MS = 30 * 86_400_000;
/** So long the end of a ban is kept in its place, at least. */
const LIFTED_MS = 60_000;

export class Bans {
  readonly #context: HubContext;
  /** By the app's id: until when there may be bans, by the wall clock, as far as it was asked. */
  readonly #untilMs = new Map<string, number>();
  #mayBeStale = false;
  #isAsking = false;

  constructor(context: HubContext) {
    this.#context = context;
  }

  /** Throws CommandError `engine_unavailable`. */
  async ban(app: App, channel: string, user: string, untilMs: number): Promise<void> {
    const ttlMs = untilMs - this.#context.clock.wallMs();
    await this.#context.ledger.setMax(nameOf(app.id), untilMs, ttlMs);
    this.note(app, untilMs);
    await this.#write(app, channel, user, untilMs, ttlMs);
  }

  /** Safe to call where there is none. Throws CommandError `engine_unavailable`. */
  async lift(app: App, channel: string, user: string): Promise<void> {
    await this.#write(app, channel, user, 0, LIFTED_MS);
  }

  /** Another node has banned somebody: it may have happened after this one asked. */
  note({ id }: Pick<App, "id">, untilMs: number): void {
    this.#untilMs.set(id, Math.max(untilMs, this.#untilMs.get(id) ?? 0));
  }

  /**
   * Throws CommandError `unauthorized` where one of the users is banned. Call it when the connection is known to be on its way
   * into the channel: either it reads the ban, or the word of it finds the connection.
   */
  check(app: App, channel: string, users: readonly string[]): Awaitable<void> {
    if (users.length === 0 || isReserved(app)) return;
    const untilMs = this.#untilMs.get(app.id);
    if (untilMs === undefined || untilMs > this.#context.clock.wallMs()) return this.#check(app, channel, users);
  }

  /** Another node's word may have been missed. */
  interrupted(): void {
    this.#mayBeStale = true;
  }

  /** Call it every second or two: asks again, as soon as the engine answers. */
  sweep(): void {
    if (this.#mayBeStale && !this.#isAsking) void this.#askAgain();
  }

  async #check(app: App, channel: string, users: readonly string[]): Promise<void> {
    if (!this.#untilMs.has(app.id)) await this.#ask(app.id);
    if ((this.#untilMs.get(app.id) ?? 0) <= this.#context.clock.wallMs()) return;
    for (const user of users) {
      const last = { limit: 1, direction: "newest" } as const;
      const { events } = await this.#context.broker.history(app.id, placeOf(channel, user), last);
      if (Number(events.at(-1)?.publication.data ?? 0) <= this.#context.clock.wallMs()) continue;
      throw new CommandError("unauthorized", `The app's back end keeps this user out of channel ${channel} for now.`);
    }
  }

  async #ask(app: string): Promise<void> {
    const untilMs = (await this.#context.ledger.get(nameOf(app))) ?? 0;
    this.note({ id: app }, untilMs);
  }

  async #askAgain(): Promise<void> {
    this.#isAsking = true;
    this.#mayBeStale = false;
    try {
      for (const app of [...this.#untilMs.keys()]) await this.#ask(app);
    } catch {
      // The engine is away: the next sweep tries again.
      this.#mayBeStale = true;
    } finally {
      this.#isAsking = false;
    }
  }

  async #write({ id }: App, channel: string, user: string, untilMs: number, ttlMs: number): Promise<void> {
    const keep = { size: 1, ttlMs };
    const place = placeOf(channel, user);
    await this.#context.broker.publish(
      { type: "event", app: id, channel: place, event: "ban", data: String(untilMs) },
      keep,
    );
  }
}

function nameOf(app: string): string {
  return JSON.stringify(["banned", app]);
}

/** No channel that can be subscribed to by name has such a sign in its name. */
function placeOf(channel: string, user: string): string {
  return `#ban-${channel}#${user}`;
}
