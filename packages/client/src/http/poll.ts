/** Frames as the answers of requests that wait for them. */

import type { Transport } from "../transport.ts";
import { httpTransport } from "./session.ts";

interface Answer {
  /** The number of the last frame in it. */
  readonly seq: number;
  readonly frames: readonly unknown[];
}

/** Long polling: `transports: [webSocket, stream, poll]`. Slower, and for proxies that hold back what is not complete. */
export const poll: Transport = httpTransport("poll", {
  isSupported: () => true,
  async read(response, heard) {
    const { seq, frames }: Answer = await response.json();
    heard(
      frames.map((frame) => JSON.stringify(frame)),
      seq,
    );
  },
});
