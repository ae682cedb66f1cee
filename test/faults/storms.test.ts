/** Thousands go at once and come back at once: those who stay hardly notice, and nobody is left behind. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectPusher, type PusherTestClient } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { openFiles, startBareProcess, startClients, subscribers } from "./process.ts";

const MANY = scaled(5_000, 1_000);
const CROWD = scaled(2_000, 1_000);
const SOON_MS = scaled(2_000, 8_000);

const server = await startBareProcess({
  config: { apps: [{ ...APP, subscriptionCounts: true, limits: { presenceMembers: 100_000 } }] },
});

/** Asks the server for its pulse until it is told to stop, and tells the longest time an answer took. */
function takePulse(client: PusherTestClient): () => Promise<number> {
  let isOver = false;
  let longestMs = 0;
  const watching = (async () => {
    while (!isOver) {
      const startMs = performance.now();
      client.socket.send({ event: "pusher:ping", data: {} });
      await client.next("pusher:pong", 30_000);
      longestMs = Math.max(longestMs, performance.now() - startMs);
      await Bun.sleep(10);
    }
  })();
  return async () => {
    isOver = true;
    await watching;
    return longestMs;
  };
}

test(`${MANY} clients that are cut all come back, and who was there goes on (scenario 40)`, async () => {
  const before = openFiles(server.pid);
  const witness = await connectPusher(server.url);
  await witness.subscribe("room");
  const cut = await startClients(server.url, MANY, "room");
  expect(await subscribers(server.url, "room")).toBe(MANY + 1);
  const stop = takePulse(witness);
  await cut.kill();
  const back = await startClients(server.url, MANY, "room");
  await eventually(async () => expect(await subscribers(server.url, "room")).toBe(MANY + 1), { withinMs: 60_000 });
  expect(await stop()).toBeLessThan(SOON_MS);
  expect(witness.socket.isOpen).toBe(true);
  await back.kill();
  await eventually(async () => expect(await subscribers(server.url, "room")).toBe(1), { withinMs: 60_000 });
  await eventually(() => expect(openFiles(server.pid)).toBeLessThanOrEqual(before + 3));
});

test.each(["room", "presence-room"])(`${CROWD} clients cut at once in %s hold nobody up`, async (channel) => {
  const witness = await connectPusher(server.url);
  await witness.subscribe("elsewhere");
  const crowd = await startClients(server.url, CROWD, channel);
  expect(await subscribers(server.url, channel)).toBe(CROWD);
  const stop = takePulse(witness);
  await crowd.kill();
  await eventually(async () => expect(await subscribers(server.url, channel)).toBe(0), { withinMs: 60_000 });
  expect(await stop()).toBeLessThan(SOON_MS);
});

test("whoever stays in a presence channel hears of each of those who went, once", async () => {
  const crowd = await startClients(server.url, 200, "presence-busy");
  const witness = await connectPusher(server.url);
  await witness.subscribe("presence-busy", { data: { user_id: "witness" } });
  await crowd.kill();
  await eventually(async () => expect(await subscribers(server.url, "presence-busy")).toBe(1), { withinMs: 60_000 });
  await witness.ping();
  const gone = witness.socket.frames
    .filter(({ event }) => event === "pusher_internal:member_removed")
    .map(({ data }) => (JSON.parse(String(data)) as { user_id: string }).user_id);
  expect(gone).toHaveLength(200);
  expect(new Set(gone).size).toBe(200);
});
