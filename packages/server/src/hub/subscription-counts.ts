/**
 * Sends subscribers how many they are: at every change while they are few, at most once in five seconds when they are
 * many. Pusher protocol, subscription count events.
 */

import type { App } from "../domain/app.ts";
import { type Channel, isInternal } from "../domain/channel.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { Awaitable, RegistryChange } from "../domain/ports.ts";
import type { HubContext } from "./context.ts";

const FEW = 100;
const PAUSE_MS = 5_000;
/** By then, those who changed it in the same moment have said so: the number that was sent last is checked again. */
const CHECK_AFTER_MS = 1_000;
/** Channels that are checked again at a time. */
const MAX_CONCURRENT = 16;

interface Subject {
  readonly app: App;
  readonly channel: string;
}

interface Due extends Subject {
  /** When it was last sent; undefined while it is being sent. */
  sentAtMs: number | undefined;
  /** It has changed since. */
  hasChanged: boolean;
}

/** A number that has to be sent, or one that was sent and may have been overtaken by an older one of another node. */
interface Recheck extends Subject {
  readonly sent: number | undefined;
  readonly fromMs: number;
}

export class SubscriptionCounts {
  readonly #context: HubContext;
  /** Those being sent, and large channels; one whose last number is sent and that is quiet is forgotten. */
  readonly #due = new Map<string, Due>();
  readonly #rechecks = new Map<string, Recheck>();
  #isRechecking = false;

  constructor(context: HubContext) {
    this.#context = context;
  }

  /**
   * The channel's number of subscribers is another. Changes that come in while one is sent are sent as one; what cannot
   * be sent is sent when the engine is back.
   */
  async changed(app: App, channel: string): Promise<void> {
    if (!this.#context.engine.health().reachable) return this.markPending(app, channel);
    const key = keyOf(app, channel);
    const known = this.#due.get(key);
    if (known) {
      known.hasChanged = true;
      return;
    }
    const due: Due = { app, channel, sentAtMs: undefined, hasChanged: false };
    this.#due.set(key, due);
    try {
      let count: number;
      do {
        due.hasChanged = false;
        count = await this.#send(app, channel);
      } while (due.hasChanged && count <= FEW);
      if (count > FEW) due.sentAtMs = this.#context.clock.monotonicMs();
    } catch (error) {
      this.#failed(due, error);
    } finally {
      if (due.sentAtMs === undefined) this.#due.delete(key);
    }
  }

  /** Its number has to be sent when the engine is there. */
  markPending(app: App, channel: string): void {
    this.#rechecks.set(keyOf(app, channel), { app, channel, sent: undefined, fromMs: 0 });
  }

  /** Sends the numbers whose pause is over, those that could not be sent before, and those that came out wrong. */
  flush(nowMs: number): void {
    for (const [key, due] of this.#due) {
      if (due.sentAtMs === undefined || nowMs - due.sentAtMs < PAUSE_MS) continue;
      this.#due.delete(key);
      if (due.hasChanged) void this.changed(due.app, due.channel);
    }
    if (this.#rechecks.size > 0 && this.#context.engine.health().reachable && !this.#isRechecking)
      void this.#recheckAll(nowMs);
  }

  async #recheckAll(nowMs: number): Promise<void> {
    this.#isRechecking = true;
    const rechecks = [...this.#rechecks].filter(([, { fromMs }]) => fromMs <= nowMs);
    for (let from = 0; from < rechecks.length; from += MAX_CONCURRENT) {
      const some = rechecks.slice(from, from + MAX_CONCURRENT);
      for (const [key] of some) this.#rechecks.delete(key);
      await Promise.all(some.map(([, recheck]) => this.#recheck(recheck)));
      if (some.some(([key]) => this.#isPending(key))) break;
    }
    this.#isRechecking = false;
  }

  async #recheck(recheck: Recheck): Promise<void> {
    const { app, channel, sent } = recheck;
    if (sent === undefined) return await this.changed(app, channel);
    const due = this.#due.get(keyOf(app, channel));
    // It is sent anyway.
    if (due && (due.hasChanged || due.sentAtMs === undefined)) return;
    try {
      const last = this.#context.tenants.get(app.id)?.audiences.get(channel)?.lastCount ?? sent;
      if ((await this.#count(recheck)) !== last) await this.changed(app, channel);
    } catch (error) {
      this.#failed(recheck, error);
    }
  }

  #isPending(key: string): boolean {
    const recheck = this.#rechecks.get(key);
    return recheck !== undefined && recheck.sent === undefined;
  }

  async #send(app: App, channel: string): Promise<number> {
    const count = await this.#count({ app, channel });
    const fromMs = this.#context.clock.monotonicMs() + CHECK_AFTER_MS;
    this.#rechecks.set(keyOf(app, channel), { app, channel, sent: count, fromMs });
    void this.#publish({ app, channel }, count);
    this.#context.observe({ type: "counted", app, channel, count });
    return count;
  }

  async #count({ app, channel }: Subject): Promise<number> {
    return (await this.#context.registry.summary(app.id, channel))?.subscribers ?? 0;
  }

  async #publish(subject: Subject, count: number): Promise<void> {
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

// ---- what the engine did by itself: another node died, or this one's entries had to be written again

/** As the hub is. */
interface ChangesHost {
  readonly subscriptionCounts: SubscriptionCounts;
  channelOf(app: App, name: string): Channel;
  observe(event: HubEvent): void;
}

/** For observers, and for those who are counted. */
export async function observeChanges(
  hub: ChangesHost,
  appById: (id: string) => Awaitable<App | undefined>,
  facts: readonly RegistryChange[],
): Promise<void> {
  const counted: [App, string][] = [];
  for (const { app: id, ...fact } of facts) {
    const app = await appById(id);
    if (!app || isInternal(fact.channel)) continue;
    if (fact.type !== "counted") hub.observe({ ...fact, app });
    if (fact.type === "joined" || fact.type === "left" || !app.subscriptionCounts) continue;
    if (!hub.channelOf(app, fact.channel).traits.presence) counted.push([app, fact.channel]);
  }
  // One after the other: where a node died, there may be thousands.
  for (const [app, channel] of counted) await hub.subscriptionCounts.changed(app, channel);
}
