/** Writes who is in a channel into the registry, and notifies observers: members by name, other subscribers by number. */

import type { App } from "../domain/app.ts";
import { isInternal } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError } from "../domain/error.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { Member } from "../domain/message.ts";
import type { Awaitable, JoinResult, PresenceEntry } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";
import type { HubContext } from "./context.ts";
import type { SubscriptionCounts } from "./subscription-counts.ts";

type Change = "occupied" | "vacated" | undefined;

export const NO_NEWS: readonly HubEvent[] = [];

export class PresenceRegistrar {
  readonly #context: HubContext;
  readonly #counts: SubscriptionCounts;
  /** Resolves when the observers have written down what they observed, as far as any of them writes. */
  readonly #observersFlushed: () => Promise<void>;

  constructor(context: HubContext, counts: SubscriptionCounts, observersFlushed?: () => Promise<void>) {
    this.#context = context;
    this.#counts = counts;
    this.#observersFlushed = observersFlushed ?? (() => Promise.resolve());
  }

  /** Writes the member's entry; where the user is new, the engine notifies the others. */
  join(connection: Connection, audience: Audience, member: Member): Promise<JoinResult> {
    const { app } = connection;
    const entry = { app: app.id, channel: audience.channel.name, connection: connection.id, member };
    return this.#write(connection, audience, entry);
  }

  async leave(connection: Connection, audience: Audience, member: Member): Promise<void> {
    const { app } = connection;
    const entry = { app: app.id, channel: audience.channel.name, connection: connection.id, member };
    const { isLast } = await this.#context.registry.leave(entry);
    if (!isLast) return;
    await audience.observersNotified;
    this.#context.observe({ type: "left", app, channel: entry.channel, member: { id: member.id } });
    this.#recordChange(entry);
  }

  /**
   * Never throws or rejects: the subscriber has joined or left, whether it is counted or not. Observers are notified of `news` once they
   * know that the channel is occupied, whichever of this node's connections brought that about.
   */
  updateSubscriberCount(app: App, audience: Audience, news: readonly HubEvent[] = NO_NEWS): Awaitable<void> {
    const { name, traits } = audience.channel;
    if (isInternal(name)) return;
    const isAnnounced = app.subscriptionCounts && !traits.presence;
    const change = this.#count(app, audience);
    if (change instanceof Promise || isAnnounced || audience.observersNotified) {
      return this.#afterCount(app, audience, news, Promise.resolve(change), isAnnounced);
    }
    // As most channels of one node are: nobody waits, and so no promise is made.
    this.#notify(change ? [{ type: change, app, channel: name }, ...news] : news);
  }

  async #afterCount(
    app: App,
    audience: Audience,
    news: readonly HubEvent[],
    change: Promise<Change>,
    isAnnounced: boolean,
  ): Promise<void> {
    const { name } = audience.channel;
    const notified = this.#notifyObservers(audience.observersNotified, async () => {
      const type = await change.catch(() => undefined);
      return type ? [{ type, app, channel: name }, ...news] : news;
    });
    audience.observersNotified = notified;
    void notified.finally(() => {
      if (audience.observersNotified === notified) audience.observersNotified = undefined;
    });
    try {
      await change;
      if (isAnnounced) await this.#counts.changed(app, name);
    } catch (error) {
      this.#context.observe({ type: "failed", error, during: "counting a channel's subscribers" });
      if (isAnnounced) this.#counts.markPending(app, name);
    }
  }

  #count(app: App, { channel, size, leaving }: Audience): Awaitable<Change> {
    try {
      return this.#context.registry.setSubscriberCount(app.id, channel.name, size + leaving);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #notifyObservers(before: Promise<void> | undefined, facts: () => Promise<readonly HubEvent[]>): Promise<void> {
    const found = facts();
    await before;
    this.#notify(await found);
  }

  #notify(facts: readonly HubEvent[]): void {
    for (const fact of facts) {
      this.#context.observe(fact);
      if (fact.type === "occupied") this.#recordChange({ app: fact.app.id, channel: fact.channel });
    }
  }

  #recordChange({ app, channel }: { readonly app: string; readonly channel: string }): void {
    const { registry } = this.#context;
    if (registry.changesRecorded) void this.#observersFlushed().then(() => registry.changesRecorded?.(app, channel));
  }

  async #write(connection: Connection, audience: Audience, entry: PresenceEntry): Promise<JoinResult> {
    try {
      return await this.#context.registry.join(entry, connection.app.limits.presenceMembers);
    } catch (error) {
      const isRefused = error instanceof CommandError && error.code === "channel_full";
      // Where the engine failed, the entry may be written and only the answer lost.
      if (!isRefused) this.#context.runInBackground(() => this.leave(connection, audience, entry.member));
      throw error;
    }
  }
}
