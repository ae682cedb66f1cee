/** The outbound buffer: who does not read is cut, and nobody else loses anything. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { connectRawWebSocket, OPCODE, type RawSocket } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";

const LIMIT = 64 * 1024;
/** More than the limit and all that the kernel keeps for a loopback connection (a few megabytes each way). */
const MOST_BYTES = 48 * 1024 * 1024;
const DATA = "x".repeat(10_000);

const server = await startServer({ limits: { outboundBufferBytes: LIMIT } }, { anonymous: true });
const { url } = server;

test.each([
  ["Pusher", `/app/${APP.key}`, '{"event":"pusher:subscribe","data":{"channel":"busy"}}'],
  ["native", "/", '{"event":"subscribe","data":{"channel":"busy"}}'],
])(
  "a %s client that stops reading is cut, and everybody else gets every event in order (A19, A20)",
  async (_, path, subscribe) => {
    const [pusher, native] = [await connectPusher(url), await connectNative(url)];
    await pusher.subscribe("busy");
    await native.subscribe("busy");
    const stalled = await stalledReader(path, subscribe);
    const before = server.connections.count();
    expect((await server.channel("busy").info())?.subscribers).toBe(3);

    let sent = 0;
    while (server.connections.count() === before && sent * DATA.length < MOST_BYTES) {
      // Less at once than the limit: only who does not read is meant to fall behind.
      for (let i = 0; i < 5; i++) await server.toChannel("busy").push({ event: "n", data: `${sent++} ${DATA}` });
      await pusher.ping();
      await native.ping();
    }
    expect(server.connections.count()).toBe(before - 1);
    await eventually(async () => expect((await server.channel("busy").info())?.subscribers).toBe(2));

    for (const client of [pusher, native]) {
      for (let n = 0; n < sent; n++) {
        const { data } = await client.next("n");
        expect(String(data).startsWith(`${n} `)).toBe(true);
      }
    }
    expect(await heard(stalled)).toBeLessThan(sent);
  },
);

test("one who only pauses within the limit loses nothing", async () => {
  const paused = await stalledReader(`/app/${APP.key}`, '{"event":"pusher:subscribe","data":{"channel":"calm"}}');
  for (let n = 0; n < 5; n++) await trigger(url, APP, { name: "n", channel: "calm", data: String(n) });
  paused.resume();
  for (let n = 0; n < 5; n++) {
    const { payload } = await paused.next(OPCODE.text);
    expect(JSON.parse(payload.toString())).toEqual({ event: "n", channel: "calm", data: String(n) });
  }
});

/** Subscribed, and reading no more. */
async function stalledReader(path: string, subscribe: string): Promise<RawSocket> {
  const raw = await connectRawWebSocket(url, path);
  raw.send(OPCODE.text, subscribe);
  await raw.until(() => raw.frames.length === 2, "the welcome and the subscription");
  raw.frames.length = 0;
  raw.stall();
  return raw;
}

/** What was on its way when it was cut. */
async function heard(raw: RawSocket): Promise<number> {
  raw.resume();
  await raw.closed;
  return raw.frames.filter(({ opcode }) => opcode === OPCODE.text).length;
}
