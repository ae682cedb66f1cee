/** A payload is the same value for both protocols' clients, whoever says it: a program, the HTTP API, either client. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const CHANNEL = "private-values";
const server = await startServer({}, { anonymous: true, limits: { clientEventsPerSecond: 100_000 } });
const [native, pusher] = [await connectNative(server.url), await connectPusher(server.url)];
const [otherNative, otherPusher] = [await connectNative(server.url), await connectPusher(server.url)];
for (const client of [native, otherNative]) await client.subscribe(CHANNEL, client.permission(CHANNEL));
for (const client of [pusher, otherPusher]) await client.subscribe(CHANNEL);

const VALUES: readonly unknown[] = [
  { text: "hi", list: [1, "2", null, { deep: true }] },
  {},
  [],
  [1, [2]],
  "hello",
  "",
  " ",
  "123",
  "null",
  "true",
  '"quoted"',
  '{"a":1}',
  '{"a":',
  JSON.stringify(JSON.stringify({ a: 1 })),
  "Grüße, 你好, 👩‍👩‍👧, \u2028, \u0000, \\, /",
  "\ud800",
  0,
  -1.5,
  1e21,
  123,
  true,
  false,
  null,
  { __proto__: null, constructor: 1, toString: "x" },
  JSON.parse('{"__proto__":{"polluted":true}}'),
];

/** What pusher-js makes of `data`: the JSON it is, or the text. */
function asPusherReads(data: unknown): unknown {
  try {
    return JSON.parse(String(data));
  } catch {
    return data;
  }
}

async function expectEverywhere(value: unknown, event: string): Promise<void> {
  expect((await otherNative.next(event)).data).toEqual(value);
  expect(asPusherReads((await otherPusher.next(event)).data)).toEqual(value);
}

test.each(VALUES.map((value) => [value]))("what a native client publishes arrives as it was: %j", async (value) => {
  native.send("publish", { channel: CHANNEL, event: "client-n", data: value });
  await expectEverywhere(value, "client-n");
});

test.each(VALUES.map((value) => [value]))("what a program pushes arrives as it was: %j", async (value) => {
  await server.toChannel(CHANNEL).push({ event: "pushed", data: value });
  await expectEverywhere(value, "pushed");
});

test("any JSON value arrives as it was, whoever says it", async () => {
  const value = fc.jsonValue({ maxDepth: 3, stringUnit: "binary" }).map((it) => JSON.parse(JSON.stringify(it)));
  await fc.assert(
    fc.asyncProperty(value, async (it) => {
      native.send("publish", { channel: CHANNEL, event: "client-any", data: it });
      await expectEverywhere(it, "client-any");
      await server.toChannel(CHANNEL).push({ event: "any", data: it });
      await expectEverywhere(it, "any");
    }),
    { seed: 20_261_121, numRuns: 200 },
  );
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

describe("what a Pusher client or the HTTP API says", () => {
  /** The data as text, and the value that a Pusher client takes it for: a native client gets the same. */
  const TEXTS = ["hello", "123", '"123"', '{"a":1}', " {\n} ", "{almost}", "", "null", "1e5", "Grüße 👋", "[1,2"];

  test.each(TEXTS)("is the same value for both: %j", async (text) => {
    pusher.send("client-p", text, CHANNEL);
    await expectEverywhere(asPusherReads(text), "client-p");
    await trigger(server.url, APP, { name: "api", channel: CHANNEL, data: text });
    await expectEverywhere(asPusherReads(text), "api");
  });

  test("reaches both letter for letter", async () => {
    const text = ' {"a" : 1.0, "big": 12345678901234567890} ';
    await trigger(server.url, APP, { name: "verbatim", channel: CHANNEL, data: text });
    expect((await otherPusher.next("verbatim")).data).toBe(text);
    await otherNative.next("verbatim");
    expect(otherNative.socket.raw.at(-1)).toBe(`{"event":"verbatim","channel":"${CHANNEL}","data":${text}}`);
  });

  test("may be an object, which arrives as one", async () => {
    pusher.send("client-object", { a: { b: ["c"] } }, CHANNEL);
    await expectEverywhere({ a: { b: ["c"] } }, "client-object");
  });
});

describe("an object that a program pushes as it is", () => {
  test.each([
    [{ metric: "cpu", value: 42 }, "message"],
    [{ event: "paid", by: "ada", sum: { eur: 7 } }, "paid"],
    [{ data: "without an event" }, "message"],
    [{ event: 5, odd: true }, "message"],
    [{}, "message"],
    [{ "": 1, 'ü"\\': 'ü"\\' }, "message"],
  ])("is the frame for native clients, and the data for Pusher clients: %j", async (object, event) => {
    await server.toChannel(CHANNEL).push(object);
    const { event: _, ...frame } = await otherNative.next(({ channel }) => channel === CHANNEL);
    const { event: __, ...rest } = object as { event?: unknown };
    expect(frame).toEqual({ ...rest, channel: CHANNEL });
    expect(JSON.parse(String(otherNative.socket.raw.at(-1)))).toEqual({ ...object, channel: CHANNEL });
    expect(JSON.parse(String((await otherPusher.next(event)).data))).toEqual(object);
  });

  test("cannot say that it came from another channel", async () => {
    await server.toChannel(CHANNEL).push({ channel: "private-other", secret: 1 });
    expect((await otherNative.next(({ secret }) => secret === 1)).channel).toBe(CHANNEL);
    expect((await otherPusher.next("message")).data).toBe('{"secret":1}');
  });

  test("is written as its own toJSON says", async () => {
    await server.toChannel(CHANNEL).push(new Date(0));
    expect((await otherNative.next("message")).data).toBe("1970-01-01T00:00:00.000Z");
    expect((await otherPusher.next("message")).data).toBe("1970-01-01T00:00:00.000Z");
    await server.toChannel(CHANNEL).push({ toJSON: () => ({ event: "told", data: [1] }) });
    expect((await otherNative.next("told")).data).toEqual([1]);
    expect((await otherPusher.next("told")).data).toBe("[1]");
  });
});
