/** What other servers' programs look up and do by name, over real sockets in both protocols (A41 to A43, A46, S13, O18 to O22). */

import { describe, expect, test } from "bun:test";
import type { Server } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const OTHER = { id: "other", key: "other-key", secret: "other-secret", anonymous: true };

function start(): Promise<Server> {
  return startServer({ apps: [{ ...APP, anonymous: true }, OTHER] });
}

describe("broadcast (A38, S13, S18, O21)", () => {
  test("to a channel reaches its subscribers", async () => {
    const server = await start();
    const [inside, outside, pusher] = [
      await connectNative(server.url),
      await connectNative(server.url),
      await connectPusher(server.url),
    ];
    await inside.subscribe("chat");
    await pusher.subscribe("chat");
    await server.broadcast("hello", "chat");
    expect(await inside.next("message")).toEqual({ event: "message", channel: "chat", data: "hello" });
    expect(await pusher.next("message")).toEqual({ event: "message", channel: "chat", data: "hello" });
    expect(await outside.unread()).toEqual([]);
  });

  test("without a channel reaches every connection of the app, in whatever channels or none", async () => {
    const server = await start();
    const [idle, inside] = [await connectNative(server.url), await connectNative(server.url)];
    const [pusher, foreign] = [await connectPusher(server.url), await connectNative(server.url, { app: OTHER.key })];
    await inside.subscribe("chat");
    await server.broadcast({ event: "notice", data: { n: 1 } });
    for (const client of [idle, inside]) expect(await client.next()).toEqual({ event: "notice", data: { n: 1 } });
    expect(await pusher.next()).toEqual({ event: "notice", data: '{"n":1}' });
    await server.broadcast({ metric: "cpu", value: 42 });
    expect(await idle.next()).toEqual({ event: "(no event)", metric: "cpu", value: 42 });
    expect(await pusher.next()).toEqual({ event: "message", data: '{"metric":"cpu","value":42}' });
    expect(await foreign.unread()).toEqual([]);
    await server.app("other").broadcast("theirs");
    expect((await foreign.next()).data).toBe("theirs");
  });

  test("refuses what cannot be pushed, and it reaches no client", async () => {
    const server = await start();
    const client = await connectNative(server.url);
    const large = { event: "e", data: "x".repeat(200_000) };
    for (const [payload, code] of [
      [{ event: "pusher:e" }, "event_reserved"],
      [{ event: "x".repeat(300), data: 1 }, "event_invalid"],
      [large, "data_too_large"],
      [1n, "data_invalid"],
    ] as const) {
      await expect(server.broadcast(payload)).rejects.toMatchObject({ code });
      expect(() => server.push(client.id, payload)).toThrow(expect.objectContaining({ code }));
    }
    expect(await client.unread()).toEqual([]);
  });
});

describe("push, isEstablished, disconnect (O18)", () => {
  test("speak to one connection, of either protocol and of any app", async () => {
    const server = await start();
    const [ada, bob] = [await connectNative(server.url), await connectNative(server.url)];
    const [pusher, foreign] = [await connectPusher(server.url), await connectNative(server.url, { app: OTHER.key })];
    for (const id of [ada.id, pusher.socketId, foreign.id]) {
      expect([server.isEstablished(id), server.push(id, { event: "you", data: [1] })]).toEqual([true, true]);
    }
    expect(await ada.next()).toEqual({ event: "you", data: [1] });
    expect(await foreign.next()).toEqual({ event: "you", data: [1] });
    expect(await pusher.next()).toEqual({ event: "you", data: "[1]" });
    expect(server.app("other").push(ada.id, "x")).toBe(false);
    expect(await bob.unread()).toEqual([]);
    expect(server.disconnect(ada.id, "Time is up.")).toBe(true);
    expect(await ada.next()).toMatchObject({ event: "closing", message: "Time is up.", reconnect: "never" });
    expect((await ada.socket.closed).code).toBe(4009);
    expect(server.disconnect(pusher.socketId)).toBe(true);
    expect((await pusher.socket.closed).code).toBe(4009);
    for (const id of [ada.id, pusher.socketId, "1.1"]) {
      expect([server.isEstablished(id), server.push(id, "x"), server.disconnect(id)]).toEqual([false, false, false]);
    }
    await bob.ping();
  });

  test("in a hook for a connection, push comes after the welcome", async () => {
    const server = await start();
    server.on("open", ({ id }) => server.push(id, { event: "motd", data: "Hello" }));
    const client = await connectNative(server.url);
    expect(await client.next()).toEqual({ event: "motd", data: "Hello" });
    expect(client.socket.frames.map(({ event }) => event)).toEqual(["welcome", "motd"]);
    const pusher = await connectPusher(server.url);
    expect(await pusher.next()).toEqual({ event: "motd", data: "Hello" });
  });

  test("an event with one of the protocol's own names is marked as pushed", async () => {
    const server = await start();
    const client = await connectNative(server.url);
    server.push(client.id, { event: "closing", data: "the shop" });
    expect(await client.next()).toEqual({ event: "closing", data: "the shop", pushed: true });
  });
});

describe("getPresence, getChannelStats, getChannels (A41 to A43)", () => {
  test("say who is in a presence channel and since when", async () => {
    const server = await start();
    const [tab, other] = [await connectNative(server.url), await connectNative(server.url)];
    const pusher = await connectPusher(server.url);
    const before = Math.floor(Date.now() / 1000);
    for (const client of [tab, other]) {
      await client.subscribe("presence-a", client.permission("presence-a", { user_id: "ada", user_info: { n: 1 } }));
    }
    await pusher.subscribe("presence-a", { data: { user_id: "bob" } });
    const presence = await server.getPresence("presence-a");
    expect(presence.count()).toBe(2);
    expect([...presence]).toEqual([
      { id: "ada", info: { n: 1 }, connected_at: expect.any(Number) },
      { id: "bob", info: null, connected_at: expect.any(Number) },
    ]);
    for (const { connected_at: at } of presence) {
      expect(Number.isInteger(at)).toBe(true);
      expect(at).toBeGreaterThanOrEqual(before);
      expect(at).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000));
    }
    expect(JSON.parse(JSON.stringify(presence))).toHaveLength(2);
    await pusher.close();
    await eventually(async () => expect((await server.getPresence("presence-a")).count()).toBe(1));
    expect((await server.getPresence("chat")).count()).toBe(0);
  });

  test("say how many are in each channel, and of what kind it is", async () => {
    const server = await start();
    server.createChannel("vip", { private: true });
    const client = await connectNative(server.url);
    const pusher = await connectPusher(server.url);
    for (const one of [client, pusher]) await one.subscribe("chat");
    await pusher.subscribe("private-x");
    await client.subscribe("vip", client.permission("vip"));
    await client.subscribe("presence-a", client.permission("presence-a", { user_id: "ada" }));
    const stats = [
      { name: "chat", subscribers: 2, type: "public" },
      { name: "presence-a", subscribers: 1, type: "presence" },
      { name: "private-x", subscribers: 1, type: "private" },
      { name: "vip", subscribers: 1, type: "private" },
    ] as const;
    expect([...(await server.getChannels())].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([...stats]);
    for (const one of stats) expect(await server.getChannelStats(one.name)).toEqual(one);
    expect(await server.getChannelStats("empty")).toEqual({ name: "empty", subscribers: 0, type: "public" });
    expect(await server.getChannelStats("presence-b")).toMatchObject({ subscribers: 0, type: "presence" });
  });
});

describe("connections (A46, O18, O20, O22)", () => {
  test("know their user, are counted and walked through", async () => {
    const server = await start();
    const ada = await connectAs(server.url, "ada", { info: { name: "Ada" } });
    const guest = await connectPusher(server.url);
    expect(server.connections.getUserInfo(ada.id)).toMatchObject({ id: "ada", info: { name: "Ada" } });
    expect(server.connections.getUserInfo(guest.socketId)).toBeUndefined();
    expect(server.connections.getUserInfo("1.1")).toBeUndefined();
    expect(server.connections.count()).toBe(2);
    for (const { id } of server.connections) server.push(id, { event: "each", data: 1 });
    expect((await ada.next("each")).data).toBe(1);
    expect((await guest.next("each")).data).toBe("1");
  });

  test("a table of the program's own follows them by hooks, as the guide shows", async () => {
    const server = await start();
    const table = new Map<string, { name: string }>();
    server.on("open", ({ id }) => table.set(id, { name: "guest" }));
    server.on("close", ({ id }) => table.delete(id));
    server.handle("rename", ({ id }, name) => table.set(id, { name: String(name) }).size);
    const [ada, pusher] = [await connectNative(server.url), await connectPusher(server.url)];
    expect((await ada.ask("rename", "Ada")).data).toBe(2);
    expect([table.get(ada.id)?.name, table.get(pusher.socketId)?.name]).toEqual(["Ada", "guest"]);
    await ada.close();
    await pusher.close();
    await eventually(() => expect(table.size).toBe(0));
  });
});
