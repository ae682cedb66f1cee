/** Has a server publish at an even pace, finer than any timer: one byte to its port for each message. */

import { nowMs } from "./contender.ts";

export interface Pulsing {
  readonly port: number;
  readonly perSecond: number;
  readonly messages: number;
}

/** Says when each byte was sent. Turns all the while, and reads in between what comes. */
export async function pulse({ port, perSecond, messages }: Pulsing): Promise<number[]> {
  const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
  socket.setNoDelay(true);
  const startMs = nowMs();
  const sentAtMs: number[] = [];
  while (sentAtMs.length < messages) {
    if (nowMs() >= startMs + (sentAtMs.length * 1000) / perSecond) {
      sentAtMs.push(nowMs());
      socket.write("\n");
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  socket.end();
  return sentAtMs;
}
