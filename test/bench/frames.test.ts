/** The parts of the bench that the figures rest on: its frames, its counter of frames, its median. */

import { describe, expect, test } from "bun:test";
import { Arrivals } from "../../bench/arrivals.ts";
import { APP } from "../../bench/credentials.ts";
import { clientFrame, FrameCounter } from "../../bench/frames.ts";
import { dataFor, FRAME_BYTES, frameOf } from "../../bench/message.ts";
import { doorOf } from "../../bench/pair.ts";
import { Readers } from "../../bench/readers.ts";
import { median, ratio } from "../../bench/table.ts";
import { createServer } from "../../packages/server/src/index.ts";

describe("what the bench fans out", () => {
  test.each(["pusher", "native"] as const)("is a frame of 123 bytes in the %s protocol's spelling", (spelling) => {
    expect(Buffer.byteLength(frameOf(spelling, dataFor(spelling)))).toBe(FRAME_BYTES);
  });
});

describe("the frame counter", () => {
  const long = "y".repeat(70_000 / 2);
  const stream = Buffer.concat(["", "a", "x".repeat(125), "x".repeat(126), long, "z"].map(serverFrame));

  test.each([1, 2, 3, 7, 64, 1_000, 1_000_000])("counts whole streams in pieces of %d bytes", (piece) => {
    const counter = new FrameCounter();
    for (let at = 0; at < stream.length; at += piece) counter.add(stream.subarray(at, at + piece));
    expect(counter.count).toBe(6);
    expect(counter.others).toBe(0);
  });

  test("does not count a close as a message", () => {
    const counter = new FrameCounter();
    counter.add(new Uint8Array([0x88, 2, 3, 232]));
    expect(counter).toMatchObject({ count: 0, others: 1 });
  });

  test.each([1, 5, 1_000])(
    "has an answer to each ping, and counts none as a message, in pieces of %d bytes",
    (piece) => {
      const counter = new FrameCounter();
      const asked = ['{"event":"pusher:ping","data":"{}"}', "2"].map(serverFrame);
      const stream = Buffer.concat([...asked, Buffer.from([0x89, 2, 111, 107]), serverFrame("m")]);
      for (let at = 0; at < stream.length; at += piece) counter.add(stream.subarray(at, at + piece));
      expect(counter).toMatchObject({ count: 1, others: 0 });
      const pong = new Uint8Array([0x8a, 0x82, 0, 0, 0, 0, 111, 107]);
      expect(counter.pongs).toEqual([clientFrame('{"event":"pusher:pong","data":{}}'), clientFrame("3"), pong]);
    },
  );
});

describe("readers of the bench", () => {
  test.each(["pusher", "native"] as const)("stay although they are asked whether they live (%s)", async (kind) => {
    const server = createServer({
      port: 0,
      host: "127.0.0.1",
      mode: "production",
      log: { level: "silent" },
      activityTimeoutS: 0.1,
      pongTimeoutS: 0.2,
      defaults: { anonymous: true },
      apps: [APP],
    });
    await server.start();
    const arrivals = new Arrivals();
    const readers = new Readers(arrivals);
    try {
      await readers.open({ port: server.port, count: 5, ...doorOf(kind, "quiet") });
      readers.reset();
      await Bun.sleep(1_000);
      expect(arrivals).toMatchObject({ lost: 0, frames: 0 });
    } finally {
      readers.close();
      await server.stop();
    }
  });
});

describe("a client's frame", () => {
  test.each([0, 1, 125, 126, 60_000])("of %d bytes is read as what it says", async (length) => {
    const text = "m".repeat(length);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const server = Bun.serve({
      port: 0,
      fetch: (request, listener) => (listener.upgrade(request) ? undefined : new Response()),
      websocket: { message: (_, message) => resolve(message) },
    });
    const lines = [
      "GET / HTTP/1.1",
      "Host: x",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
    ];
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: server.port ?? 0,
      socket: { data: (opened) => void opened.write(clientFrame(text)) },
    });
    socket.write(`${lines.join("\r\n")}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
    expect(await promise).toBe(text);
    socket.end();
    await server.stop(true);
  });
});

describe("figures", () => {
  test("of several rounds are their median", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  test("are compared round by round", () => {
    expect(ratio([2, 30, 5], [1, 10, 5])).toBe(2);
  });
});

function serverFrame(text: string): Uint8Array {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? [0x81, payload.length] : [0x81, 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from(head), payload]);
}
