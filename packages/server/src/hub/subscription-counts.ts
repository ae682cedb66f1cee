/**
 * Tells subscribers how many they are: at every change while they are few, at most once in five seconds when they are
 * many. Pusher protocol, subscription count events.
 */

import type { App } from "../domain/app.ts";
import type { HubContext } from "./context.ts";

const FEW = 100;
const PAUSE_MS = 5_000;
/** By then, those who changed it in the same moment have said so: the number that was told last is looked at again. */
const CHECK_AFTER_MS = 1_000;
/** Channels that are looked at again at a time. */
const AT_A_TIME = 16;

interface Subject {
  readonly app: App;
  readonly channel: string;
}

interface Due extends Subject {
  /** When it was last told; undefined while it is being told. */
  toldAtMs: number | undefined;
  /** It has changed since. */
  owed: boolean;
}

/** A number that has to be told, or one that was told and may have been overtaken by an older one of another node. */
interface Debt extends Subject {
  readonly told: number | undefined;
  readonly fromMs: number;
}

export class SubscriptionCounts {
  readonly #context: HubContext;
  /** Those being told, and large channels; one that has told its last number and is quiet is forgotten. */
  readonly #due = new Map<string, Due>();
  readonly #debts = new Map<string, Debt>();
  #isPaying = false;

  constructor(context: HubContext) {
    this.#context = context;
  }

  /**
   * The channel's number of subscribers is another. Changes that come in while one is told are told as one; what cannot
   * be told is told when the engine is back.
   */
  async changed(app: App, channel: string): Promise<void> {
    if (!this.#context.engine.health().reachable) return this.markPending(app, channel);
    const key = keyOf(app, channel);
    const known = this.#due.get(key);
    if (known) {
      known.owed = true;
      return;
    }
    const due: Due = { app, channel, toldAtMs: undefined, owed: false };
    this.#due.set(key, due);
    try {
      let count: number;
      do {
        due.owed = false;
        count = await this.#tell(app, channel);
      } while (due.owed && count <= FEW);
      if (count > FEW) due.toldAtMs = this.#context.clock.monotonicMs();
    } catch (error) {
      this.#failed(due, error);
    } finally {
      if (due.toldAtMs === undefined) this.#due.delete(key);
    }
  }

  /** Its number is to be told when the engine is there. */
  markPending(app: App, channel: string): void {
    this.#debts.set(keyOf(app, channel), { app, channel, told: undefined, fromMs: 0 });
  }

  /** Tells the numbers whose pause is over, those that could not be told before, and those that came out wrong. */
  flush(nowMs: number): void {
    for (const [key, due] of this.#due) {
      if (due.toldAtMs === undefined || nowMs - due.toldAtMs < PAUSE_MS) continue;
      this.#due.delete(key);
      if (due.owed) void this.changed(due.app, due.channel);
    }
    if (this.#debts.size > 0 && this.#context.engine.health().reachable && !this.#isPaying) void this.#pay(nowMs);
  }

  async #pay(nowMs: number): Promise<void> {
    this.#isPaying = true;
    const debts = [...this.#debts].filter(([, { fromMs }]) => fromMs <= nowMs);
    for (let from = 0; from < debts.length; from += AT_A_TIME) {
      const some = debts.slice(from, from + AT_A_TIME);
      for (const [key] of some) this.#debts.delete(key);
      await Promise.all(some.map(([, debt]) => this.#settle(debt)));
      if (some.some(([key]) => this.#isOwed(key))) break;
    }
    this.#isPaying = false;
  }

  async #settle(debt: Debt): Promise<void> {
    const { app, channel, told } = debt;
    if (told === undefined) return await this.changed(app, channel);
    const due = this.#due.get(keyOf(app, channel));
    // It is told anyway.
    if (due && (due.owed || due.toldAtMs === undefined)) return;
    try {
      const heard = this.#context.tenants.get(app.id)?.audiences.get(channel)?.lastCount ?? told;
      if ((await this.#count(debt)) !== heard) await this.changed(app, channel);
    } catch (error) {
      this.#failed(debt, error);
    }
  }

  #isOwed(key: string): boolean {
    const debt = this.#debts.get(key);
    return debt !== undefined && debt.told === undefined;
  }

  async #tell(app: App, channel: string): Promise<number> {
    const count = await this.#count({ app, channel });
    const fromMs = this.#context.clock.monotonicMs() + CHECK_AFTER_MS;
    this.#debts.set(keyOf(app, channel), { app, channel, told: count, fromMs });
    void this.#announce({ app, channel }, count);
    this.#context.observe({ type: "counted", app, channel, count });
    return count;
  }

  async #count({ app, channel }: Subject): Promise<number> {
    return (await this.#context.registry.summary(app.id, channel))?.subscribers ?? 0;
  }

  async #announce(subject: Subject, count: number): Promise<void> {
    const { app, channel } = subject;
    try {
      await this.#context.broker.publish({ type: "count", app: app.id, channel, count });
    } catch (error) {
      this.#failed(subject, error);
    }
  }

  #failed({ app, channel }: Subject, error: unknown): void {
    this.markPending(app, channel);
    this.#context.observeFailure(error, "publishing subscription counts");
  }
}

function keyOf(app: App, channel: string): string {
  return `${app.id}/${channel}`;
}
