/** What may happen while a client's page of history is read, and to a client that does not take what it is sent. */

import { expect, test } from "bun:test";
import { AWAY, type FakeClient, fakeApp, type LateBench, lateBench, settled } from "../support/fakes.ts";

const CHANNELS = [{ match: "room*", history: { size: 5, ttlS: 60 } }];

async function reading(): Promise<{ late: LateBench; client: FakeClient }> {
  const late = await lateBench({ app: fakeApp({ channels: CHANNELS }) });
  const client = late.open();
  client.subscribe("room");
  await settled();
  await late.hub.publish(late.app, { type: "event", app: late.app.id, channel: "room", event: "e", data: "1" });
  await settled();
  client.socket.frames.length = 0;
  late.engine.hold("history");
  client.send({ type: "history", channel: "room", ref: 7 });
  await settled();
  return { late, client };
}

test("a page is answered after what came before it, and before what comes after", async () => {
  const { late, client } = await reading();
  client.send({ type: "ping", ref: 8 });
  await settled();
  expect(client.seen).toEqual([]);
  await late.engine.release("history");
  expect(client.seen).toMatchObject([
    { type: "history", ref: 7, complete: true, position: { offset: 1 }, events: [{ data: "1" }] },
    { type: "pong", ref: 8 },
  ]);
});

test("who is no longer in the channel when it is read gets nothing of it", async () => {
  const { late, client } = await reading();
  await late.hub.leave(client.connection, "room");
  await late.engine.release("history");
  expect(client.seen).toMatchObject([{ type: "refused", error: "not_subscribed", command: { ref: 7 } }]);
});

test("an engine that is away refuses the page, and the next one is read", async () => {
  const { late, client } = await reading();
  await late.engine.fail("history", AWAY);
  expect(client.seen).toMatchObject([{ type: "refused", error: "engine_unavailable", command: { ref: 7 } }]);
  client.send({ type: "history", channel: "room", ref: 8 });
  await settled();
  expect(client.seen.at(-1)).toMatchObject({ type: "history", ref: 8, events: [{ data: "1" }] });
});

test("a client that is gone when it is read is sent nothing, and reported by no one", async () => {
  const { late, client } = await reading();
  client.vanish();
  await late.engine.release("history");
  expect(client.seen).toEqual([]);
  expect(late.events.filter(({ type }) => type === "failed" || type === "refused")).toEqual([]);
});

test("who has not taken what it was sent is refused, and not cut, until it has", async () => {
  const { late, client } = await reading();
  client.socket.bufferedBytes = late.hub.limits.outboundBufferBytes - 10;
  await late.engine.release("history");
  expect(client.seen).toMatchObject([{ type: "refused", error: "rate_limited", command: { ref: 7 } }]);
  client.socket.bufferedBytes = 0;
  client.send({ type: "history", channel: "room", ref: 8 });
  await settled();
  expect(client.seen.at(-1)).toMatchObject({ type: "history", ref: 8, events: [{ data: "1" }] });
});
