/** What a program sees of its apps: channels, members, connections; and that no app sees another's (scenario 57). */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative, makeToken } from "../support/native-client.ts";
import { channelAuth, connectPusher, signedFetch, trigger } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const OTHER = { id: "other", key: "other-key", secret: "other-secret", anonymous: true, clientEvents: true };

describe("channels and members", () => {
  test("are those that have subscribers, with how many", async () => {
    const server = await startServer({}, { anonymous: true });
    const [ada, tab] = [await connectNative(server.url), await connectNative(server.url)];
    const pusher = await connectPusher(server.url);
    expect(await server.channels()).toEqual([]);
    await ada.subscribe("chat.1");
    await pusher.subscribe("chat.1");
    await ada.subscribe("private-a", ada.permission("private-a"));
    for (const client of [ada, tab]) {
      await client.subscribe("presence-a", client.permission("presence-a", { user_id: "ada", user_info: { n: 1 } }));
    }
    await pusher.subscribe("presence-a", { data: { user_id: "bob" } });
    const found = await server.channels();
    expect(Object.fromEntries(found.map(({ name, ...rest }) => [name, rest]))).toEqual({
      "chat.1": { type: "public", subscribers: 2 },
      "private-a": { type: "private", subscribers: 1 },
      "presence-a": { type: "presence", subscribers: 3, users: 2 },
    });
    expect(await server.channels("presence-")).toMatchObject([{ name: "presence-a" }]);
    expect(await server.channels("nothing")).toEqual([]);
    expect(await server.channel("chat.1").info()).toEqual({ name: "chat.1", type: "public", subscribers: 2 });
    expect(await server.channel("chat").info()).toBeUndefined();
    const members = await server.members("presence-a");
    expect(members).toEqual([
      { id: "ada", info: { n: 1 }, joinedAtMs: expect.any(Number) },
      { id: "bob", info: null, joinedAtMs: expect.any(Number) },
    ]);
    expect(Math.abs(Date.now() - (members[0]?.joinedAtMs ?? 0))).toBeLessThan(60_000);
    expect(await server.members("chat.1")).toEqual([]);
    for (const client of [ada, tab, pusher]) await client.close();
    await eventually(async () => expect(await server.channels()).toEqual([]));
    expect(await server.members("presence-a")).toEqual([]);
  });

  test("leave out the channels of users, and the server's own", async () => {
    const server = await startServer();
    const ada = await connectAs(server.url, "ada", { watchlist: ["bob"] });
    await ada.next("watchlist");
    expect(await server.channels()).toEqual([]);
    expect(await server.channels("#")).toEqual([]);
  });
});

describe("connections", () => {
  test("are counted, found by id, and walked through", async () => {
    const server = await startServer({}, { anonymous: true });
    expect([server.connections.count(), [...server.connections]]).toEqual([0, []]);
    const [native, pusher] = [await connectAs(server.url, "ada"), await connectPusher(server.url)];
    await native.subscribe("c");
    expect(server.connections.count()).toBe(2);
    expect([...server.connections].map(({ id }) => id).sort()).toEqual([native.id, pusher.socketId].sort());
    const found = server.connections.get(native.id);
    expect([found?.user?.id, found?.protocol.name, found?.isIn("c"), found?.isIn("d")]).toEqual([
      "ada",
      "native",
      true,
      false,
    ]);
    expect(found?.address).toBe("127.0.0.1");
    expect(server.connections.get("1.1")).toBeUndefined();
    await native.close();
    await eventually(() => expect(server.connections.count()).toBe(1));
    expect(server.connections.get(native.id)).toBeUndefined();
  });
});

describe("several apps (B8)", async () => {
  const server = await startServer({ apps: [{ ...APP, anonymous: true }, OTHER] });
  const [mine, theirs] = [server.app(APP.id), server.app(OTHER.key)];

  test("are found by id or key, the first without either, and others not at all", () => {
    expect([server.app().app.id, mine.app.id, theirs.app.id]).toEqual([APP.id, APP.id, OTHER.id]);
    expect(() => server.app("nobody")).toThrow('There is no app "nobody".');
    expect(server.apps.map(({ id }) => id)).toEqual([APP.id, OTHER.id]);
  });

  test("hear nothing of each other in channels of the same name", async () => {
    const [a, b] = [await connectNative(server.url), await connectNative(server.url, { app: OTHER.key })];
    const [pa, pb] = [await connectPusher(server.url), await connectPusher(server.url, { app: OTHER })];
    for (const client of [a, b, pa, pb]) await client.subscribe("same");
    await mine.toChannel("same").push({ event: "e", data: "mine" });
    await theirs.toChannel("same").push({ event: "e", data: "theirs" });
    await trigger(server.url, APP, { name: "e", channel: "same", data: "mine too" });
    for (const client of [a, pa]) {
      expect([(await client.next("e")).data, (await client.next("e")).data]).toEqual(["mine", "mine too"]);
    }
    for (const client of [b, pb]) expect((await client.next("e")).data).toBe("theirs");
    for (const client of [a, b, pa, pb]) await client.ping();
    for (const client of [a, b, pa, pb]) expect(client.socket.unread).toEqual([]);
    expect(await theirs.channel("same").info()).toMatchObject({ subscribers: 2 });
  });

  test("hear nothing of each other's users and members of the same name", async () => {
    const token = await makeToken({ sub: "ada", channels: ["presence-*"] }, OTHER.secret);
    const a = await connectAs(server.url, "ada", { channels: ["presence-*"], watchlist: ["bob"] });
    const b = await connectNative(server.url, { app: OTHER.key, token });
    await a.next("watchlist");
    await a.subscribe("presence-same");
    await b.subscribe("presence-same");
    expect(await mine.members("presence-same")).toMatchObject([{ id: "ada" }]);
    const bob = await connectNative(server.url, {
      app: OTHER.key,
      token: await makeToken({ sub: "bob" }, OTHER.secret),
    });
    await theirs.toUser("ada").push({ event: "private", data: 1 });
    expect((await b.next("private")).data).toBe(1);
    expect(await a.unread()).toEqual([]);
    await theirs.terminate("ada");
    expect((await b.socket.closed).code).toBe(4009);
    await a.ping();
    await bob.ping();
  });

  test("cannot leave out, read, publish to or enter what is another's", async () => {
    const b = await connectNative(server.url, { app: OTHER.key });
    await b.subscribe("theirs");
    await mine.toChannel("theirs").push({ event: "e", data: "from outside" });
    await theirs.toChannel("theirs").except(b.id).push({ event: "e", data: "left out" });
    await theirs.toChannel("theirs").push({ event: "e", data: "last" });
    expect((await b.next("e")).data).toBe("last");
    expect(mine.connections.get(b.id)).toBeUndefined();
    expect(await mine.channel("theirs").info()).toBeUndefined();
    const status = async (keys: typeof APP | typeof OTHER, app: string) =>
      (await signedFetch(server.url, keys, "GET", `/apps/${app}/channels`)).status;
    expect(await status(APP, APP.id)).toBe(200);
    expect([await status(APP, OTHER.id), await status(OTHER, APP.id)]).toEqual([401, 401]);
    const auth = channelAuth(APP, b.id, "private-x");
    expect((await b.ask("subscribe", { channel: "private-x", auth })).code).toBe("signature_invalid");
    const foreign = { auth: auth.replace(APP.key, OTHER.key) };
    expect((await b.ask("subscribe", { channel: "private-x", ...foreign })).code).toBe("signature_invalid");
  });
});
