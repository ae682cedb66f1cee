/**
 * Clients that hold connections open by being slow: none of them outlives fifteen seconds, and nobody else notices. Scenario 60.
 * Bun gives headers ten seconds of its own, which cannot be configured; `limits.handshakeTimeoutS` is for what follows them.
 */

import { expect, test } from "bun:test";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, signedUrl } from "../support/pusher-client.ts";
import { connectRaw, type RawSocket } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";
import { scaled } from "../support/soak.ts";

const OF_EACH = scaled(500, 40);
const TRICKLE_MS = 250;

/** How it begins, and what it goes on with where it does. */
const SLOW: readonly (readonly [string, string?])[] = [
  [""],
  ["GET"],
  [`GET /app/${APP.key} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`],
  ["GET / HTTP/1.1\r\nHost: x\r\n", "X-More: 1\r\n"],
  [`GET /app/${APP.key}?x=`, "x"],
];

const SLOW_BODIES: readonly (readonly [string, string?])[] = [
  [request("Content-Length: 1000")],
  [request("Content-Length: 1000"), "x"],
  [request("Transfer-Encoding: chunked"), "1\r\nx\r\n"],
  [request("Transfer-Encoding: chunked")],
];

// All of it goes on at once, because most of it is waiting.
const server = await startServer({}, { anonymous: true });
const hasty = await startServer({ limits: { handshakeTimeoutS: 1 } }, { anonymous: true });
const settled = [await connectPusher(hasty.url), await connectNative(hasty.url)];
const heads = await hold(server.url, SLOW);
const bodies = await hold(hasty.url, SLOW_BODIES);
const started = performance.now();
const bodiesEnded = Promise.all(bodies.map(({ closed }) => closed)).then(() => performance.now() - started);

test("headers that never end and silence are closed within fifteen seconds, and real clients go on meanwhile (scenario 60)", async () => {
  while (!heads.every(({ isClosed }) => isClosed)) {
    const [pusher, native] = [await connectPusher(server.url), await connectNative(server.url)];
    await pusher.subscribe("c");
    await native.ping();
    await Promise.all([pusher.close(), native.close()]);
    // Ten that are promised to be fifteen, and what a busy machine adds.
    expect(performance.now() - started).toBeLessThan(25_000);
    await Bun.sleep(200);
  }
}, 60_000);

test("a body that trickles or never comes is cut after the configured time (scenario 60)", async () => {
  // Bun looks every four seconds.
  expect(await bodiesEnded).toBeLessThan(9_500);
  await (await connectPusher(hasty.url)).ping();
}, 60_000);

test("a WebSocket that is quiet is no slow handshake", async () => {
  expect(performance.now() - started).toBeGreaterThan(8_000);
  for (const client of settled) await client.ping();
});

async function hold(url: string, kinds: typeof SLOW): Promise<RawSocket[]> {
  const all: RawSocket[] = [];
  for (const [begin, more] of kinds) {
    const sockets = await Promise.all(Array.from({ length: OF_EACH }, () => connectRaw(url)));
    for (const raw of sockets) {
      raw.write(begin);
      if (more === undefined) continue;
      const timer = setInterval(() => raw.write(more), TRICKLE_MS);
      void raw.closed.then(() => clearInterval(timer));
    }
    all.push(...sockets);
  }
  return all;
}

function request(length: string): string {
  const path = signedUrl("", APP, "POST", "/events", { body: "x".repeat(1000) });
  return `POST ${path} HTTP/1.1\r\nHost: x\r\n${length}\r\n\r\n`;
}
