/** permessage-deflate: off unless switched on, and bounded when it is. */

import { describe, expect, test } from "bun:test";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { residentBytes } from "../faults/process.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { startProcess } from "../support/process.ts";
import { connectRaw, OPCODE, type RawSocket } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";

const OFFER = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" };
const RSV1 = 4;
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/** RFC 7692 7.2.1 */
function deflated(data: string | Uint8Array): Buffer {
  return deflateRawSync(data, { level: 9, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -TAIL.length);
}

function inflated(payload: Uint8Array): string {
  return inflateRawSync(Buffer.concat([payload, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH }).toString();
}

async function connectDeflating(url: string, path = "/"): Promise<{ raw: RawSocket; granted: string | undefined }> {
  const raw = await connectRaw(url);
  const { status, headers } = await raw.handshake(path, OFFER);
  expect(status).toBe(101);
  return { raw, granted: headers["sec-websocket-extensions"] };
}

describe("compression", () => {
  test("is not offered by default, and a compressed frame is a broken one", async () => {
    const server = await startServer({}, { anonymous: true });
    const { raw, granted } = await connectDeflating(server.url);
    expect(granted).toBeUndefined();
    raw.send(OPCODE.text, deflated('{"event":"ping"}'), { rsv: RSV1 });
    await raw.closed;
    expect((await connectNative(server.url)).id).toBeString();
  });

  test("goes both ways where it is on, without memory between messages, for those who ask", async () => {
    const server = await startServer({ compression: true }, { anonymous: true });
    const { raw, granted } = await connectDeflating(server.url);
    expect(granted).toContain("permessage-deflate");
    expect(granted).toContain("client_no_context_takeover");
    expect(granted).toContain("server_no_context_takeover");
    raw.send(OPCODE.text, deflated('{"event":"subscribe","data":{"channel":"x"}}'), { rsv: RSV1 });
    const plain = await connectNative(server.url);
    await plain.subscribe("x");
    await eventually(async () => expect((await server.getChannelStats("x")).subscribers).toBe(2));
    const data = "all work and no play ".repeat(100);
    await server.toChannel("x").push({ event: "long", data });
    await server.toChannel("x").push({ event: "short", data: "hi" });
    await raw.until(() => raw.frames.some(({ payload }) => payload.includes('"short"')), "the short event");
    const long = raw.frames.find(({ rsv }) => rsv === RSV1);
    expect(long?.payload.length).toBeLessThan(data.length / 10);
    expect(JSON.parse(inflated(long?.payload ?? Buffer.alloc(0)))).toMatchObject({ event: "long", data });
    expect(raw.frames.filter(({ rsv }) => rsv === 0).length).toBeGreaterThan(1);
    expect((await plain.next("long")).data).toBe(data);
  });

  test("is there for endpoints as well", async () => {
    const server = await startServer({ compression: true });
    const data = "echo ".repeat(500);
    server.websocket("/echo", { message: (socket, message) => socket.send(message) });
    const { raw } = await connectDeflating(server.url, "/echo");
    raw.send(OPCODE.text, deflated(data), { rsv: RSV1 });
    const { rsv, payload } = await raw.next(OPCODE.text);
    expect([rsv, inflated(payload)]).toEqual([RSV1, data]);
  });

  test("is no way to make 200 MB of 200 KB (scenario 59)", async () => {
    const child = await startProcess({
      config: { compression: true, limits: { frameBytes: 262_144 }, apps: [{ ...APP, anonymous: true }] },
    });
    const witness = await connectNative(child.url);
    await witness.subscribe("x");
    const bombs = [40_000_000, 200_000_000].map((bytes) => deflated(Buffer.alloc(bytes)));
    const before = residentBytes(child.pid);
    for (let round = 0; round < 3; round++) {
      for (const bomb of bombs) {
        expect(bomb.length).toBeLessThan(262_144);
        const { raw } = await connectDeflating(child.url);
        raw.send(OPCODE.text, bomb, { rsv: RSV1 });
        expect(await raw.ending()).toBe(1009);
      }
    }
    expect(residentBytes(child.pid) - before).toBeLessThan(30_000_000);
    expect((await witness.subscribe("y")).event).toBe("subscribed");
    await witness.ping();
  });
});
