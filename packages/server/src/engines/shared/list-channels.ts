/** The channels of an app as an engine lists them that knows all of them itself. */

import { isInternal } from "../../domain/channel.ts";
import type { ChannelSummary } from "../../domain/ports.ts";

/** Those with subscribers whose name begins so; never the server's own. */
export function listChannels<Place extends { readonly subscribers: number }>(
  places: ReadonlyMap<string, Place> | undefined,
  prefix: string,
  summaryOf: (name: string, place: Place) => ChannelSummary,
): readonly ChannelSummary[] {
  const found: ChannelSummary[] = [];
  for (const [name, place] of places ?? []) {
    if (place.subscribers > 0 && name.startsWith(prefix) && !isInternal(name)) found.push(summaryOf(name, place));
  }
  return found;
}
