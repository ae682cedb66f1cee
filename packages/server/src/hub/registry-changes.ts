/** What the engine did by itself, for observers: another node died, or this one's entries had to be written again. */

import type { App } from "../domain/app.ts";
import { type Channel, isInternal } from "../domain/channel.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { Awaitable, RegistryChange } from "../domain/ports.ts";
import type { SubscriptionCounts } from "./subscription-counts.ts";

/** As the hub is. */
interface Host {
  readonly subscriptionCounts: SubscriptionCounts;
  channelOf(app: App, name: string): Channel;
  observe(event: HubEvent): void;
}

export async function observeChanges(
  hub: Host,
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
