/** The last event of a cache channel: when it is kept, and how a newcomer gets it and misses none. */

import type { App } from "../domain/app.ts";
import { type Channel, traitsOf } from "../domain/channel.ts";
import type { EventPublication } from "../domain/message.ts";
import type { Broker, HistoryPolicy, Kept } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";
import type { Channels } from "./channels.ts";

/** Cache channels keep the last event that a back end sent; what clients say among themselves is not kept. */
export function historyFor(
  channels: Channels,
  app: App,
  known: Channel | undefined,
  { channel, from }: EventPublication,
): HistoryPolicy | undefined {
  if (from !== undefined || !(known?.traits ?? traitsOf(channel)).cache) return undefined;
  const { policy } = known ?? channels.of(app, channel);
  return { size: 1, ttlMs: policy.cacheTtlS * 1000 };
}

export async function lastOf(broker: Broker, app: string, channel: string): Promise<Kept | undefined> {
  const page = await broker.history(app, channel, undefined, 1);
  return page.kept.at(-1);
}

/** Runs `tune` with the event that the channel keeps, or with a later one that came in while that was fetched. */
export async function withLast(
  broker: Broker,
  audience: Audience,
  tune: (cached: EventPublication | undefined) => void,
): Promise<void> {
  if (!audience.channel.traits.cache) return tune(undefined);
  let heard: EventPublication | undefined;
  const listen = (publication: EventPublication) => {
    if (publication.from === undefined) heard = publication;
  };
  audience.listeners.add(listen);
  try {
    const last = await lastOf(broker, audience.app, audience.channel.name);
    tune(heard ?? last?.publication);
  } finally {
    audience.listeners.delete(listen);
  }
}
