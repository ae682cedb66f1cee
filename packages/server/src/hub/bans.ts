/**
 * Users who may not be in a channel for a time. Each ban is the last event of a channel of the server's own, which the engine
 * keeps for so long.
 */

import { type App, isReserved } from "../domain/app.ts";
import { isInternal } from "../domain/channel.ts";
import { CommandError } from "../domain/error.ts";
import type { Awaitable } from "../domain/ports.ts";
import { AppFlag } from "./app-flag.ts";
import type { HubContext } from "./context.ts";
import { fieldsOf, numberOf, textOf } from "./steer-act.ts";

/** A ban may take as long, in milliseconds: thirty days. */
export const LONGEST_BAN_MS = 30 * 86_400_000;
/** So long the end of a ban is kept in its place, at least. */
const LIFTED_MS = 60_000;

/** Of one user: the last ones count. */
const MOST_LISTED = 100;

/** Of a user, from a channel. */
export interface Ban {
  readonly channel: string;
  readonly untilMs: number;
  /** When it was made. */
  readonly atMs: number;
}

export class Bans {
  readonly #context: HubContext;
  /** Without bans no subscription asks. */
  readonly flag: AppFlag;

  constructor(context: HubContext) {
    this.#context = context;
    this.flag = new AppFlag(context, "banned");
  }

  /** Throws CommandError `engine_unavailable`. */
  async ban(app: App, channel: string, user: string, untilMs: number): Promise<void> {
    await this.flag.raise(app, untilMs);
    await this.#write(app, channel, user, untilMs, untilMs - this.#context.clock.wallMs());
    await this.#list(app, user, { channel, untilMs, atMs: this.#context.clock.wallMs() });
  }

  /** Safe to call where there is none. Throws CommandError `engine_unavailable`. */
  async lift(app: App, channel: string, user: string): Promise<void> {
    await this.#write(app, channel, user, 0, LIFTED_MS);
    if (this.flag.mayBeSet(app)) await this.#list(app, user, { channel, untilMs: 0, atMs: 0 });
  }

  /**
   * Throws CommandError `unauthorized` where who signed in, or whom the channel is to show, is banned. Call it when the
   * connection is known to be on its way into the channel: either it reads the ban, or the word of it finds the connection.
   */
  check(app: App, channel: string, user: string | undefined, member: string | undefined): Awaitable<void> {
    if (user === undefined && member === undefined) return;
    // Channels of the server's own are for everybody who may sign in.
    if (isInternal(channel) || isReserved(app) || !this.flag.mayBeSet(app)) return;
    return this.#check(app, channel, new Set([user, member]));
  }

  async #check(app: App, channel: string, users: ReadonlySet<string | undefined>): Promise<void> {
    if (!(await this.flag.isSet(app))) return;
    for (const user of users) {
      if (user === undefined) continue;
      if ((await this.endOf(app, channel, user)) <= this.#context.clock.wallMs()) continue;
      throw new CommandError("unauthorized", `The app's back end keeps this user out of channel ${channel} for now.`);
    }
  }

  /** When the user's last ban ends or ended; 0 where there is none. Throws CommandError `engine_unavailable`. */
  async endOf({ id }: App, channel: string, user: string): Promise<number> {
    const last = { limit: 1, direction: "newest" } as const;
    const { events } = await this.#context.broker.history(id, placeOf(channel, user), last);
    return Number(events.at(-1)?.publication.data ?? 0);
  }

  /** Those of the user that hold, the latest first. Throws CommandError `engine_unavailable`. */
  async ofUser(app: App, user: string): Promise<readonly Ban[]> {
    if (isReserved(app) || !(await this.flag.isSet(app))) return [];
    const newest = { limit: MOST_LISTED, direction: "newest" } as const;
    const { events } = await this.#context.broker.history(app.id, listOf(user), newest);
    const byChannel = new Map<string, Ban>();
    for (const { publication } of events) {
      const { channel, untilMs, atMs } = fieldsOf(JSON.parse(publication.data));
      byChannel.set(textOf(channel), { channel: textOf(channel), untilMs: numberOf(untilMs), atMs: numberOf(atMs) });
    }
    const nowMs = this.#context.clock.wallMs();
    return [...byChannel.values()].filter(({ untilMs }) => untilMs > nowMs).sort((one, other) => other.atMs - one.atMs);
  }

  async #list({ id }: App, user: string, ban: Ban): Promise<void> {
    const event = { type: "event", app: id, channel: listOf(user), event: "ban", data: JSON.stringify(ban) } as const;
    // An earlier ban may hold for longer than this one.
    await this.#context.broker.publish(event, { size: MOST_LISTED, ttlMs: LONGEST_BAN_MS });
  }

  async #write({ id }: App, channel: string, user: string, untilMs: number, ttlMs: number): Promise<void> {
    const place = placeOf(channel, user);
    const event = { type: "event", app: id, channel: place, event: "ban", data: String(untilMs) } as const;
    await this.#context.broker.publish(event, { size: 1, ttlMs });
  }
}

function listOf(user: string): string {
  return `#bans-${user}`;
}

/** No channel that can be subscribed to by name has such a sign in its name. */
function placeOf(channel: string, user: string): string {
  return `#ban-${channel}#${user}`;
}
