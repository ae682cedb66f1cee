/** What a back end, or a program, says of single subscriptions: until when, and whether the client publishes; and what it takes back. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { createPublisher } from "../../packages/publisher/src/index.ts";
import { startBackEnd } from "../support/back-end.ts";
import { connectAs, connectNative } from "../support/native-client.ts";
import { channelAuth, connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

setDefaultTimeout(60_000);

const inSeconds = (seconds: number) => Date.now() / 1_000 + seconds;

test("subscribe: a permission ends when it says so, for clients of both protocols, and may be asked for again", async () => {
  const backEnd = startBackEnd({ subscribe: () => ({ member: { id: "ada" }, expires_at: inSeconds(1) }) });
  const hooks = { url: backEnd.url, subscribe: true } as const;
  const server = await startServer({}, { anonymous: true, hooks });
  const [native, pusher] = [await connectNative(server.url), await connectPusher(server.url)];
  await native.subscribe("presence-room");
  pusher.socket.send({ event: "pusher:subscribe", data: { channel: "private-news" } });
  await pusher.socket.next("pusher_internal:subscription_succeeded");
  await native.subscribe("open");
  expect(await native.next("unsubscribed")).toMatchObject({
    ...{ channel: "presence-room", by: "server", code: "permission_gone" },
  });
  expect(await pusher.socket.next("pusher:subscription_error")).toMatchObject({ channel: "private-news" });
  expect(await server.members("presence-room")).toEqual([]);
  await native.ping();
  await native.subscribe("presence-room");
  await native.ask("unsubscribe", { channel: "presence-room" });
  await native.silence(2_500, "unsubscribed");
});

test("subscribe: what has ended already is in the channel for a moment at most, and a permission without an end stays", async () => {
  const ends = { "private-past": -5, "private-later": 600 } as const;
  const backEnd = startBackEnd({
    subscribe: ({ channel }) => ({ expires_at: inSeconds(ends[channel as keyof typeof ends] ?? 600) }),
  });
  const server = await startServer({}, { anonymous: true, hooks: { url: backEnd.url, subscribe: true } });
  const client = await connectNative(server.url);
  await client.subscribe("private-later");
  await client.subscribe("private-past");
  expect(await client.next("unsubscribed")).toMatchObject({ channel: "private-past" });
  await client.silence(1_500, "unsubscribed");
});

test("refresh: patterns that its answer withdraws leave the channels that they let the client into", async () => {
  let asked = 0;
  const backEnd = startBackEnd({
    connect: () => ({ user: { id: "ada" }, channels: ["private-a", "private-b"], expires_at: inSeconds(1) }),
    refresh: () => ({
      ...(++asked > 1 ? { user: { id: "ada" }, channels: ["private-b"] } : {}),
      expires_at: inSeconds(asked > 1 ? 600 : 1),
    }),
  });
  const hooks = { url: backEnd.url, connect: true, refresh: true };
  const server = await startServer({}, { token: { clockToleranceS: 0 }, hooks });
  const client = await connectNative(server.url);
  await client.subscribe("private-a");
  await client.subscribe("private-b");
  expect(await client.next("unsubscribed", 20_000)).toMatchObject({ channel: "private-a", code: "permission_gone" });
  expect(asked).toBeGreaterThan(1);
  expect(await client.ask("subscribe", { channel: "private-a" })).toMatchObject({ code: "unauthorized" });
  expect(await client.ask("subscribe", { channel: "private-b" })).toMatchObject({ code: "already_subscribed" });
});

test("subscribe: publish says who may publish there, over the channel's rule, until the client has left", async () => {
  const may: Record<string, boolean | undefined> = { "private-read": false, "private-write": true };
  const backEnd = startBackEnd({
    subscribe: ({ channel }) => (may[String(channel)] === undefined ? {} : { publish: may[String(channel)] }),
  });
  const hooks = { url: backEnd.url, subscribe: { channels: ["*"], when: "always" } } as const;
  const channels = [
    { match: "private-*", clientPublish: "none" },
    { match: "*", clientPublish: "any" },
  ] as const;
  const server = await startServer({}, { anonymous: true, channels: [...channels], hooks });
  const [native, pusher] = [await connectNative(server.url), await connectPusher(server.url)];
  const publish = (channel: string) => native.ask("publish", { channel, event: "said", data: 1 });
  for (const channel of ["private-read", "private-write", "private-rule"]) {
    await native.subscribe(channel, native.permission(channel));
    await pusher.subscribe(channel);
  }
  expect(await publish("private-write")).toMatchObject({ event: "published" });
  expect(await pusher.next("said")).toMatchObject({ channel: "private-write" });
  for (const channel of ["private-read", "private-rule"]) {
    expect(await publish(channel)).toMatchObject({ code: "publish_forbidden" });
  }
  for (const [channel, wasSent] of [
    ["private-write", true],
    ["private-read", false],
  ] as const) {
    pusher.send("client-typing", {}, channel);
    if (wasSent) await native.next("client-typing");
    else await pusher.next("pusher:error");
  }
  may.open = false;
  await native.subscribe("open");
  expect(await publish("open")).toMatchObject({ code: "publish_forbidden" });
  await native.ask("unsubscribe", { channel: "open" });
  may.open = undefined;
  await native.subscribe("open");
  expect(await publish("open")).toMatchObject({ event: "published" });
});

test("a program's authorize says the same: as whom, until when, and whether the client publishes", async () => {
  const server = await startServer({}, { anonymous: true });
  server.on("authorize", () => ({ expiresAtMs: Date.now() + 1_000, publish: false }), "private-*");
  server.on("authorize", () => ({ id: 7, info: { n: 1 }, publish: true }), "presence-*");
  const client = await connectNative(server.url);
  await client.subscribe("private-a");
  expect((await client.subscribe("presence-a")).data).toMatchObject({ members: [{ id: "7", info: { n: 1 } }] });
  const publish = (channel: string) => client.ask("publish", { channel, event: "said", data: 1 });
  expect(await publish("private-a")).toMatchObject({ code: "publish_forbidden" });
  expect(await publish("presence-a")).toMatchObject({ event: "published" });
  expect(await client.next("unsubscribed")).toMatchObject({ channel: "private-a", code: "permission_gone" });
});

test("a signature with an end in what it covers: the subscription is over at it, and so is the signature", async () => {
  const server = await startServer({}, { anonymous: true });
  const publisher = createPublisher({ url: server.url, appId: APP.id, key: APP.key, secret: APP.secret });
  const [native, pusher] = [await connectNative(server.url), await connectPusher(server.url)];
  const brief = { expiresInS: 1 };
  const permission = await publisher.authorizeChannel(native.id, "private-a", undefined, brief);
  await native.subscribe("private-a", { ...permission });
  const member = { id: "ada", info: { name: "Ada" } };
  const { channels } = await publisher.authorize(native.id, ["presence-a"], { allow: () => true, member, ...brief });
  const subscribed = await native.subscribe("presence-a", { ...channels["presence-a"] });
  expect(subscribed.data).toMatchObject({ members: [member] });
  const data = await publisher.authorizeChannel(pusher.socketId, "private-a", undefined, brief);
  pusher.socket.send({ event: "pusher:subscribe", data: { channel: "private-a", ...data } });
  await pusher.socket.next("pusher_internal:subscription_succeeded");
  const ends = [await native.next("unsubscribed", 20_000), await native.next("unsubscribed", 20_000)];
  expect(ends.map(({ channel, code }) => [channel, code]).sort()).toEqual([
    ["presence-a", "permission_gone"],
    ["private-a", "permission_gone"],
  ]);
  expect(JSON.parse(String((await pusher.socket.next("pusher:subscription_error", 20_000)).data))).toMatchObject({
    ...{ status: 403, code: "permission_gone" },
  });
  expect(await native.ask("subscribe", { channel: "private-a", ...permission })).toMatchObject({
    code: "unauthorized",
  });
  const refused = [
    ["user_invalid", { expires_at: "tomorrow" }],
    ["unauthorized", { expires_at: -5 }],
  ] as const;
  for (const [code, signed] of refused) {
    const auth = native.permission("private-b", signed as object);
    expect(await native.ask("subscribe", { channel: "private-b", ...auth })).toMatchObject({ code });
  }
});

test("a signature with an end and no member is the signed-in user's, and a private channel's data may be any text", async () => {
  const server = await startServer({}, { anonymous: true });
  const ada = await connectAs(server.url, "ada");
  await ada.ping();
  const subscribed = await ada.subscribe("presence-a", ada.permission("presence-a", { expires_at: 4e9 }));
  expect(subscribed.data).toMatchObject({ members: [{ id: "ada" }] });
  for (const [channel, text] of [
    ["private-a", "not JSON"],
    ["private-b", "null"],
    ["private-c", "[1]"],
  ] as const) {
    const auth = channelAuth(APP, ada.id, channel, text);
    await ada.subscribe(channel, { auth, channel_data: text });
  }
  const anyone = await connectNative(server.url);
  const nobody = anyone.permission("presence-a", { expires_at: 4e9 });
  expect(await anyone.ask("subscribe", { channel: "presence-a", ...nobody })).toMatchObject({ code: "user_invalid" });
});
