/** One order per channel, nothing twice, nothing lost: the promise to everybody who stays connected. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { scaled } from "../support/soak.ts";

const READERS = scaled(200, 50);
const SEQUENCE = scaled(20_000, 4_000);
const RACES = scaled(1_000, 300);

/** A client that checks what it hears and keeps only the number it is at. */
class Counter {
  expected = 1;
  wrong: string | undefined;
  readonly #socket: WebSocket;

  constructor(url: string) {
    this.#socket = new WebSocket(socketUrl(url, `/app/${APP.key}?protocol=7`));
  }

  ready(channel: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.onclose = ({ code }) => {
      this.wrong ??= `closed ${code}`;
      reject(new Error(this.wrong));
    };
    this.#socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data) as { event: string; data: string };
      if (frame.event === "pusher:connection_established") {
        this.#socket.send(JSON.stringify({ event: "pusher:subscribe", data: { channel } }));
      } else if (frame.event === "pusher_internal:subscription_succeeded") {
        resolve();
      } else if (frame.event === "n") {
        if (frame.data !== String(this.expected)) this.wrong ??= `${frame.data} in place of ${this.expected}`;
        this.expected++;
      }
    };
    return promise;
  }

  close(): void {
    this.#socket.onclose = null;
    this.#socket.close();
  }
}

test(`each of ${READERS} readers hears every one of a sequence once, in order (scenario 22)`, async () => {
  const server = await startServer();
  const readers = Array.from({ length: READERS }, () => new Counter(server.url));
  await Promise.all(readers.map((reader) => reader.ready("sequence")));
  const target = server.toChannel("sequence");
  for (let n = 1; n <= SEQUENCE; n++) {
    await target.push({ event: "n", data: n });
    // Lets the sockets breathe, in bursts of different lengths.
    if (n % 97 === 0) await Bun.sleep(0);
  }
  await eventually(() => expect(readers.every(({ expected }) => expected > SEQUENCE)).toBe(true), { withinMs: 20_000 });
  expect(readers.filter(({ wrong }) => wrong !== undefined).map(({ wrong }) => wrong)).toEqual([]);
  expect(new Set(readers.map(({ expected }) => expected))).toEqual(new Set([SEQUENCE + 1]));
  for (const reader of readers) reader.close();
});

test(`${RACES} times, nothing published after the answer to a subscription is missed (scenario 23)`, async () => {
  const server = await startServer(
    {},
    { limits: { subscribesPerSecond: 1_000_000, channelsPerConnection: 10 * RACES } },
  );
  const client = await connectPusher(server.url);
  let sent = 0;
  const heard: number[] = [];
  for (let race = 0; race < RACES; race++) {
    const channel = `race-${race % 7}`;
    client.sendSubscribe(channel);
    // Some are published before the answer, some while it is under way, one surely after it.
    for (let n = 0; n < race % 5; n++) await server.toChannel(channel).push({ event: "n", data: ++sent });
    await client.next((frame) => frame.channel === channel && frame.event === "pusher_internal:subscription_succeeded");
    const after = ++sent;
    await server.toChannel(channel).push({ event: "n", data: after });
    const last = await client.next((frame) => frame.event === "n" && Number(frame.data) === after);
    expect(last.channel).toBe(channel);
    client.unsubscribe(channel);
  }
  await client.ping();
  heard.push(...client.socket.frames.filter(({ event }) => event === "n").map(({ data }) => Number(data)));
  expect(new Set(heard).size).toBe(heard.length);
  expect(heard).toEqual([...heard].sort((a, b) => a - b));
});

test("through the HTTP API a subscription that races with a trigger misses nothing that came after it", async () => {
  const server = await startServer();
  const client = await connectPusher(server.url);
  for (let race = 0; race < 100; race++) {
    const channel = `private-race-${race}`;
    const early = trigger(server.url, APP, { name: "n", channel, data: "early" });
    await client.subscribe(channel);
    await trigger(server.url, APP, { name: "n", channel, data: "late" });
    await client.next((frame) => frame.channel === channel && frame.data === "late");
    await early;
    client.unsubscribe(channel);
  }
});

test("events of one tick that leave out several readers reach all others in order, and those the next one", async () => {
  const server = await startServer();
  const clients = await Promise.all(Array.from({ length: 6 }, () => connectPusher(server.url)));
  for (const client of clients) await client.subscribe("room");
  const [a, b, c] = clients;
  if (!a || !b || !c) throw new Error("not enough clients");
  const room = server.toChannel("room");
  const pushes = [];
  for (let n = 0; n < 50; n++) {
    pushes.push(room.push({ event: "all", data: n }));
    pushes.push(room.except([a.socketId, b.socketId, c.socketId]).push({ event: "some", data: n }));
  }
  await Promise.all(pushes);
  await Promise.all(clients.map((client) => client.ping()));
  const alternating = Array.from({ length: 50 }, (_, n) => [`all ${n}`, `some ${n}`]).flat();
  for (const client of clients) {
    const heard = client.socket.frames.filter(
      ({ channel, event }) => channel === "room" && !event.startsWith("pusher"),
    );
    const expected = [a, b, c].includes(client) ? alternating.filter((line) => line.startsWith("all")) : alternating;
    expect(heard.map(({ event, data }) => `${event} ${data}`)).toEqual(expected);
  }
});
