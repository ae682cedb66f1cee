/** How many: channels of a connection, channels and events of an API call, members, subscribers, waiting commands. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startServer } from "../support/server.ts";
import { apiRefusal, apiStatus, subscribeRefusal } from "./refusals.ts";

const server = await startServer(
  { limits: { waitingCommands: 3 } },
  {
    anonymous: true,
    limits: { channelsPerConnection: 2, channelsPerTrigger: 3, batchSize: 2, presenceMembers: 2, watchlistSize: 2 },
    channels: [{ match: "small-*", maxSubscribers: 2 }],
  },
);
const { url } = server;

describe.each([
  ["Pusher", connectPusher],
  ["native", connectNative],
] as const)("over the %s protocol", (_, connect) => {
  test("a connection may be in as many channels as configured, and leave one for another", async () => {
    const client = await connect(url);
    await client.subscribe("one");
    await client.subscribe("two");
    expect(await subscribeRefusal(client, "three")).toMatchObject({
      code: "too_many_channels",
      message: "A connection may be in 2 channels at a time (channelsPerConnection).",
    });
    client.send("ask" in client ? "unsubscribe" : "pusher:unsubscribe", { channel: "one" });
    await client.subscribe("three");
  });

  test("a presence channel has as many users as configured, however many connections they have", async () => {
    const channel = `presence-${connect.name}`;
    const first = await connectPusher(url);
    await first.subscribe(channel, { data: { user_id: "1" } });
    await (await connectPusher(url)).subscribe(channel, { data: { user_id: "2" } });
    await (await connectPusher(url)).subscribe(channel, { data: { user_id: "2" } });
    const late = await connect(url);
    expect(await subscribeRefusal(late, channel, { user_id: "3" })).toMatchObject({
      code: "channel_full",
      message: "The channel has 2 members, which is as many as it may (presenceMembers).",
    });
    expect((await server.members(channel)).map(({ id }) => id)).toEqual(["1", "2"]);
    await first.close();
    await eventually(async () => expect(await server.members(channel)).toHaveLength(1));
    const member = { user_id: "3" };
    await late.subscribe(channel, "permission" in late ? late.permission(channel, member) : { data: member });
  });

  test("a channel takes as many subscribers as its rule says, also when they all come at once", async () => {
    const channel = `small-${connect.name}`;
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect(url)));
    const outcomes = await Promise.allSettled(clients.map((client) => client.subscribe(channel)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    const outside = clients.find((_, index) => outcomes[index]?.status === "rejected");
    if (!outside) throw new Error("Everybody was let in");
    expect(await subscribeRefusal(outside, channel)).toMatchObject({
      code: "channel_full",
      message: "The channel has 2 subscribers, which is as many as it may (maxSubscribers).",
    });
    await clients[outcomes.findIndex(({ status }) => status === "fulfilled")]?.close();
    await eventually(() => outside.subscribe(channel));
  });
});

test("the channels of both protocols' clients count together", async () => {
  await (await connectPusher(url)).subscribe("small-both");
  await (await connectNative(url)).subscribe("small-both");
  expect(await subscribeRefusal(await connectPusher(url), "small-both")).toMatchObject({
    code: "channel_full",
    status: 403,
  });
});

test("an API call publishes to as many channels as configured, and a batch has as many events", async () => {
  const event = { name: "x", data: "{}" };
  const [three, four] = [
    ["a", "b", "c"],
    ["a", "b", "c", "d"],
  ];
  expect(await apiStatus(url, "POST", "/events", { ...event, channels: three })).toBe(200);
  expect(await apiRefusal(url, "POST", "/events", { ...event, channels: four })).toEqual({
    status: 400,
    code: "data_invalid",
    message: "An event goes to at most 3 channels (channelsPerTrigger); this one to 4.",
  });
  const batch = (size: number) => ({ batch: Array.from({ length: size }, () => ({ ...event, channel: "a" })) });
  expect(await apiStatus(url, "POST", "/batch_events", batch(2))).toBe(200);
  expect(await apiRefusal(url, "POST", "/batch_events", batch(3))).toEqual({
    status: 400,
    code: "data_invalid",
    message: "Batch too large (> 2, batchSize): it has 3 events.",
  });
});

test("a batch that is refused for its last event has not sent its first", async () => {
  const client = await connectPusher(url);
  await client.subscribe("whole");
  const batch = [
    { name: "x", data: "{}", channel: "whole" },
    { name: "x", data: "{}", channel: "not whole" },
  ];
  await apiRefusal(url, "POST", "/batch_events", { batch });
  await client.ping();
  await client.silence(0);
});

test("of a watchlist that is too long the first are watched, and the client is told 4302", async () => {
  const client = await connectPusher(url);
  await client.signin({ id: "me", watchlist: ["a", "b", "c"] });
  const { data } = await client.next("pusher:error");
  expect(data).toEqual({
    code: 4302,
    message: "The watchlist has 3 users; the first 2 are watched (watchlistSize): a, b",
  });
  const watched = await client.next("pusher_internal:watchlist_events");
  expect(JSON.parse(String(watched.data))).toEqual({ events: [{ name: "offline", user_ids: ["a", "b"] }] });
  const [c, a] = [await connectPusher(url), await connectPusher(url)];
  await c.signin({ id: "c" });
  await a.signin({ id: "a" });
  const online = await client.next("pusher_internal:watchlist_events");
  expect(JSON.parse(String(online.data))).toEqual({ events: [{ name: "online", user_ids: ["a"] }] });
});

test("a client with more commands waiting than configured is cut with 4100, and everybody else goes on", async () => {
  // Only a program's own commands take as long as one likes; the line they wait in is the same for both protocols.
  const gate = Promise.withResolvers<string>();
  server.handle("slow", () => gate.promise);
  const [patient, flooding] = [await connectNative(url), await connectNative(url)];
  for (const client of [patient, flooding]) client.send("slow");
  for (let i = 0; i < 3; i++) for (const client of [patient, flooding]) client.send("ping", { i });
  flooding.send("ping");
  expect(await flooding.next("closing")).toMatchObject({
    code: "flooded",
    message: "More than 3 commands were waiting for an answer (limits.waitingCommands).",
    reconnect: "later",
  });
  expect(await flooding.socket.closed).toMatchObject({ code: 4100 });
  gate.resolve("done");
  for (let i = 0; i < 3; i++) await patient.next("pong");
  await patient.ping();
});
