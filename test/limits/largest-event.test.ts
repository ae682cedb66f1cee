/** An event of the largest size passes everywhere, whatever it is made of, and a burst of them cuts nobody who reads. */

import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../packages/server/src/config/load.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { connectRawWebSocket, OPCODE } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";

const LARGEST = 102_400;
/** What a process sends who escapes all that JSON lets one escape, as PHP and Python do with what is no ASCII. */
const escaped = (text: string) =>
  `"${text.replaceAll(/[^ -~]|["\\]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;

const PAYLOADS: readonly (readonly [string, string])[] = [
  ["letters", "x".repeat(LARGEST)],
  ["quotation marks", '"'.repeat(LARGEST)],
  ["control characters", "\u0001".repeat(LARGEST)],
  ["letters of two bytes", "ü".repeat(LARGEST / 2)],
  ["JSON that is JSON inside", JSON.stringify({ x: JSON.stringify({ y: '"'.repeat(LARGEST / 4 - 6) }) })],
];

// Only the rate of client events is not the default.
const server = await startServer({}, { anonymous: true, limits: { clientEventsPerSecond: 1000 } });
const { url } = server;

describe.each(PAYLOADS)("%s", (_, data) => {
  test("pass alone and in a batch of ten, from the API and from clients, to readers of either protocol", async () => {
    expect(Buffer.byteLength(data)).toBeLessThanOrEqual(LARGEST);
    const [pusher, other, native] = [await connectPusher(url), await connectPusher(url), await connectNative(url)];
    for (const client of [pusher, other]) await client.subscribe("private-x");
    await native.subscribe("private-x", native.permission("private-x"));
    const event = `{"name":"e","channel":"private-x","data":${escaped(data)}}`;
    const batch = `{"batch":[${Array(10).fill(event).join(",")}]}`;
    expect((await signedFetch(url, APP, "POST", "/events", { body: event })).status).toBe(200);
    expect((await signedFetch(url, APP, "POST", "/batch_events", { body: batch })).status).toBe(200);
    for (let n = 0; n < 11; n++) {
      expect((await pusher.next("e")).data).toBe(data);
      expect(textOf((await native.next("e")).data)).toBe(data);
    }
    other.socket.send(`{"event":"client-e","channel":"private-x","data":${escaped(data)}}`);
    expect((await pusher.next("client-e")).data).toBe(data);
    expect(textOf((await native.next("client-e")).data)).toBe(data);
    // JSON as the value that it is: as text it would be written within quotation marks, and be longer.
    const value = data.startsWith("{") ? data : escaped(data);
    native.socket.send(`{"event":"publish","data":{"channel":"private-x","event":"client-n","data":${value}}}`);
    expect((await pusher.next("client-n")).data).toBe(data);
  });
});

test("a byte more is refused by the name of the setting, its value and the size that came", async () => {
  const body = { name: "e", channel: "c", data: "x".repeat(LARGEST + 1) };
  const answer = await signedFetch(url, APP, "POST", "/events", { body });
  expect(answer.status).toBe(413);
  expect(await answer.json()).toEqual({
    code: "data_too_large",
    error: "The data content of this event exceeds the allowed maximum (102400 bytes, eventDataBytes): it has 102401.",
  });
});

test.each([
  ["letters", "x"],
  ["control characters", "\u0001"],
])("a burst of twenty of %s cuts nobody who was busy for a moment", async (_, letter) => {
  const channel = `burst-${letter.charCodeAt(0)}`;
  const reader = await connectRawWebSocket(url, `/app/${APP.key}`);
  reader.send(OPCODE.text, JSON.stringify({ event: "pusher:subscribe", data: { channel } }));
  await reader.until(() => reader.frames.length === 2, "the welcome and the subscription");
  reader.frames.length = 0;
  reader.stall();
  const data = letter.repeat(LARGEST);
  await Promise.all(Array.from({ length: 20 }, () => server.toChannel(channel).push({ event: "e", data })));
  reader.resume();
  await reader.until(() => reader.isClosed || reader.frames.length === 20, "twenty events");
  expect(reader.frames.map(({ payload }) => JSON.parse(payload.toString()).data === data)).toEqual(
    Array(20).fill(true),
  );
});

describe("the room for frames, bodies and buffers", () => {
  const room = (input: object) => {
    const { frameBytes, httpBodyBytes, outboundBufferBytes } = parseConfig(input).limits;
    return { frameBytes, httpBodyBytes, outboundBufferBytes };
  };
  const usual = room({});
  const app = { id: "a", key: "k", secret: "s" };

  test("is enough for an event of the default size, ten in a batch and twenty at once, all of it escaped", () => {
    expect(usual.frameBytes).toBeGreaterThan(6 * LARGEST);
    expect(usual.httpBodyBytes).toBeGreaterThan(10 * 6 * LARGEST);
    expect(usual.outboundBufferBytes).toBeGreaterThan(20 * 6 * LARGEST);
  });

  test.each([
    ["the defaults", { defaults: { limits: { eventDataBytes: 10 * LARGEST } } }],
    ["one app", { apps: [app, { ...app, id: "b", key: "l", limits: { eventDataBytes: 10 * LARGEST } }] }],
  ])("rises with the events of %s", (_, input) => {
    const wide = room(input);
    expect(wide.frameBytes).toBeGreaterThan(6 * 10 * LARGEST);
    expect(wide.httpBodyBytes).toBeGreaterThan(10 * 6 * 10 * LARGEST);
    expect(wide.outboundBufferBytes).toBeGreaterThan(20 * 6 * 10 * LARGEST);
  });

  test("rises with the size of a batch", () => {
    expect(room({ defaults: { limits: { batchSize: 50 } } }).httpBodyBytes).toBe(5 * usual.httpBodyBytes);
  });

  test("is what somebody says, and never less for smaller events", () => {
    const limits = { frameBytes: 1000, httpBodyBytes: 2000, outboundBufferBytes: 3000 };
    expect(room({ limits, defaults: { limits: { eventDataBytes: 10 * LARGEST } } })).toEqual(limits);
    expect(room({ defaults: { limits: { eventDataBytes: 10_240, batchSize: 1 } } })).toEqual(usual);
  });

  test("is the same when a configuration is read a second time", () => {
    const once = parseConfig({ defaults: { limits: { eventDataBytes: 10 * LARGEST } } });
    expect(parseConfig(once)).toEqual(once);
  });
});

/** Native clients get what parses as JSON as a value. */
function textOf(data: unknown): string {
  return typeof data === "string" ? data : JSON.stringify(data);
}
