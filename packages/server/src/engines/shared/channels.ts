/** Channels as engines know them: each as one text, and an app's as a list. */

import { isInternal } from "../../domain/channel.ts";
import type { ChannelSummary } from "../../domain/ports.ts";

export interface ChannelRef {
  readonly app: string;
  readonly channel: string;
}

/** No two channels have the same. */
export function channelKey({ app, channel }: ChannelRef): string {
  return `${appKey(app)}:${channel}`;
}

/** The app without a colon. */
export function appKey(app: string): string {
  return app.includes(":") || app.includes("%") ? app.replace(/%/g, "%25").replace(/:/g, "%3A") : app;
}

export function parseChannelKey(key: string): ChannelRef | undefined {
  const end = key.indexOf(":");
  if (end < 0) return undefined;
  const app = key.slice(0, end).replace(/%3A/g, ":").replace(/%25/g, "%");
  return { app, channel: key.slice(end + 1) };
}

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
