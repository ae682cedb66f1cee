/** Readers that stopped reading: they are cut at their buffer's limit, memory stays bounded, and nobody else notices. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { openFiles, residentBytes, startBareProcess, startClients, subscribers } from "./process.ts";

const MIB = 1_048_576;
const EVENT_BYTES = 8_192;
const DATA = "x".repeat(EVENT_BYTES);
const BUFFER_BYTES = MIB;

const server = await startBareProcess({
  // Nobody is asked for a sign of life here: only the buffer's limit may cut.
  config: { apps: [APP], activityTimeoutS: 600, limits: { outboundBufferBytes: BUFFER_BYTES, readerLagS: 600 } },
});

/** Publishes numbered events, ten to a call, and tells after each call how much the server's memory has grown at most. */
async function publish(channel: string, megabytes: number): Promise<{ sent: number; peakGrowth: number }> {
  const before = residentBytes(server.pid);
  const total = Math.ceil((megabytes * MIB) / EVENT_BYTES);
  let peak = before;
  for (let sent = 0; sent < total; sent += 10) {
    const names = Array.from({ length: 10 }, (_, n) => String(sent + n));
    for (const name of names) await trigger(server.url, APP, { name, channel, data: DATA });
    peak = Math.max(peak, residentBytes(server.pid));
  }
  return { sent: Math.ceil(total / 10) * 10, peakGrowth: peak - before };
}

test("one reader that never reads is cut, memory hardly grows, and the others lose nothing (scenario 28)", async () => {
  const readers = await Promise.all([connectPusher(server.url), connectPusher(server.url)]);
  for (const reader of readers) await reader.subscribe("flood");
  // What a process grows by when it works for the first time is not what is asked here.
  await publish("flood", 10);
  const stalled = await startClients(server.url, 1, "flood");
  stalled.signal("SIGSTOP");
  for (const reader of readers) reader.socket.frames.length = 0;
  const { sent, peakGrowth } = await publish("flood", scaled(110, 40));
  await eventually(async () => expect(await subscribers(server.url, "flood")).toBe(readers.length), {
    withinMs: 30_000,
  });
  expect(peakGrowth).toBeLessThan(BUFFER_BYTES + scaled(20, 40) * MIB);
  const names = Array.from({ length: sent }, (_, n) => String(n));
  for (const reader of readers) {
    await eventually(() => expect(reader.socket.frames.length).toBeGreaterThanOrEqual(sent));
    expect(reader.socket.frames.map(({ event }) => event).filter((event) => /^\d+$/.test(event))).toEqual(names);
  }
});

test("many readers that stopped are all cut, and those who read go on hearing in time (scenario 29)", async () => {
  const many = scaled(500, 50);
  const before = openFiles(server.pid);
  const healthy = await connectPusher(server.url);
  await healthy.subscribe("crowd");
  const stalled = await startClients(server.url, many, "crowd");
  const grown = residentBytes(server.pid);
  stalled.signal("SIGSTOP");
  const slowest = { ms: 0 };
  // Beside the buffer's limit the kernel takes some megabytes for each of them.
  for (let n = 0; n < 2_000 && (await subscribers(server.url, "crowd")) > 1; n++) {
    const startMs = performance.now();
    await trigger(server.url, APP, { name: `crowd-${n}`, channel: "crowd", data: DATA });
    await healthy.next(`crowd-${n}`);
    slowest.ms = Math.max(slowest.ms, performance.now() - startMs);
  }
  expect(await subscribers(server.url, "crowd")).toBe(1);
  expect(slowest.ms).toBeLessThan(2_000);
  expect(residentBytes(server.pid) - grown).toBeLessThan(many * BUFFER_BYTES * 1.5 + 40 * MIB);
  await eventually(() => expect(openFiles(server.pid)).toBeLessThanOrEqual(before + 5), { withinMs: 30_000 });
});
