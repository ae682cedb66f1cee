/** A client of the board's: the tab's own, its robot's, or one that watches while the tab's is cut. */

import { type Client, createClient } from "@fanfare/client";
import type { Wire } from "./wire.ts";

/** Who is here, and the notes, which are kept. */
export const WORKSHOP = "presence-workshop";
/** Where the pointers are: of the moment, and so kept by nobody. */
export const CURSORS = "private-workshop-cursors";
/** Public, so that the code on the page works in anybody's program. */
export const PUBLIC = "workshop";

export interface GuestOptions {
  readonly key: string;
  /** The name that the next token is to carry; without it, the token is a robot's. */
  readonly name?: () => string;
  readonly wire?: Wire;
  /** The app has another key now, so that what the page shows is out of date. */
  readonly onOtherKey?: () => void;
}

export function createGuest({ key, name, wire, onOtherKey }: GuestOptions): Client {
  const client: Client = createClient({
    url: new URL("./", location.href).href,
    // With the app's key, since a program may have an endpoint at the same address.
    app: key,
    token: ({ reason, signal }) => {
      const isSentAway = reason === "rejected" && client.snapshot.error?.code === "terminated";
      return isSentAway ? null : fetchToken(signal);
    },
    ...(wire && { transports: [wire.transport] }),
  });
  return client;

  async function fetchToken(signal: AbortSignal): Promise<string | null> {
    const query = name ? `name=${encodeURIComponent(name())}` : "robot";
    const response = await fetch(`demo/token?${query}`, { signal, cache: "no-store" });
    // This server has no demo any more.
    if (response.status === 404 || response.status === 403) return null;
    if (!response.ok) throw new Error(`The server answers ${response.status}.`);
    const answer = (await response.json()) as { readonly token: string; readonly key: string };
    if (answer.key !== key) onOtherKey?.();
    return answer.token;
  }
}
