/**
 * RFC 6455 over raw sockets, against the server's own upgrade, limits and options; and the same against a bare Bun.serve in the
 * same run, so that whatever stands between Bun and the client is shown to change nothing. Scenarios 58, 59 and 69.
 */

import { describe, expect, test } from "bun:test";
import { atEnd } from "../support/at-end.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { closePayload, connectRaw, connectRawWebSocket, OPCODE, type RawSocket } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";

const { text, binary, continuation, close, ping, pong } = OPCODE;
const FRAME_BYTES = 65_536;

/** Forty megabytes in forty kilobytes, as permessage-deflate would carry them. */
const BOMB = Bun.deflateSync(new Uint8Array(40 * 1024 * 1024));

const server = await startServer({ limits: { frameBytes: FRAME_BYTES } }, { anonymous: true });
const bare = Bun.serve<undefined>({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, self) => (self.upgrade(request) ? undefined : new Response(null, { status: 400 })),
  websocket: { maxPayloadLength: FRAME_BYTES, message: (ws, message) => void ws.send(message) },
});
atEnd(() => bare.stop(true));

const ENDPOINTS = [
  ["the Pusher protocol", server.url, `/app/${APP.key}`],
  ["the native protocol", server.url, "/"],
  ["bare Bun", bare.url.href, "/"],
] as const;

/** What the server must close with. RFC 6455, sections 5, 7 and 8. */
const VIOLATIONS: readonly (readonly [string, number, (raw: RawSocket) => void])[] = [
  ["RSV1 without an extension, as in a compressed frame", 1002, (raw) => raw.send(text, BOMB, { rsv: 4 })],
  ["RSV2", 1002, (raw) => raw.send(text, "x", { rsv: 2 })],
  ["RSV3", 1002, (raw) => raw.send(text, "x", { rsv: 1 })],
  ["a frame without a mask", 1002, (raw) => raw.send(text, "x", { masked: false })],
  ["a ping without a mask", 1002, (raw) => raw.send(ping, "x", { masked: false })],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
    (opcode) => [`reserved opcode ${opcode}`, 1002, (raw: RawSocket) => raw.send(opcode, "x")] as const,
  ),
  ["a ping of 126 bytes", 1002, (raw) => raw.send(ping, "x".repeat(126))],
  ["a pong of 126 bytes", 1002, (raw) => raw.send(pong, "x".repeat(126))],
  ["a close of 126 bytes", 1002, (raw) => raw.send(close, closePayload(1000, "x".repeat(124)))],
  ["a fragmented ping", 1002, (raw) => raw.send(ping, "x", { fin: false })],
  ["a continuation without a start", 1002, (raw) => raw.send(continuation, "x")],
  ["an unfinished continuation without a start", 1002, (raw) => raw.send(continuation, "x", { fin: false })],
  ["a new message inside a fragmented one", 1002, (raw) => pieces(raw, [text, "a"], [text, "b"])],
  ["text that is not UTF-8", 1007, (raw) => raw.send(text, Buffer.from([0x22, 0xff, 0x22]))],
  ["text with an overlong encoding", 1007, (raw) => raw.send(text, Buffer.from([0xc0, 0xaf]))],
  ["text with a surrogate", 1007, (raw) => raw.send(text, Buffer.from([0xed, 0xa0, 0x80]))],
  ["text beyond U+10FFFF", 1007, (raw) => raw.send(text, Buffer.from([0xf4, 0x90, 0x80, 0x80]))],
  ["text that stops inside a character", 1007, (raw) => raw.send(text, Buffer.from([0xe2, 0x82]))],
  ["fragments that are not UTF-8 together", 1007, (raw) => pieces(raw, [text, [0xce]], [continuation, [0xff], true])],
  ["a close with a payload of one byte", 1002, (raw) => raw.send(close, "x")],
  ["a close whose reason is not UTF-8", 1007, (raw) => raw.send(close, closePayload(1000, Buffer.from([0xff])))],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
    (code) => [`a close with ${code}`, 1002, (raw: RawSocket) => raw.send(close, closePayload(code))] as const,
  ),
  ["a frame one byte too long", 1009, (raw) => raw.send(text, "x".repeat(FRAME_BYTES + 1))],
  ["a header that claims 2^63 - 1 bytes", 1009, (raw) => raw.send(text, "x", { claims: 2n ** 63n - 1n })],
  ["a header that claims 2^64 - 1 bytes", 1009, (raw) => raw.send(binary, "x", { claims: 2n ** 64n - 1n })],
];

describe.each(ENDPOINTS)("%s", (_, url, path) => {
  test.each(VIOLATIONS)("closes on %s with %i (scenario 69)", async (_case, code, violate) => {
    const raw = await connectRawWebSocket(url, path);
    violate(raw);
    expect(await raw.ending()).toBe(code);
  });

  test.each([1000, 1001, 1002, 1003, 1007, 1011, 3000, 3999, 4000, 4999])("echoes a close with %i", async (code) => {
    const raw = await connectRawWebSocket(url, path);
    raw.send(close, closePayload(code, "bye"));
    expect(await raw.ending()).toBe(code);
  });

  test("answers an empty close with a close", async () => {
    const raw = await connectRawWebSocket(url, path);
    raw.send(close);
    expect((await raw.next(close)).opcode).toBe(close);
  });

  test("answers pings with their own payload, also between the fragments of a message", async () => {
    const raw = await connectRawWebSocket(url, path);
    raw.send(ping, "");
    expect((await raw.next(pong)).payload.toString()).toBe("");
    raw.send(ping, Buffer.alloc(125, 0xfe));
    expect((await raw.next(pong)).payload).toEqual(Buffer.alloc(125, 0xfe));
    pieces(raw, [text, '{"event":"pi']);
    raw.send(ping, "between");
    expect((await raw.next(pong)).payload.toString()).toBe("between");
    pieces(raw, [continuation, "ng"], [continuation, ""], [continuation, '","id":"€"}', true]);
    const isAnswer = () => raw.frames.some(({ payload }) => /ng|Unknown event/.test(payload.toString()));
    await raw.until(isAnswer, "the answer to the message");
  });

  test("takes a character that is cut in two by fragments, and a pong that nobody asked for", async () => {
    const raw = await connectRawWebSocket(url, path);
    const [first, second] = [Buffer.from('{"event":"ping","data":"€').subarray(0, -2), Buffer.from('€"}').subarray(1)];
    raw.send(pong, "unasked");
    pieces(raw, [text, first], [continuation, second, true]);
    raw.send(ping, "still there");
    expect((await raw.next(pong)).payload.toString()).toBe("still there");
  });

  test("does not agree to compress", async () => {
    const { headers } = await (await connectRaw(url)).handshake(path, {
      "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
    });
    expect(headers["sec-websocket-accept"]).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    expect(headers["sec-websocket-extensions"]).toBeUndefined();
  });
});

test.each(ENDPOINTS.slice(0, 2))(
  "fragments without end are closed with 1009 over %s, and nothing is kept of them",
  async (_, url, path) => {
    const witness = await connectPusher(server.url);
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    for (let round = 0; round < 50; round++) {
      const raw = await connectRawWebSocket(url, path);
      raw.send(text, "x".repeat(1000), { fin: false });
      for (let i = 0; i < 70; i++) raw.send(continuation, "x".repeat(1000), { fin: false });
      expect(await raw.ending()).toBe(1009);
    }
    for (let round = 0; round < 50; round++) {
      const raw = await connectRawWebSocket(url, path);
      raw.send(text, "x", { claims: 2n ** 63n - 1n });
      expect(await raw.ending()).toBe(1009);
    }
    Bun.gc(true);
    // Client and server share this process, so the bound is a generous one: what must not happen are gigabytes.
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
    await witness.ping();
  },
);

test("fragments that only add up to a whole frame are a frame", async () => {
  const raw = await connectRawWebSocket(server.url, "/");
  const frame = '{"event":"ping","id":1}'.padEnd(FRAME_BYTES);
  for (let at = 0; at < FRAME_BYTES; at += 4096) {
    const isLast = at + 4096 >= FRAME_BYTES;
    raw.send(at === 0 ? text : continuation, frame.slice(at, at + 4096), { fin: isLast });
  }
  await raw.until(() => raw.frames.some(({ payload }) => payload.includes('"pong"')), "the pong");
});

test("the reason of a close is UTF-8 that fits its frame, whatever the client has put into it", async () => {
  for (const name of [
    "x".repeat(200),
    "é".repeat(100),
    "€".repeat(100),
    `a${"€".repeat(100)}`,
    "😀".repeat(100),
    `a${"😀".repeat(100)}`,
  ]) {
    const raw = await connectRawWebSocket(server.url, `/?app=${encodeURIComponent(name)}`);
    expect(await raw.ending()).toBe(4001);
    const { payload } = await raw.next(close);
    expect(payload.length).toBeLessThanOrEqual(125);
    expect(new TextDecoder("utf-8", { fatal: true }).decode(payload.subarray(2))).toStartWith(
      "Could not find app by key ",
    );
  }
});

type Piece = readonly [opcode: number, payload: string | Buffer | readonly number[], fin?: boolean];

function pieces(raw: RawSocket, ...all: readonly Piece[]): void {
  for (const [opcode, payload, fin = false] of all) {
    raw.send(opcode, typeof payload === "string" ? payload : Buffer.from(payload), { fin });
  }
}
