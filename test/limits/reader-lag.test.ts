/** A reader that drains less than it is sent, and pings all the time: it is cut by the time it is behind, with every buffer far from full. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { scrape } from "../support/metrics.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { connectRawWebSocket, OPCODE, type RawSocket } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";

const LAG_S = 3;
const DATA = "x".repeat(20_000);

/** Says that it lives ten times a second, and reads nothing. */
function pinging(raw: RawSocket, work: () => Promise<void>): Promise<void> {
  raw.stall();
  const timer = setInterval(() => raw.send(OPCODE.ping, "alive"), 100);
  return work().finally(() => clearInterval(timer));
}

describe.each([
  ["Pusher", `/app/${APP.key}`, '{"event":"pusher:subscribe","data":{"channel":"busy"}}'],
  ["native", "/", '{"event":"subscribe","data":{"channel":"busy"}}'],
])("over the %s protocol", (_, path, subscribe) => {
  test("who does not keep up is cut by time, and those who do hear everything", async () => {
    const server = await startServer({ limits: { readerLagS: LAG_S } }, { anonymous: true });
    const readers = [await connectPusher(server.url), await connectNative(server.url)];
    for (const reader of readers) await reader.subscribe("busy");
    const slow = await connectRawWebSocket(server.url, path);
    slow.send(OPCODE.text, subscribe);
    await slow.until(() => slow.frames.length === 2, "the welcome and the subscription");
    let sent = 0;
    const startMs = performance.now();
    await pinging(slow, async () => {
      // 200 KB a second: the kernel would take all of it for twenty seconds.
      while (server.connections.count() === 3 && performance.now() - startMs < 20_000) {
        await server.toChannel("busy").push({ event: "n", data: `${sent++} ${DATA}` });
        await Bun.sleep(100);
      }
    });
    expect(server.connections.count()).toBe(2);
    expect(performance.now() - startMs).toBeGreaterThan(LAG_S * 1000);
    for (const reader of readers) {
      for (let n = 0; n < sent; n++) expect(String((await reader.next("n")).data)).toStartWith(`${n} `);
    }
    const samples = await scrape(server.url);
    expect(samples.get("fanfare_slow_readers_total{app=app}")).toBe(1);
  });
});

test("an endpoint's reader is cut as well, and its handler sees no pong but its own", async () => {
  const server = await startServer();
  const pongs: string[] = [];
  const ended: number[] = [];
  const endpoint = server.websocket("/feed", {
    readerLagS: LAG_S,
    pong: (_socket, data) => void pongs.push(new TextDecoder().decode(data)),
    close: (_socket, code) => void ended.push(code),
  });
  const [slow, healthy] = [
    await connectRawWebSocket(server.url, "/feed"),
    await connectRawWebSocket(server.url, "/feed"),
  ];
  await eventually(() => expect(endpoint.sockets.count()).toBe(2));
  const answering = setInterval(() => {
    for (const { opcode, payload } of healthy.frames.splice(0)) {
      if (opcode === OPCODE.ping) healthy.send(OPCODE.pong, payload);
    }
  }, 50);
  healthy.send(OPCODE.pong, "unasked");
  const startMs = performance.now();
  await pinging(slow, async () => {
    while (endpoint.sockets.count() === 2 && performance.now() - startMs < 20_000) {
      endpoint.broadcast(DATA);
      await Bun.sleep(100);
    }
  });
  clearInterval(answering);
  expect(endpoint.sockets.count()).toBe(1);
  expect(healthy.isClosed).toBe(false);
  expect(pongs).toEqual(["unasked"]);
  expect(ended).toEqual([1006]);
});
