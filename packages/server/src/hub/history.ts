/** What is kept of a channel: how much of it, and the last event of a cache channel. */

import type { App } from "../domain/app.ts";
import type { Channel } from "../domain/channel.ts";
import type { EventPublication, Position } from "../domain/message.ts";
import type { Broker, HistoryPolicy, StoredEvent } from "../domain/ports.ts";
import type { Channels } from "./channels.ts";

/** A cache channel keeps the last event that a back end sent; a channel with history keeps what clients say as well. */
export function historyFor(
  channels: Channels,
  app: App,
  known: Channel | undefined,
  { channel, from }: EventPublication,
): HistoryPolicy | undefined {
  const { traits, policy } = known ?? channels.ofIfKept(app, channel) ?? NOTHING;
  if (policy?.history) return { size: policy.history.size, ttlMs: policy.history.ttlS * 1000 };
  return traits?.cache && from === undefined ? { size: 1, ttlMs: policy.cacheTtlS * 1000 } : undefined;
}

const NOTHING: { readonly traits?: undefined; readonly policy?: undefined } = {};

/** The last event that a back end sent, where it is kept, and where the channel stood when it was the last. */
export interface Last {
  readonly kept: StoredEvent | undefined;
  readonly position: Position;
}

/** In a channel with history the last event may lie behind what clients said since. */
export async function lastOf(broker: Pick<Broker, "history">, app: string, { name, policy }: Channel): Promise<Last> {
  const { events: kept, position } = await broker.history(app, name, undefined, 1);
  const last = kept.at(-1);
  if (!last || isFromBackend(last.publication) || !policy.history) return { kept: last, position };
  const all = await broker.history(app, name, undefined, policy.history.size);
  return { kept: all.events.findLast(({ publication }) => isFromBackend(publication)), position: all.position };
}

/** Where only the last event is kept nobody can resume from a position, so nobody is told any. */
export function withoutPosition({ position: _, ...publication }: EventPublication): EventPublication {
  return publication;
}

export function isFromBackend({ from }: EventPublication): boolean {
  return from === undefined;
}
