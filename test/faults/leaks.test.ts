/** What comes and goes leaves nothing: no channel, no descriptor, no memory. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { bench } from "../support/fakes.ts";
import { channelAuth, connectPusher } from "../support/pusher-client.ts";
import { APP, socketUrl } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { occupiedChannels, openFiles, residentBytes, startBareProcess } from "./process.ts";

const MIB = 1_048_576;
const CHANNELS = scaled(1_000_000, 20_000);
const PER_SECOND = scaled(200, 100);
const SOAK_MS = scaled(60 * 60_000, 4_000);
const WARM_UP_MS = scaled(10 * 60_000, 2_000);

const limits = { subscribesPerSecond: 1_000_000_000, channelsPerConnection: 1_000_000 };

test(`${CHANNELS} channel names over time leave nothing in the hub, nor in the registry (B26, scenario 31)`, async () => {
  const { hub, app, open } = await bench();
  const roomy = { ...app, limits: { ...app.limits, ...limits } };
  const [one, other] = [open(roomy), open(roomy)];
  const kinds = ["room", "presence", "private-encrypted"];
  for (let n = 0; n < CHANNELS; n++) {
    const channel = `${kinds[n % 3]}-${n}`;
    const member = channel.startsWith("presence") ? { id: String(n % 10), info: null } : undefined;
    await hub.join(one.connection, channel, member, () => {});
    if (n % 5 === 0) await hub.join(other.connection, channel, member, () => {});
    // Some leave, the rest is left to the end.
    if (n % 2 === 0) await hub.leave(one.connection, channel);
  }
  expect(hub.nodeStats.channels).toBeGreaterThan(CHANNELS / 3);
  one.vanish();
  other.vanish();
  // So many channels are left in several turns.
  await eventually(() => expect(hub.nodeStats).toEqual({ apps: 0, connections: 0, channels: 0, users: 0 }));
  expect(await hub.channels(roomy)).toEqual([]);
});

test(`${4 * CHANNELS} channel names over time do not make a server grow (A14)`, async () => {
  const server = await startBareProcess({ config: { apps: [{ ...APP, limits }] } });
  const client = await connectPusher(server.url);
  const batch = 500;
  const sizes: number[] = [];
  // What a process takes until it is warm, and the garbage that it lets lie, is no growth: measured is what comes after.
  for (let n = -2 * CHANNELS; n < 2 * CHANNELS; n += batch) {
    const names = Array.from(
      { length: batch },
      (_, k) => `${k % 4 === 0 ? "private-" : "cache-"}${crypto.randomUUID()}`,
    );
    for (const name of names) client.sendSubscribe(name);
    for (const name of names) client.unsubscribe(name);
    await client.ping();
    client.socket.frames.length = 0;
    client.socket.raw.length = 0;
    while (client.socket.unread.length > 0) await client.next();
    if (n >= 0) sizes.push(residentBytes(server.pid));
  }
  expect(await occupiedChannels(server.url)).toEqual([]);
  const half = Math.floor(sizes.length / 2);
  expect(Math.max(...sizes.slice(half)) - Math.max(...sizes.slice(0, half))).toBeLessThan(16 * MIB);
}, 600_000);

/** Comes, joins three channels, leaves one, and is gone: every other time without a goodbye. */
function visit(url: string, n: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = new WebSocket(socketUrl(url, `/app/${APP.key}?protocol=7`)) as WebSocket & { terminate(): void };
  const send = (event: string, data: object) => socket.send(JSON.stringify({ event, data }));
  const data = JSON.stringify({ user_id: String(n % 50) });
  socket.onclose = () => resolve();
  socket.onmessage = ({ data: text }) => {
    const frame = JSON.parse(text) as { event: string; channel?: string; data: string };
    if (frame.event === "pusher:connection_established") {
      const { socket_id } = JSON.parse(frame.data) as { socket_id: string };
      send("pusher:subscribe", { channel: `room-${n}` });
      send("pusher:subscribe", { channel: "room" });
      const auth = channelAuth(APP, socket_id, "presence-room", data);
      send("pusher:subscribe", { channel: "presence-room", auth, channel_data: data });
      send("pusher:unsubscribe", { channel: "room" });
    } else if (frame.event === "pusher_internal:subscription_succeeded" && frame.channel === "presence-room") {
      if (n % 2 === 0) socket.close();
      else socket.terminate();
    }
  };
  return promise;
}

/** Megabytes that the server grows by in ten minutes: the slope of the line that lies best through the samples. */
function slope(samples: readonly { readonly ms: number; readonly bytes: number }[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanMs = mean(samples.map(({ ms }) => ms));
  const meanBytes = mean(samples.map(({ bytes }) => bytes));
  const covariance = mean(samples.map(({ ms, bytes }) => (ms - meanMs) * (bytes - meanBytes)));
  const variance = mean(samples.map(({ ms }) => (ms - meanMs) ** 2));
  return ((covariance / variance) * 600_000) / MIB;
}

test(`${PER_SECOND} visits a second leave the server as they found it (S36, scenario 30)`, async () => {
  const server = await startBareProcess();
  const filesBefore = openFiles(server.pid);
  const samples: { ms: number; bytes: number }[] = [];
  const startMs = performance.now();
  const visits = new Set<Promise<void>>();
  let n = 0;
  for (let ms = 0; ms < WARM_UP_MS + SOAK_MS; ms = performance.now() - startMs) {
    for (; n < (ms / 1000) * PER_SECOND; n++) {
      const going = visit(server.url, n);
      visits.add(going);
      void going.then(() => visits.delete(going));
    }
    if (ms > WARM_UP_MS) samples.push({ ms, bytes: residentBytes(server.pid) });
    await Bun.sleep(50);
  }
  await Promise.all(visits);
  expect(n).toBeGreaterThan(((WARM_UP_MS + SOAK_MS) / 1000) * PER_SECOND * 0.9);
  await eventually(async () => expect(await occupiedChannels(server.url)).toEqual([]));
  await eventually(() => expect(openFiles(server.pid)).toBeLessThanOrEqual(filesBefore + 2));
  const growth = (samples.at(-1)?.bytes ?? 0) - (samples[0]?.bytes ?? 0);
  expect(growth).toBeLessThan(scaled(10, 32) * MIB);
  if (SOAK_MS > 10 * 60_000) expect(slope(samples)).toBeLessThan(1);
});
