/** Native clients and channels over real sockets: in, out, members, cache, counts, limits (A30 to A35, A37). */

import { describe, expect, test } from "bun:test";
import { connectAs, connectNative, dialNative, makeToken } from "../support/native-client.ts";
import { APP, startServer } from "../support/server.ts";

const OTHER = { id: "other", key: "other-key", secret: "other-secret", anonymous: true };
const server = await startServer({ apps: [{ ...APP, anonymous: true, subscriptionCounts: false }, OTHER] });

describe("coming in", () => {
  test("a stranger is welcomed first, without a user", async () => {
    const { welcome } = await connectNative(server.url);
    expect(welcome).toEqual({
      id: expect.stringMatching(/^\d+\.\d+$/),
      activityTimeoutS: 30,
      maxFrameBytes: 655_360,
      limits: { eventsPerSecond: 10, memberUpdatesPerSecond: 2, eventBytes: 102_400, channels: 10_000 },
      serverTimeMs: expect.any(Number),
      features: expect.any(Array),
    });
    expect(Math.abs(welcome.serverTimeMs - Date.now())).toBeLessThan(30_000);
  });

  test("a client is told its own app's limits, as they are when it comes, and none where there is none", async () => {
    const limits = {
      clientEventsPerSecond: 3,
      subscribesPerSecond: 7,
      eventDataBytes: 2_000,
      channelsPerConnection: "unlimited" as const,
    };
    const own = await startServer({ apps: [{ ...APP, anonymous: true, limits }, OTHER] });
    const bounds = { eventsPerSecond: 3, subscribesPerSecond: 7, memberUpdatesPerSecond: 2, eventBytes: 2_000 };
    expect((await connectNative(own.url)).welcome.limits).toEqual(bounds);
    const other = await connectNative(own.url, { app: OTHER.key });
    expect(other.welcome.limits).toEqual({
      eventsPerSecond: 10,
      memberUpdatesPerSecond: 2,
      eventBytes: 102_400,
      channels: 10_000,
    });
  });

  test("the first app is meant where none is named, and another by its key", async () => {
    const [first, other] = [await connectNative(server.url), await connectNative(server.url, { app: OTHER.key })];
    expect(server.app(APP.id).connections.get(first.id)?.app.id).toBe(APP.id);
    expect(server.app(OTHER.id).connections.get(other.id)?.app.id).toBe(OTHER.id);
    expect(server.app(APP.id).connections.get(other.id)).toBeUndefined();
  });

  test("a token counts in the app whose secret made it", async () => {
    const token = await makeToken({ sub: "ada" }, OTHER.secret);
    expect((await connectNative(server.url, { app: OTHER.key, token })).welcome.user?.id).toBe("ada");
    const refused = await dialNative(server.url, { token });
    expect((await refused.next()).code).toBe("token_invalid");
  });

  test("an unknown app is refused in words, whatever its name", async () => {
    for (const app of ["nobody", "", "€".repeat(64), "__proto__"]) {
      const socket = await dialNative(server.url, { app });
      expect(await socket.next()).toMatchObject({ event: "closing", code: "app_unknown", reconnect: "never" });
      expect((await socket.closed).code).toBe(4001);
    }
  });

  test("a path in front of it works, and so does the root", async () => {
    const behind = await startServer({ path: "/ws" }, { anonymous: true });
    for (const path of ["/ws", "/ws/", "/"]) expect((await connectNative(behind.url, { path })).id).toBeString();
  });
});

describe("subscribing", () => {
  test("is answered with the channel and nothing more (A30, A31)", async () => {
    const client = await connectNative(server.url);
    client.send("subscribe", { channel: "chat.room.1" });
    expect(await client.next()).toEqual({ event: "subscribed", channel: "chat.room.1" });
    expect(client.socket.raw.at(-1)).toBe('{"event":"subscribed","channel":"chat.room.1"}');
  });

  test("repeats the id, be it text or a number", async () => {
    const client = await connectNative(server.url);
    for (const id of ["x", "", 0, 1.5, -7, "i".repeat(64)]) {
      client.socket.send({ event: "subscribe", id, data: { channel: `chat-${String(id).length}-${id}` } });
      expect((await client.next()).id).toBe(id);
    }
  });

  test("fails with a message, a code, the id and the channel (A32)", async () => {
    const client = await connectNative(server.url);
    expect(await client.ask("subscribe", { channel: "private-secret" })).toEqual({
      event: "error",
      message: expect.stringContaining("private-secret needs permission"),
      code: "unauthorized",
      id: "ask-1",
      channel: "private-secret",
    });
    expect(client.socket.isOpen).toBe(true);
  });

  test("twice is an error, and leaves the first as it was", async () => {
    const client = await connectNative(server.url);
    await client.subscribe("twice");
    expect((await client.ask("subscribe", { channel: "twice" })).code).toBe("already_subscribed");
    await server.toChannel("twice").push({ event: "e", data: 1 });
    expect(await client.next("e")).toEqual({ event: "e", channel: "twice", data: 1 });
    await client.silence(50);
  });

  test.each([
    "",
    " ",
    "a b",
    "a*",
    "a?",
    "a>",
    "a/b",
    "ä",
    "a\nb",
    "a\u0000b",
    "\ud800",
    "a".repeat(201),
    "#online-ada",
    "#x",
  ])("to %j, which is no channel's name, is refused", async (channel) => {
    const client = await connectNative(server.url);
    expect((await client.ask("subscribe", { channel })).code).toBe("channel_invalid");
  });

  test.each(["a", "a".repeat(200), "A-z_0=@,.;", "__proto__", "constructor", "x-private-y"])(
    "to %j needs no permission",
    async (channel) => {
      const client = await connectNative(server.url);
      expect(await client.subscribe(channel)).toEqual({ event: "subscribed", channel, id: "ask-1" });
    },
  );

  test("needs permission in every channel that begins with private- or presence- (A35)", async () => {
    const client = await connectNative(server.url);
    for (const channel of ["private-a", "private-encrypted-a", "private-cache-a", "presence-a", "presence-cache-a"]) {
      expect((await client.ask("subscribe", { channel })).code).toBe("unauthorized");
    }
  });

  test("to another user's own channel is refused", async () => {
    const client = await connectAs(server.url, "ada");
    expect((await client.ask("subscribe", { channel: "#server-to-user-bob" })).code).toBe("unauthorized");
    expect((await client.ask("subscribe", { channel: "#server-to-user-ada" })).code).toBe("already_subscribed");
  });
});

describe("permission", () => {
  test("is the signature of the app's back end, as in Pusher", async () => {
    const client = await connectNative(server.url);
    await client.subscribe("private-a", client.permission("private-a"));
    await client.subscribe("presence-a", client.permission("presence-a", { user_id: 7, user_info: { name: "Ada" } }));
    expect(await server.members("presence-a")).toMatchObject([{ id: "7", info: { name: "Ada" } }]);
  });

  test("counts for that connection, that channel and that data only", async () => {
    const [ada, bob] = [await connectNative(server.url), await connectNative(server.url)];
    const member = ada.permission("presence-b", { user_id: "1" });
    const wrong: [string, object][] = [
      ["private-b", bob.permission("private-b")],
      ["private-b", ada.permission("private-c")],
      ["private-b", { auth: `${ada.permission("private-b").auth.slice(0, -1)}x` }],
      ["private-b", { auth: ada.permission("private-b").auth.split(":")[1] }],
      ["private-b", { auth: `${OTHER.key}:${ada.permission("private-b").auth.split(":")[1]}` }],
      ["private-b", { ...ada.permission("private-b"), channel_data: '{"user_id":"1"}' }],
      ["presence-b", { ...member, channel_data: '{"user_id":"2"}' }],
    ];
    for (const [channel, permission] of wrong) {
      expect((await ada.ask("subscribe", { channel, ...permission })).code).toBe("signature_invalid");
    }
    expect(await server.members("presence-b")).toEqual([]);
  });

  test("is a pattern in the token's channels", async () => {
    const client = await connectAs(server.url, "ada", { channels: ["private-team.*", "presence-?", 7] as never });
    expect((await client.ask("subscribe", { channel: "private-team.1" })).code).toBe("unauthorized");
    const member = await connectAs(server.url, "ada", { channels: ["private-team.*", "presence-?"] });
    await member.subscribe("private-team.1");
    expect((await member.subscribe("presence-x")).data).toEqual({ members: [{ id: "ada" }] });
    expect((await member.ask("subscribe", { channel: "private-teams" })).code).toBe("unauthorized");
    expect((await member.ask("subscribe", { channel: "presence-xy" })).code).toBe("unauthorized");
  });
});

describe("events", () => {
  test("arrive as they were pushed, with the channel added (A33, A38)", async () => {
    const client = await connectNative(server.url);
    await client.subscribe("orders");
    await server.toChannel("orders").push({ event: "new-message", data: { text: "hi" } });
    await server.toChannel("orders").push({ metric: "cpu", value: 42 });
    await client.next("new-message");
    await client.next();
    expect(client.socket.raw.slice(-2)).toEqual([
      '{"event":"new-message","channel":"orders","data":{"text":"hi"}}',
      '{"metric":"cpu","value":42,"channel":"orders"}',
    ]);
  });

  test("with one of the protocol's own names are marked, so that nobody takes them for its word", async () => {
    const client = await connectNative(server.url);
    await client.subscribe("forged");
    await server.toChannel("forged").push({ event: "subscribed", data: { members: [] } });
    await server.toChannel("forged").push({ event: "error", code: "internal" });
    expect(await client.next()).toEqual({
      event: "subscribed",
      channel: "forged",
      data: { members: [] },
      pushed: true,
    });
    expect(await client.next()).toEqual({ event: "error", code: "internal", channel: "forged", pushed: true });
  });

  test("stop after unsubscribing (A37)", async () => {
    const client = await connectNative(server.url);
    await client.subscribe("left");
    await client.subscribe("kept");
    expect(await client.ask("unsubscribe", { channel: "left" })).toEqual({
      event: "unsubscribed",
      channel: "left",
      id: "ask-3",
    });
    await server.toChannel("left").push({ event: "e", data: 1 });
    await server.toChannel("kept").push({ event: "e", data: 2 });
    expect(await client.next("e")).toEqual({ event: "e", channel: "kept", data: 2 });
    expect((await client.ask("unsubscribe", { channel: "left" })).code).toBe("not_subscribed");
    expect(await server.channel("left").info()).toBeUndefined();
  });
});

describe("a presence channel", () => {
  const claims = (name: string) => ({ info: { name }, channels: ["presence-*"] });

  test("says who is there, who comes and who goes (A34)", async () => {
    const ada = await connectAs(server.url, "ada", claims("Ada"));
    expect(await ada.subscribe("presence-room")).toEqual({
      event: "subscribed",
      channel: "presence-room",
      id: "ask-1",
      data: { members: [{ id: "ada", info: { name: "Ada" } }] },
    });
    const bob = await connectAs(server.url, "bob", claims("Bob"));
    expect((await bob.subscribe("presence-room")).data).toEqual({
      members: [
        { id: "ada", info: { name: "Ada" } },
        { id: "bob", info: { name: "Bob" } },
      ],
    });
    expect(await ada.next()).toEqual({
      event: "member_added",
      channel: "presence-room",
      data: { user: { id: "bob", info: { name: "Bob" } } },
    });
    await bob.close();
    const gone = { event: "member_removed", channel: "presence-room", data: { user: { id: "bob" } } };
    expect(await ada.next()).toEqual(gone);
    expect(await bob.socket.frames.filter(({ event }) => event.startsWith("member_"))).toEqual([]);
    expect(await ada.unread()).toEqual([]);
  });

  test("counts users and not their connections", async () => {
    const watcher = await connectAs(server.url, "watcher", claims("W"));
    await watcher.subscribe("presence-tabs");
    const [first, second] = [
      await connectAs(server.url, "ada", claims("A")),
      await connectAs(server.url, "ada", claims("A")),
    ];
    await first.subscribe("presence-tabs");
    await second.subscribe("presence-tabs");
    await first.ask("unsubscribe", { channel: "presence-tabs" });
    await watcher.next("member_added");
    expect(await watcher.unread()).toEqual([]);
    await second.close();
    await watcher.next("member_removed");
    expect(await second.socket.frames.filter(({ event }) => event.startsWith("member_"))).toEqual([]);
    expect(await server.members("presence-tabs")).toMatchObject([{ id: "watcher" }]);
  });

  test("needs to know who comes", async () => {
    const stranger = await connectNative(server.url);
    const permission = stranger.permission("presence-who");
    expect((await stranger.ask("subscribe", { channel: "presence-who", ...permission })).code).toBe("user_invalid");
    for (const member of [{}, { user_id: null }, { user_id: "" }, { user_id: {} }, { user_id: "u".repeat(129) }]) {
      const signed = stranger.permission("presence-who", member);
      expect((await stranger.ask("subscribe", { channel: "presence-who", ...signed })).code).toBe("user_invalid");
    }
  });

  test("has no room for more info than its limit, whoever vouches for it", async () => {
    const info = "x".repeat(1_024);
    const stranger = await connectNative(server.url);
    const signed = stranger.permission("presence-fat", { user_id: "1", user_info: info });
    expect((await stranger.ask("subscribe", { channel: "presence-fat", ...signed })).code).toBe("data_too_large");
    const ada = await connectAs(server.url, "ada", { info, channels: ["presence-*"] });
    expect((await ada.ask("subscribe", { channel: "presence-fat" })).code).toBe("data_too_large");
    expect(await server.members("presence-fat")).toEqual([]);
  });
});

describe("a cache channel", () => {
  test("gives its last event to whoever comes, or says that it has none", async () => {
    const [ada, bob] = [await connectNative(server.url), await connectNative(server.url)];
    await ada.subscribe("cache-price");
    expect(await ada.next()).toEqual({ event: "cache_miss", channel: "cache-price" });
    await server.toChannel("cache-price").push({ event: "price", data: 1 });
    await server.toChannel("cache-price").push({ event: "price", data: 2 });
    await bob.subscribe("cache-price");
    expect(await bob.next()).toEqual({ event: "price", channel: "cache-price", data: 2 });
    expect(await bob.unread()).toEqual([]);
  });
});

test("a channel's subscribers hear how many they are where the app says so", async () => {
  const counting = await startServer({}, { anonymous: true, subscriptionCounts: true });
  const [ada, bob] = [await connectNative(counting.url), await connectNative(counting.url)];
  await ada.subscribe("counted");
  expect(await ada.next()).toEqual({ event: "subscription_count", channel: "counted", data: { count: 1 } });
  await bob.subscribe("counted");
  expect((await ada.next()).data).toEqual({ count: 2 });
  await bob.close();
  expect((await ada.next()).data).toEqual({ count: 1 });
});

describe("limits", async () => {
  const tight = await startServer(
    {},
    {
      anonymous: true,
      limits: { channelsPerConnection: 2, presenceMembers: 1, subscribesPerSecond: 5, channelNameLength: 12 },
      channels: [{ match: "narrow", maxSubscribers: 1 }],
    },
  );

  test("hold the channels of one connection, of which the user's own is none", async () => {
    const client = await connectAs(tight.url, "ada");
    await client.subscribe("one");
    await client.subscribe("two");
    expect((await client.ask("subscribe", { channel: "three" })).code).toBe("too_many_channels");
    await client.ask("unsubscribe", { channel: "one" });
    await client.subscribe("three");
  });

  test("hold the subscribers and the members of one channel", async () => {
    const [ada, bob] = [await connectNative(tight.url), await connectNative(tight.url)];
    await ada.subscribe("narrow");
    expect((await bob.ask("subscribe", { channel: "narrow" })).code).toBe("channel_full");
    await ada.subscribe("presence-a", ada.permission("presence-a", { user_id: "1" }));
    const second = bob.permission("presence-a", { user_id: "2" });
    expect((await bob.ask("subscribe", { channel: "presence-a", ...second })).code).toBe("channel_full");
    await bob.subscribe("presence-a", bob.permission("presence-a", { user_id: "1" }));
  });

  test("hold the length of a name and the rate of subscribing", async () => {
    const client = await connectNative(tight.url);
    expect((await client.ask("subscribe", { channel: "thirteen-long" })).code).toBe("channel_invalid");
    const asked = Array.from({ length: 50 }, () => client.ask("subscribe", { channel: "private-x" }));
    const answers = (await Promise.all(asked)).map(({ code }) => code);
    expect(answers.slice(0, 5)).toEqual(Array(5).fill("unauthorized"));
    expect(answers).toContain("rate_limited");
  });
});
