/**
 * Channels that a back end has put a user into for a time, so that connections which come later are in them, too: what was
 * done is kept in a channel of the server's own, and read by each that signs in.
 */

import { type App, isReserved } from "../domain/app.ts";
import type { Awaitable } from "../domain/ports.ts";
import { AppFlag } from "./app-flag.ts";
import type { HubContext } from "./context.ts";
import { fieldsOf, numberOf, type SubscribeAct, steerActOf } from "./steer-act.ts";

/** How long a subscription may be kept for connections to come, in milliseconds: a day. */
export const LONGEST_STICKY_MS = 86_400_000;
/** Of one user: the last ones count. */
const MOST_KEPT = 100;

export class StickySubscriptions {
  readonly #context: HubContext;
  /** Without any no sign-in asks. */
  readonly flag: AppFlag;

  constructor(context: HubContext) {
    this.#context = context;
    this.flag = new AppFlag(context, "sticky");
  }

  /** Throws CommandError `engine_unavailable`. */
  async add(app: App, user: string, act: SubscribeAct, untilMs: number): Promise<void> {
    await this.flag.raise(app, untilMs);
    await this.#write(app, user, { channel: act.channel, act, untilMs });
  }

  /** Safe to call where there is none. Throws CommandError `engine_unavailable`. */
  async remove(app: App, user: string, channel: string): Promise<void> {
    if (this.flag.mayBeSet(app) && (await this.flag.isSet(app))) await this.#write(app, user, { channel, untilMs: 0 });
  }

  /** What connections of the user are to be subscribed to. Throws CommandError `engine_unavailable`. */
  of(app: App, user: string): Awaitable<readonly SubscribeAct[]> {
    return isReserved(app) || !this.flag.mayBeSet(app) ? NONE : this.#read(app, user);
  }

  async #read(app: App, user: string): Promise<readonly SubscribeAct[]> {
    if (!(await this.flag.isSet(app))) return NONE;
    const { events } = await this.#context.broker.history(app.id, placeOf(user), {
      limit: MOST_KEPT,
      direction: "newest",
    });
    const byChannel = new Map<string, SubscribeAct | undefined>();
    for (const { publication } of events) {
      const { channel, act, untilMs } = fieldsOf(JSON.parse(publication.data));
      const isOver = numberOf(untilMs) <= this.#context.clock.wallMs();
      const kept = isOver ? undefined : steerActOf(act);
      byChannel.set(String(channel), kept?.type === "subscribe" ? kept : undefined);
    }
    return [...byChannel.values()].flatMap((act) => act ?? []);
  }

  async #write({ id }: App, user: string, change: object): Promise<void> {
    const data = JSON.stringify(change);
    await this.#context.broker.publish(
      { type: "event", app: id, channel: placeOf(user), event: "sticky", data },
      { size: MOST_KEPT, ttlMs: LONGEST_STICKY_MS },
    );
  }
}

function placeOf(user: string): string {
  return `#sticky-${user}`;
}

const NONE: readonly SubscribeAct[] = [];
