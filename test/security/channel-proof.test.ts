/** Permissions for something else than what is asked, members that are none, and names that mean too much. Scenarios 64 to 66. */

import { afterEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { channelAuth, connectPusher, sign, signedFetch, trigger, userAuth } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { faultsOf } from "./faults.ts";

const ROTATED = { ...APP, id: "rotated", key: "rotated-key" };
const server = await startServer({
  apps: [
    { ...APP, anonymous: true },
    { id: ROTATED.id, key: ROTATED.key, secrets: ["new-secret", "old-secret"] },
  ],
});
const { url } = server;
const faults = faultsOf(server);

afterEach(() => expect(faults.splice(0)).toEqual([]));

const DATA = '{"user_id":"1"}';

/** Permissions that are not for this: by what is wrong with them. */
const WRONG: readonly (readonly [string, (id: string, channel: string, data?: string) => string])[] = [
  ["for another connection", (_, channel, data) => channelAuth(APP, "1.1", channel, data)],
  ["for another channel", (id, _, data) => channelAuth(APP, id, "private-other", data)],
  ["for the channel in capitals", (id, channel, data) => channelAuth(APP, id, channel.toUpperCase(), data)],
  ["with another app's key", (id, channel, data) => channelAuth(ROTATED, id, channel, data)],
  ["with another secret", (id, channel, data) => channelAuth({ ...APP, secret: "x" }, id, channel, data)],
  ["cut short", (id, channel, data) => channelAuth(APP, id, channel, data).slice(0, -1)],
  ["prolonged", (id, channel, data) => `${channelAuth(APP, id, channel, data)}0`],
  [
    "in upper case",
    (id, channel, data) => `${APP.key}:${channelAuth(APP, id, channel, data).split(":")[1]?.toUpperCase()}`,
  ],
  ["without its key", (id, channel, data) => channelAuth(APP, id, channel, data).split(":")[1] ?? ""],
  ["without its signature", () => `${APP.key}:`],
  ["with nothing but a colon", () => ":"],
  ["for a user instead", (id, _channel, data) => userAuth(APP, id, data ?? DATA)],
  [
    "made by SHA-1",
    (id, channel) => `${APP.key}:${createHmac("sha1", APP.secret).update(`${id}:${channel}`).digest("hex")}`,
  ],
];

describe.each(["private-room", "private-encrypted-room", "private-cache-room", "presence-room"])("%s", (channel) => {
  const data = channel.startsWith("presence-") ? DATA : undefined;

  test.each(WRONG)("is closed to a permission %s, in both protocols (scenario 64)", async (_, make) => {
    const [pusher, native] = [await connectPusher(url), await connectNative(url)];
    const more = data === undefined ? {} : { channel_data: data };
    pusher.sendSubscribe(channel, { auth: make(pusher.socketId, channel, data), ...(data !== undefined && { data }) });
    const refusal = await pusher.nextIn(channel);
    expect(refusal.event).toBe("pusher:subscription_error");
    expect(JSON.parse(String(refusal.data))).toMatchObject({ type: "AuthError", status: 401 });
    // An empty signature is none at all, and none is as good as a wrong one.
    const answer = await native.ask("subscribe", { channel, auth: make(native.id, channel, data), ...more });
    expect(answer).toMatchObject({ event: "error", code: "signature_invalid" });
    expect(await server.channel(channel).info()).toBeUndefined();
    await Promise.all([pusher.ping(), native.ping()]);
  });

  test("is closed without any permission", async () => {
    const [pusher, native] = [await connectPusher(url), await connectNative(url)];
    pusher.sendSubscribe(channel, { auth: "" });
    expect((await pusher.nextIn(channel)).event).toBe("pusher:subscription_error");
    expect(await native.ask("subscribe", { channel })).toMatchObject({ event: "error", code: "unauthorized" });
  });
});

test("data that comes with a permission has to be what was signed, in private channels too", async () => {
  const client = await connectPusher(url);
  const auth = (channel: string, data?: string) => channelAuth(APP, client.socketId, channel, data);
  for (const channel of ["private-d", "presence-d"]) {
    client.sendSubscribe(channel, { auth: auth(channel), data: DATA });
    expect((await client.nextIn(channel)).event).toBe("pusher:subscription_error");
    client.sendSubscribe(channel, { auth: auth(channel, DATA), data: '{"user_id": "1"}' });
    expect((await client.nextIn(channel)).event).toBe("pusher:subscription_error");
    client.sendSubscribe(channel, { auth: auth(channel, DATA), data: DATA });
    expect((await client.nextIn(channel)).event).toBe("pusher_internal:subscription_succeeded");
  }
});

test("a permission for a channel whose name contains a colon cannot be split into another channel with data", async () => {
  const client = await connectPusher(url);
  const auth = channelAuth(APP, client.socketId, `presence-d:${DATA}`);
  client.sendSubscribe(`presence-d:${DATA}`, { auth });
  expect((await client.next("pusher:subscription_error")).channel).toBe(`presence-d:${DATA}`);
});

test("both secrets of an app count while one replaces the other, and no third", async () => {
  const client = await connectPusher(url, { app: { ...ROTATED, secret: "new-secret" } });
  for (const [secret, event] of [
    ["new-secret", "pusher_internal:subscription_succeeded"],
    ["old-secret", "pusher_internal:subscription_succeeded"],
    ["other", "pusher:subscription_error"],
  ] as const) {
    const channel = `private-${secret}`;
    client.sendSubscribe(channel, { auth: channelAuth({ ...ROTATED, secret }, client.socketId, channel) });
    expect((await client.nextIn(channel)).event).toBe(event);
    const read = await signedFetch(url, { ...ROTATED, secret }, "GET", "/channels");
    expect(read.status).toBe(secret === "other" ? 401 : 200);
  }
});

describe("a member", () => {
  test.each([
    "{}",
    "null",
    "[]",
    "1",
    '"1"',
    "{",
    "",
    '{"user_id":null}',
    '{"user_id":true}',
    '{"user_id":{}}',
    '{"user_id":["1"]}',
    '{"user_id":""}',
    '{"__proto__":{"user_id":"1"}}',
    `{"user_id":"1","user_info":"${"x".repeat(2048)}"}`,
  ])("whose data is %.40s is refused, though signed", async (data) => {
    const client = await connectPusher(url);
    client.sendSubscribe("presence-m", { data });
    const { event, data: told } = await client.nextIn("presence-m");
    expect(event).toBe("pusher:subscription_error");
    expect([400, 401, 413]).toContain((JSON.parse(String(told)) as { status: number }).status);
    expect(await server.members("presence-m")).toEqual([]);
  });

  test("is the same whether its id came as a number or as text, and is told of once (scenario 65)", async () => {
    const witness = await connectPusher(url);
    await witness.subscribe("presence-n", { data: { user_id: "0" } });
    const [number, text] = [await connectPusher(url), await connectPusher(url)];
    await number.subscribe("presence-n", { data: { user_id: 7 } });
    const { presence } = (await text.subscribe("presence-n", { data: { user_id: "7" } })) as { presence: object };
    expect(presence).toMatchObject({ count: 2, ids: ["0", "7"] });
    expect(JSON.parse(String((await witness.next("pusher_internal:member_added")).data)).user_id).toBe("7");
    await number.close();
    await witness.ping();
    await witness.silence(0);
    await text.close();
    expect(JSON.parse(String((await witness.next("pusher_internal:member_removed")).data))).toEqual({ user_id: "7" });
    await witness.ping();
    await witness.silence(0);
  });

  test("is itself and not its neighbour where ids are numbers beyond 2^53", async () => {
    const [first, second] = [await connectPusher(url), await connectPusher(url)];
    const member = (id: string) => ({ data: `{"user_info":{"user_id":1},"user_id":${id}}` });
    await first.subscribe("presence-large", member("9007199254740993"));
    const { presence } = (await second.subscribe("presence-large", member("9007199254740992"))) as { presence: object };
    expect(presence).toMatchObject({ count: 2, ids: ["9007199254740993", "9007199254740992"] });
    const data = '{"id":9007199254740993}';
    second.send("pusher:signin", { auth: userAuth(second.app, second.socketId, data), user_data: data });
    await second.next("pusher:signin_success");
    expect(server.connections.get(second.socketId)?.user?.id).toBe("9007199254740993");
  });

  test("is the hundred-and-first in vain (scenario 65)", async () => {
    const clients = await Promise.all(Array.from({ length: 101 }, () => connectPusher(url)));
    const joins = await Promise.allSettled(
      clients.map((client, n) => client.subscribe("presence-full", { data: { user_id: n } })),
    );
    expect(joins.filter(({ status }) => status === "fulfilled")).toHaveLength(100);
    expect(await server.members("presence-full")).toHaveLength(100);
    await Promise.all(clients.map((client) => client.close()));
    await eventually(async () => expect(await server.members("presence-full")).toEqual([]));
  });
});

const NAMES = [
  "*",
  ">",
  "a*",
  "a.>",
  "a?",
  "[a-z]",
  "a/b",
  "a/b/pusher",
  "\r\nPUBLISH x y\r\n",
  "\u0000",
  "__proto__\u0000",
  "#online-1",
  "#server-to-user-",
  "#server-to-user-1",
  "#",
  "private-x private-y",
  "\ud800",
  "é",
  "../x",
  "%2e%2e",
  "x".repeat(201),
];

test.each(NAMES)("the channel name %j is refused to strangers in both protocols (scenario 66)", async (channel) => {
  const [pusher, native] = [await connectPusher(url), await connectNative(url)];
  pusher.sendSubscribe(channel);
  expect((await pusher.next("pusher:subscription_error")).event).toBe("pusher:subscription_error");
  expect(await native.ask("subscribe", { channel })).toMatchObject({ event: "error" });
  expect(await server.channels()).not.toContainEqual(expect.objectContaining({ name: channel.toWellFormed() }));
});

test.each([
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "a.",
  ".",
  "a.b.c",
  "..",
  "=@,.;",
  "-",
  "x".repeat(200),
])("the channel name %.40j is a name like any other", async (channel) => {
  const [pusher, native] = [await connectPusher(url), await connectNative(url)];
  await pusher.subscribe(channel);
  await native.subscribe(channel);
  await trigger(url, APP, { name: "x", channel, data: "1" });
  expect((await pusher.next("x")).channel).toBe(channel);
  expect((await native.next("x")).channel).toBe(channel);
  expect(await server.channel(channel).info()).toMatchObject({ name: channel, subscribers: 2 });
  const listed = await signedFetch(url, APP, "GET", "/channels", { query: { filter_by_prefix: channel } });
  expect(Object.keys(((await listed.json()) as { channels: object }).channels)).toContain(channel);
});

test("who subscribes to a name hears of that name only (scenario 66)", async () => {
  const listeners = await Promise.all(
    ["a", "a.", "a.b", "A", "ab"].map(async (name) => {
      const client = await connectPusher(url);
      await client.subscribe(name);
      return { name, client };
    }),
  );
  await trigger(url, APP, { name: "x", channel: "a.b", data: "1" });
  for (const { client } of listeners) await client.ping();
  const heard = listeners.filter(({ client }) => client.socket.unread.length > 0).map(({ name }) => name);
  expect(heard).toEqual(["a.b"]);
});

test("a user's own channel opens to that user alone, and its online channel to nobody", async () => {
  const client = await connectPusher(url);
  const enter = async (channel: string) => {
    client.sendSubscribe(channel, { auth: `${APP.key}:${sign(APP.secret, `${client.socketId}:${channel}`)}` });
    return (await client.nextIn(channel)).event;
  };
  expect(await enter("#server-to-user-1")).toBe("pusher:subscription_error");
  await client.signin({ id: "1" });
  expect(await enter("#server-to-user-2")).toBe("pusher:subscription_error");
  expect(await enter("#server-to-user-1 ")).toBe("pusher:subscription_error");
  expect(await enter("#online-1")).toBe("pusher:subscription_error");
  expect(await enter("#server-to-user-1")).toBe("pusher_internal:subscription_succeeded");
  expect((await client.signin({ id: "2" })).event).toBe("pusher:error");
  client.send("client-x", {}, "#server-to-user-1");
  expect((await client.next("pusher:error")).data).toMatchObject({ code: null });
});
