/** The client of the pages, with a way to cut its connection, and what the frameworks' pages have in common. */

import { type ChannelEvent, createClient, type LoadRequest } from "@fanfare/client";

const query = new URLSearchParams(globalThis.location?.search);
const sockets = new Set<WebSocket>();

class CuttableSocket extends WebSocket {
  constructor(url: string) {
    super(url);
    sockets.add(this);
  }
}

export const client = createClient({
  url: query.get("server") ?? "ws://server-side.invalid",
  WebSocket: CuttableSocket as never,
  token: query.get("token") ?? undefined,
  backoff: { minMs: 50 },
} as never);

export function cut(): void {
  for (const socket of sockets) socket.close();
  sockets.clear();
}

export const counts = { loads: 0, fallbacks: 0 };

export const liveOptions = {
  load: async ({ signal }: LoadRequest): Promise<{ state: number[] }> => {
    counts.loads++;
    return (await fetch("/state", { signal })).json();
  },
  apply: (state: number[], { data }: ChannelEvent): number[] =>
    state.includes(data as number) ? state : [...state, data as number],
};

export const textOf = (events: readonly ChannelEvent[]) => events.map(({ data }) => String(data)).join(" ");
