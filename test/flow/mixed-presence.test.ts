/** Both protocols in the same channels: pusher-js and native clients see each other, and what is said to a user reaches both. */

import { afterAll, expect, test } from "bun:test";
import Pusher from "pusher-js";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative, makeToken } from "../support/native-client.ts";
import { channelAuth, connectPusher, signedFetch, userAuth } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const server = await startServer({}, { anonymous: true, subscriptionCounts: true });
const clients: Pusher[] = [];
afterAll(() => {
  for (const client of clients) client.disconnect();
});

interface PusherMember {
  readonly id: string;
  readonly info: unknown;
}

/** The official client, with an authorizer in place of a back end. */
function pusherJs(user: string, info: object): Pusher {
  const userData = JSON.stringify({ id: user, user_info: info });
  const client = new Pusher(APP.key, {
    cluster: "",
    wsHost: "127.0.0.1",
    wsPort: server.port,
    forceTLS: false,
    disableStats: true,
    enabledTransports: ["ws"],
    channelAuthorization: {
      transport: "ajax",
      endpoint: "",
      customHandler: ({ socketId, channelName }, callback) => {
        const channel_data = JSON.stringify({ user_id: user, user_info: info });
        callback(null, { auth: channelAuth(APP, socketId, channelName, channel_data), channel_data });
      },
    },
    userAuthentication: {
      transport: "ajax",
      endpoint: "",
      customHandler: ({ socketId }, callback) => {
        callback(null, { auth: userAuth(APP, socketId, userData), user_data: userData });
      },
    },
  });
  clients.push(client);
  return client;
}

function heard<T>(
  target: { bind(event: string, callback: (data: T, meta?: unknown) => void): unknown },
  event: string,
) {
  return new Promise<T>((resolve) => target.bind(event, resolve));
}

test("a pusher-js and a native client in one presence channel see each other come, speak and go", async () => {
  const ada = await connectAs(server.url, "ada", { info: { name: "Ada" }, channels: ["presence-*"] });
  await ada.subscribe("presence-both");
  const bob = pusherJs("bob", { name: "Bob" });
  const room = bob.subscribe("presence-both");
  const { members, myID } = await heard<{ members: object; myID: string }>(room, "pusher:subscription_succeeded");
  expect(members).toEqual({ ada: { name: "Ada" }, bob: { name: "Bob" } });
  expect(myID).toBe("bob");
  expect((await ada.next()).data).toEqual({ user: { id: "bob", info: { name: "Bob" } } });

  const typed = new Promise((resolve) => {
    room.bind("client-typing", (data: unknown, meta: unknown) => resolve([data, meta]));
  });
  ada.send("publish", { channel: "presence-both", event: "client-typing", data: { on: true } });
  expect(await typed).toEqual([{ on: true }, { user_id: "ada" }]);
  room.trigger("client-typing", { on: false });
  expect(await ada.next()).toEqual({
    event: "client-typing",
    channel: "presence-both",
    data: { on: false },
    user: "bob",
  });

  const said = new Promise((resolve) => {
    room.bind("fanfare:member_updated", (data: unknown, meta: unknown) => resolve([data, meta]));
  });
  await ada.ask("presence", { channel: "presence-both", state: { cursor: [1, 2] } });
  expect(await said).toEqual([{ user_id: "ada", state: { cursor: [1, 2] } }, { user_id: "ada" }]);
  await ada.unread();

  const added = heard<PusherMember>(room, "pusher:member_added");
  const cyd = await connectAs(server.url, "cyd", { info: { name: "Cyd" }, channels: ["presence-*"] });
  await cyd.subscribe("presence-both");
  expect(await added).toEqual({ id: "cyd", info: { name: "Cyd" } });
  const removed = heard<PusherMember>(room, "pusher:member_removed");
  await cyd.close();
  expect(await removed).toEqual({ id: "cyd", info: { name: "Cyd" } });
  bob.disconnect();
  await ada.next(({ event, data }) => event === "member_removed" && JSON.stringify(data).includes("bob"));
});

test("one user with a connection of each protocol is one member", async () => {
  const watcher = await connectAs(server.url, "watcher", { channels: ["presence-*"] });
  await watcher.subscribe("presence-one");
  const native = await connectAs(server.url, "ada", { info: { by: "token" }, channels: ["presence-*"] });
  await native.subscribe("presence-one");
  const pusher = await connectPusher(server.url);
  await pusher.subscribe("presence-one", { data: { user_id: "ada", user_info: { by: "signature" } } });
  expect(await server.members("presence-one")).toMatchObject([{ id: "watcher" }, { id: "ada", info: { by: "token" } }]);
  await native.close();
  await pusher.ping();
  expect((await watcher.unread()).map(({ event }) => event)).toEqual(["member_added"]);
  await pusher.close();
  await watcher.next("member_removed");
});

test("what is said to a user reaches all connections of that user, and nobody else (A39)", async () => {
  const native = await connectAs(server.url, "eve");
  const late = await connectNative(server.url);
  await late.ask("authenticate", { token: await makeToken({ sub: "eve" }) });
  const pusher = pusherJs("eve", {});
  const signedIn = heard(pusher, "pusher:signin_success");
  pusher.signin();
  await signedIn;
  // pusher-js subscribes to the user's channel by itself, a moment later.
  const subscribers = () => [...server.connections].filter((connection) => connection.isIn("#server-to-user-eve"));
  await eventually(() => expect(subscribers()).toHaveLength(3));
  const stranger = await connectAs(server.url, "mallory");

  const toPusher = new Promise((resolve) => pusher.user.bind("paid", resolve));
  await server.toUser("eve").push({ event: "paid", data: { sum: 7 } });
  expect(await toPusher).toEqual({ sum: 7 });
  for (const client of [native, late]) expect(await client.next()).toEqual({ event: "paid", data: { sum: 7 } });

  const bare = new Promise((resolve) => pusher.user.bind("message", resolve));
  await server.toUser("eve").push({ unread: 3 });
  expect(await bare).toEqual({ unread: 3 });
  for (const client of [native, late]) expect(await client.next()).toEqual({ event: "(no event)", unread: 3 });
  expect(await stranger.unread()).toEqual([]);
});

test("terminating a user ends its connections of both protocols, for good", async () => {
  const native = await connectAs(server.url, "zed");
  const pusher = await connectPusher(server.url);
  await pusher.signin({ id: "zed" });
  const response = await signedFetch(server.url, APP, "POST", "/users/zed/terminate_connections", { body: {} });
  expect(response.status).toBe(200);
  expect(await native.next("closing")).toMatchObject({ code: "terminated", reconnect: "never" });
  expect((await native.socket.closed).code).toBe(4009);
  expect((await pusher.socket.closed).code).toBe(4009);
});

test("subscription counts count both", async () => {
  const native = await connectNative(server.url);
  await native.subscribe("sum");
  expect((await native.next("subscription_count")).data).toEqual({ count: 1 });
  const pusher = await connectPusher(server.url);
  await pusher.subscribe("sum");
  expect((await native.next("subscription_count")).data).toEqual({ count: 2 });
  expect((await pusher.next("pusher_internal:subscription_count")).data).toBe('{"subscription_count":2}');
});

test("a watchlist tells of users of both protocols", async () => {
  const native = await connectAs(server.url, "n1", { watchlist: ["p1"] });
  expect((await native.next("watchlist")).data).toEqual({ online: [], offline: ["p1"] });
  const pusher = await connectPusher(server.url);
  await pusher.signin({ id: "p1", watchlist: ["n1", "n2"] });
  const watched = await pusher.next("pusher_internal:watchlist_events");
  expect(JSON.parse(String(watched.data))).toEqual({
    events: [
      { name: "online", user_ids: ["n1"] },
      { name: "offline", user_ids: ["n2"] },
    ],
  });
  expect((await native.next("watchlist")).data).toEqual({ online: ["p1"], offline: [] });
  await pusher.close();
  expect((await native.next("watchlist")).data).toEqual({ online: [], offline: ["p1"] });
});
