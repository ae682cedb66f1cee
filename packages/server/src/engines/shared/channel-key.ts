/** A channel of an app as one text, by which engines keep what they know of it. */

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
