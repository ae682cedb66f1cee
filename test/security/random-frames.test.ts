/** Thousands of random frames over one connection, and as many over many: seeded, so that a failure comes back. */

import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { connectRawWebSocket, rawFrame } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { faultsOf } from "./faults.ts";

// Ten thousand frames take ten seconds on a machine that is busy.
setDefaultTimeout(60_000);

const SEED = 20_260_701;
const FRAMES = scaled(10_000, 3_000);
console.log(`Random frames: seed ${SEED}`);

const server = await startServer({}, { anonymous: true, limits: { subscribesPerSecond: 1_000_000 } });
const { url } = server;
const faults = faultsOf(server);

afterEach(() => {
  expect(faults.splice(0)).toEqual([]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

const eventName = fc.constantFrom(
  ..."subscribe unsubscribe publish authenticate ping pong pusher:subscribe pusher:unsubscribe pusher:signin".split(
    " ",
  ),
  ..."pusher:ping pusher:pong client-x pusher_internal:x __proto__ constructor message".split(" "),
);
const channelName = fc.constantFrom(
  "a",
  "b",
  "private-a",
  "presence-a",
  "cache-a",
  "#server-to-user-1",
  "#online-1",
  "",
);
const key = fc.constantFrom(
  "event",
  "channel",
  "data",
  "auth",
  "id",
  "channel_data",
  "token",
  "__proto__",
  "user_data",
);
const anything = fc.oneof(fc.jsonValue({ maxDepth: 3 }), channelName, eventName);

/** From nearly right to noise. */
const textFrame = fc.oneof(
  fc
    .record(
      {
        event: eventName,
        channel: fc.oneof(channelName, anything),
        id: anything,
        data: fc.oneof(
          fc.record({ channel: channelName, auth: anything, channel_data: anything }, { requiredKeys: [] }),
          fc.dictionary(key, anything),
          anything,
        ),
      },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value)),
  fc.dictionary(key, anything).map((value) => JSON.stringify(value)),
  fc.json(),
  fc.string({ unit: "binary", maxLength: 200 }).map((text) => text.toWellFormed()),
);
const frame = fc.oneof(
  { weight: 9, arbitrary: textFrame },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
);

test.each([
  ["Pusher", connectPusher],
  ["native", connectNative],
] as const)(
  "over one connection of the %s protocol: it is still served, and so is its neighbour",
  async (_, connect) => {
    const [client, neighbour] = [await connect(url), await connect(url)];
    const frames = fc.sample(frame, { seed: SEED, numRuns: FRAMES });
    expect(frames).toHaveLength(FRAMES);
    for (const [index, each] of frames.entries()) {
      client.socket.send(typeof each === "string" ? each : Uint8Array.from(each));
      if (index % 100 === 0) await client.socket.next(() => true);
    }
    client.socket.send({ event: connect === connectPusher ? "pusher:ping" : "ping", id: "the last one" });
    await client.next(({ event, id }) => id === "the last one" || event === "pusher:pong");
    await neighbour.ping();
    expect(client.socket.isOpen).toBe(true);
    // The noise has to contain what is refused and what is not, or it tests nothing.
    const answers = new Set(client.socket.frames.map(({ event }) => event));
    expect([...answers].filter((event) => event.endsWith("error")).length).toBeGreaterThan(0);
    expect([...answers].filter((event) => !event.endsWith("error")).length).toBeGreaterThan(0);
  },
);

test("over two hundred connections, as raw frames of any opcode, flags and bytes", async () => {
  const neighbours = [await connectPusher(url), await connectNative(url)];
  const rawFrames = fc.sample(
    fc.record({
      opcode: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0, 1, 2, 9, 10) }, fc.nat(15)),
      payload: fc.oneof(textFrame, fc.uint8Array({ maxLength: 300 })),
      fin: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.constant(false)),
      rsv: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(7)),
      masked: fc.oneof({ weight: 19, arbitrary: fc.constant(true) }, fc.constant(false)),
    }),
    { seed: SEED, numRuns: FRAMES },
  );
  const codes = new Set<number | undefined>();
  for (let at = 0; at < FRAMES; at += 500) {
    const sockets = await Promise.all(
      Array.from({ length: 10 }, (_, i) => connectRawWebSocket(url, i % 2 ? "/" : `/app/${APP.key}`)),
    );
    for (const [i, { opcode, payload, ...flags }] of rawFrames.slice(at, at + 500).entries()) {
      sockets[i % 10]?.write(rawFrame(opcode, payload, flags));
    }
    for (const socket of sockets) {
      // What ends every conversation that the noise has not ended: a frame that nobody may send.
      socket.write(rawFrame(15));
      codes.add(await socket.ending());
    }
    for (const neighbour of neighbours) await neighbour.ping();
  }
  expect([...codes].every((code) => code === 1002 || code === 1007)).toBe(true);
  expect(codes.size).toBe(2);
});
