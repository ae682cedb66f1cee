/** The parts of the bench that the figures rest on: its frames, its counter of frames, its median. */

import { describe, expect, test } from "bun:test";
import { clientFrame, FrameCounter } from "../../bench/frames.ts";
import { dataFor, FRAME_BYTES, frameOf } from "../../bench/message.ts";
import { median, ratio } from "../../bench/table.ts";

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
