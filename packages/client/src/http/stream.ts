/** Frames as lines of one HTTP response that does not end. */

import type { Transport } from "../transport.ts";
import { httpTransport, type Reading } from "./session.ts";

const READING: Reading = {
  isSupported: () => "body" in (globalThis.Response?.prototype ?? {}),
  async read({ body }, heard) {
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      // What was begun is sent again.
      if (done) return;
      const lines = (text + decoder.decode(value, { stream: true })).split("\n");
      text = lines.pop() ?? "";
      heard(lines.filter((line) => line !== ""));
    }
  },
};

/**
 * HTTP streaming: `transports: [webSocket, stream, poll]`. A response that is cut off is asked for again from where it was, so that a
 * proxy that ends requests after a minute costs neither an event nor a place in a presence channel.
 */
export const stream: Transport = createStream();

/** For tests: looks for a better one earlier. */
export function createStream(firstLookMs?: number): Transport {
  return httpTransport("stream", READING, firstLookMs);
}
