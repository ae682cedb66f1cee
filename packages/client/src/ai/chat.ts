/** A transport for the AI SDK's `useChat`: the question goes by HTTP, the answer comes by the chat's channel. */

import type { ChatTransport, UIMessage } from "ai";
import type { Channel, Client, Position } from "../types.ts";
import { whenAttached } from "../waiting.ts";
import { toChunks } from "./chunks.ts";
import { EVENT } from "./event.ts";
import { findStream } from "./find.ts";
import { openStream } from "./stream.ts";

export interface FanfareChatOptions {
  readonly client: Client;
  /** The channel that a chat's answers are published in. With `history` they survive a reload. */
  readonly channel: (chatId: string) => string;
  /** The back end's route: `POST` with `{id, streamId, messages, trigger, messageId}`, `DELETE ?id=…&streamId=…`. Default `/api/chat`. */
  readonly api?: string;
  /** The name of the stream's events. Default `"stream"`. */
  readonly event?: string;
  /** In place of the global one: to add headers, for example. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** Pauses before a stop is tried again, where the back end is away or does not know the stream yet. */
const STOP_PAUSES_MS = [500, 1_000, 2_000];

/**
 * The back end answers a question by `publisher.stream(channel, parts, { id: streamId })`. Stopping the chat is a `DELETE` to the back
 * end; a page that is closed sends none, so the answer goes on, and `resume` finds it.
 */
export function fanfareChat<M extends UIMessage = UIMessage>(options: FanfareChatOptions): ChatTransport<M> {
  const { client, channel, api = "/api/chat", event = EVENT, fetch: send = fetch } = options;
  const request = async (query: string, init: RequestInit) => {
    const response = await send(api + query, init);
    if (!response.ok) throw new Error((await response.text()) || `${api} answered ${response.status}`);
  };
  const read = (
    of: Channel,
    id: string,
    streamId: string,
    since: Position | undefined,
    signal: AbortSignal | undefined,
    ask?: () => Promise<void>,
  ) => {
    const ended = new AbortController();
    const reading = new AbortController();
    const stop = () => {
      void insist(() => request(`?${new URLSearchParams({ id, streamId })}`, { method: "DELETE", keepalive: true }));
      reading.abort(signal?.reason);
    };
    signal?.addEventListener("abort", stop, { signal: ended.signal });
    const parts = openStream(of, streamId, event, since, reading.signal);
    ask?.().catch((error) => reading.abort(error));
    return parts.pipeThrough(toChunks(streamId, () => ended.abort()));
  };
  return {
    resumeStreamIsReplay: true,

    async sendMessages({ chatId: id, abortSignal, headers, body, messages, trigger, messageId }) {
      const of = client.channel(channel(id));
      const release = of.hold();
      try {
        await whenAttached(of, abortSignal);
        const streamId = randomId();
        const question = JSON.stringify({ ...body, id, streamId, messages, trigger, messageId });
        const asked = new Headers(headers);
        asked.set("content-type", "application/json");
        // Not awaited: a back end may answer when the stream has ended. Not aborted: a stop is a request of its own.
        const post = () => request("", { method: "POST", headers: asked, body: question });
        return read(of, id, streamId, undefined, abortSignal, post);
      } finally {
        release();
      }
    },

    async reconnectToStream({ chatId: id, abortSignal }) {
      const of = client.channel(channel(id));
      const { id: streamId, hasEnded, since } = await findStream(of, event, abortSignal);
      if (streamId === undefined || hasEnded || abortSignal?.aborted) return null;
      return read(of, id, streamId, since, abortSignal);
    },
  };
}

async function insist(attempt: () => Promise<void>): Promise<void> {
  for (const pauseMs of STOP_PAUSES_MS) {
    try {
      return await attempt();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** Not `randomUUID`, which only secure contexts have. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
