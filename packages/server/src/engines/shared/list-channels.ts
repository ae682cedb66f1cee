/** How an engine that knows all channels of an app itself lists them. */

import { isInternal } from "../../domain/channel.ts";
import type { ChannelSummary } from "../../domain/ports.ts";

/** Those with subscribers whose name begins with the prefix; never the server's own. */
export function listChannels<State extends { readonly subscribers: number }>(
  channels: ReadonlyMap<string, State> | undefined,
  prefix: string,
  summaryOf: (name: string, state: State) => ChannelSummary,
): readonly ChannelSummary[] {
  const found: ChannelSummary[] = [];
  for (const [name, state] of channels ?? []) {
    if (state.subscribers > 0 && name.startsWith(prefix) && !isInternal(name)) found.push(summaryOf(name, state));
  }
  return found;
}
