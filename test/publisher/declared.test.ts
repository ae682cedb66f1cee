/** `createPublisher({ events })`: what is published is as declared, for the compiler and before it is sent. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { z } from "zod";
import { createPublisher, type Publisher, type StreamEvent } from "../../packages/publisher/src/index.ts";
import { defineEvents, unchecked } from "../../packages/schema/src/index.ts";
import { events } from "../schema/events.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

setDefaultTimeout(30_000);

const server = await startServer({}, { channels: [{ match: "*", history: { size: 10, ttlS: 60 } }] });
const options = { url: server.url, appId: APP.id, key: APP.key, secret: APP.secret };
const publisher = createPublisher({ ...options, events });

/** Compiled, never run. */
async function typed(): Promise<void> {
  await publisher.publish(["presence-room-1", "presence-room-2"], "message", { text: "hi" });
  // @ts-expect-error no such channel is declared
  await publisher.publish("order", "paid", { id: "7", sum: 1 });
  // @ts-expect-error no such event is declared for the channel
  await publisher.publish("orders", "message", { text: "hi" });
  // @ts-expect-error the sum is a number
  await publisher.publish("orders", "paid", { id: "7", sum: "1" });
  // @ts-expect-error only one of the channels has the event
  await publisher.publish(["orders", "note"], "paid", { id: "7", sum: 1 });
  await publisher.batch([
    { channel: "orders", event: "price", data: 1, key: "a" },
    { channel: `presence-room-${"1"}`, event: "client-typing", data: { on: true } },
  ]);
  // @ts-expect-error the event is one of another channel
  await publisher.batch([{ channel: "orders", event: "message", data: { text: "hi" } }]);
  // @ts-expect-error no such event is declared for users
  await publisher.toUser("ada", "paid", { id: "7", sum: 1 });
  // @ts-expect-error no such event is declared for the channel
  await publisher.stream("orders", (async function* () {})(), { event: "stream" });
  const { events: kept } = await publisher.history("orders");
  for (const one of kept) if (one.event === "paid") one.data.sum.toFixed();
  const free: Publisher = createPublisher(options);
  await free.publish("any", "thing", 1);
  const { events: unknown } = await free.history<{ n: number }>("any");
  unknown[0]?.data.n.toFixed();
}

test("wrong names and data do not compile", () => {
  expect(typed.length).toBe(0);
});

describe("data that are not as declared are refused with the path, and nothing is sent:", () => {
  const loose: Publisher = createPublisher({ ...options, events }) as unknown as Publisher;
  const wrong = { id: "7", sum: "1" };
  test.each([
    ["publish", () => loose.publish("orders", "paid", wrong), "data_invalid", /orders are invalid: sum: /],
    ["publish in several", () => loose.publish(["legacy-1", "orders"], "paid", wrong), "data_invalid", /sum: /],
    ["another event", () => loose.publish("orders", "refunded", {}), "event_invalid", /refunded is not declared/],
    ["another channel", () => loose.publish("other", "paid", {}), "channel_invalid", /other is not declared/],
    [
      "toUser",
      () => loose.toUser("ada", "notification", {}),
      "data_invalid",
      /notification for users are invalid: title: /,
    ],
    [
      "batch",
      () =>
        loose.batch([
          { channel: "orders", event: "price", data: 1 },
          { channel: "orders", event: "price", data: 0 },
        ]),
      "data_invalid",
      /not a positive number/,
    ],
  ])("%s", async (_, call, code, message) => {
    const reader = await connectPusher(server.url);
    for (const channel of ["orders", "legacy-1"]) await reader.subscribe(channel);
    const error = await call().catch((thrown) => thrown);
    expect(error).toMatchObject({ status: 400, code, retryable: false, message: expect.stringMatching(message) });
    await reader.ping();
    expect(reader.socket.unread).toEqual([]);
  });

  test("the error has the issues as well", async () => {
    const error = await loose.publish("orders", "paid", wrong).catch((thrown) => thrown);
    expect(error.issues).toEqual([{ path: "sum", message: expect.any(String) }]);
  });

  test("what is checked is what subscribers will get: dates are texts", async () => {
    const dates = defineEvents({ channels: { log: { date: z.date(), text: z.iso.datetime() } } });
    const dated = createPublisher({ ...options, events: dates });
    await expect(dated.publish("log", "date", new Date())).rejects.toMatchObject({ code: "data_invalid" });
    await (dated as unknown as Publisher).publish("log", "text", new Date());
  });

  test("unless `validate` is false", async () => {
    const reader = await connectPusher(server.url);
    await reader.subscribe("orders");
    const trusting = createPublisher({ ...options, events, validate: false });
    // @ts-expect-error the compiler refuses it all the same
    await trusting.publish("orders", "paid", wrong);
    expect(await reader.nextIn("orders")).toMatchObject({ event: "paid", data: '{"id":"7","sum":"1"}' });
  });
});

test("what is declared is published, streams and batches too", async () => {
  const answers = defineEvents({ channels: { "chat-*": { stream: unchecked<StreamEvent>(), note: z.string() } } });
  const chat = createPublisher({ ...options, events: answers });
  const reader = await connectPusher(server.url);
  await reader.subscribe("chat-1");
  await chat.batch([{ channel: "chat-1", event: "note", data: "first" }]);
  const { events: sent } = await chat.stream(
    "chat-1",
    (async function* () {
      yield "a";
    })(),
  );
  expect((await reader.nextIn("chat-1")).event).toBe("note");
  for (let seq = 0; seq < sent; seq++)
    expect(JSON.parse(String((await reader.nextIn("chat-1")).data))).toMatchObject({ seq });
  const { events: kept } = await chat.history("chat-1");
  expect(kept.map(({ event }) => event)).toEqual(["note", "stream", "stream", "stream"]);
});

test("an event for a user reaches that user", async () => {
  const client = await connectPusher(server.url);
  const { user_data } = await publisher.authorizeUser(client.socketId, { id: "ada" });
  await client.signin(user_data);
  await publisher.toUser("ada", "notification", { title: "hi" });
  expect(await client.next("notification")).toMatchObject({ data: '{"title":"hi"}' });
});
