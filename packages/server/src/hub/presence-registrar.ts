/** Who is in a channel, as the registry and everybody else is told: members by name, all others by number. */

import type { App } from "../domain/app.ts";
import { isInternal } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError } from "../domain/error.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { Member } from "../domain/message.ts";
import type { Awaitable, JoinResult, PresenceEntry, Registry } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";
import type { SubscriptionCounts } from "./subscription-counts.ts";

interface Host {
  readonly registry: Registry;
  readonly counts: SubscriptionCounts;
  observe(event: HubEvent): void;
  /** Resolves when what observers heard is written down, as far as any of them writes. */
  readonly written: (() => Promise<void>) | undefined;
  settle(work: () => Awaitable<unknown>): unknown;
}

export class PresenceRegistrar {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Writes the member's row; where the user is new, the engine tells the others. */
  async join(connection: Connection, audience: Audience, member: Member): Promise<JoinResult> {
    const { app } = connection;
    const row = { app: app.id, channel: audience.channel.name, connection: connection.id, member };
    return this.#written(connection, audience, row);
  }

  async leave(connection: Connection, audience: Audience, member: Member): Promise<void> {
    const { app } = connection;
    const row = { app: app.id, channel: audience.channel.name, connection: connection.id, member };
    const { isLast: last } = await this.#host.registry.leave(row);
    if (!last) return;
    await audience.observersNotified;
    this.#host.observe({ type: "left", app, channel: row.channel, member: { id: member.id } });
    this.#toldOn(row);
  }

  /**
   * Never throws: whoever came or went has done so, whether it is counted or not. Observers hear `news` when they have heard
   * that the channel is occupied, whichever of this node's connections brought that about.
   */
  async updateSubscriberCount(app: App, audience: Audience, news: readonly HubEvent[] = []): Promise<void> {
    const { name, traits } = audience.channel;
    if (isInternal(name)) return;
    const isTold = app.subscriptionCounts && !traits.presence;
    const change = this.#count(app, audience);
    audience.observersNotified = this.#tell(audience.observersNotified, async () => {
      const type = await change.catch(() => undefined);
      return type ? [{ type, app, channel: name }, ...news] : news;
    });
    try {
      await change;
      if (isTold) await this.#host.counts.changed(app, name);
    } catch (error) {
      this.#host.observe({ type: "failed", error, during: "counting a channel's subscribers" });
      if (isTold) this.#host.counts.markPending(app, name);
    }
  }

  async #count(app: App, { channel, size, leaving }: Audience): Promise<"occupied" | "vacated" | undefined> {
    return this.#host.registry.setSubscriberCount(app.id, channel.name, size + leaving);
  }

  async #tell(before: Promise<void> | undefined, facts: () => Promise<readonly HubEvent[]>): Promise<void> {
    const found = facts();
    await before;
    for (const fact of await found) {
      this.#host.observe(fact);
      if (fact.type === "occupied") this.#toldOn({ app: fact.app.id, channel: fact.channel });
    }
  }

  #toldOn({ app, channel }: { readonly app: string; readonly channel: string }): void {
    const { registry, written } = this.#host;
    if (registry.changesRecorded)
      void (written?.() ?? Promise.resolve()).then(() => registry.changesRecorded?.(app, channel));
  }

  async #written(connection: Connection, audience: Audience, row: PresenceEntry): Promise<JoinResult> {
    try {
      return await this.#host.registry.join(row, connection.app.limits.presenceMembers);
    } catch (error) {
      const isRefused = error instanceof CommandError && error.code === "channel_full";
      // Where the engine failed, the row may be written and only the answer lost.
      if (!isRefused) this.#host.settle(() => this.leave(connection, audience, row.member));
      throw error;
    }
  }
}
