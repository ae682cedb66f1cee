/** Watches something of a running server for a while, over the connection that the dashboard has for it. */

import { type ConnectionSnapshot, createClient, type FanfareError } from "@fanfare/client";
import { type LiveEvents, liveChannel, type Watch } from "fanfare/wire/admin";
import type { AdminClient } from "./admin-client.ts";
import { ToolError } from "./admin-client.ts";

export interface LiveWatch<Name extends keyof LiveEvents> {
  readonly watch: Watch;
  readonly name: Name;
  /** From when the server watches. */
  readonly forMs: number;
  readonly signal: AbortSignal;
  /** True when that was enough. */
  readonly hear: (data: LiveEvents[Name]) => boolean;
}

export interface Watched {
  /** Why some of the time nothing could be seen. */
  readonly interruption?: string;
}

const ATTACH_TIMEOUT_MS = 10_000;

/** Throws ToolError where it could not be watched at all. */
export async function watchLive<Name extends keyof LiveEvents>(
  admin: AdminClient,
  { watch, name, forMs, signal, hear }: LiveWatch<Name>,
): Promise<Watched> {
  // What the server refuses is said before anything is opened.
  let ticketed: string | undefined = await admin.liveAddress();
  const url = () => {
    const first = ticketed;
    ticketed = undefined;
    return first ?? admin.liveAddress();
  };
  const client = createClient({ url: async () => url(), connect: "manual", lingerMs: 0, log: () => {} });
  const channel = client.channel(liveChannel(watch));
  const ended = Promise.withResolvers<void>();
  let interruption: string | undefined;
  let timer = setTimeout(() => ended.reject(unwatchable(client.snapshot.error)), ATTACH_TIMEOUT_MS);
  let isAttached = false;
  channel.on(name, (data) => {
    if (hear(data as LiveEvents[Name])) ended.resolve();
  });
  channel.subscribe(() => {
    const { state, error } = channel.snapshot;
    if (state === "refused") ended.reject(unwatchable(error));
    if (state !== "attached" || isAttached) return;
    isAttached = true;
    clearTimeout(timer);
    timer = setTimeout(() => ended.resolve(), forMs);
  });
  client.subscribe(() => {
    if (client.snapshot.state === "failed") ended.reject(unwatchable(client.snapshot.error));
    interruption ??= isAttached ? lossIn(client.snapshot) : undefined;
  });
  const stop = () => ended.resolve();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  client.connect();
  try {
    await ended.promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    client.close();
  }
  return interruption === undefined ? {} : { interruption };
}

function lossIn({ state, error }: ConnectionSnapshot): string | undefined {
  if (state !== "reconnecting") return undefined;
  return `The connection was lost meanwhile (${error?.message ?? "no reason given"}): something may be missing.`;
}

function unwatchable(error: FanfareError | undefined): ToolError {
  return new ToolError(`the server's live connection does not open: ${error?.message ?? "it does not answer in time"}`);
}
