/** What comparable servers got wrong, each as a sentence that has to hold here. The numbers are those of our list of their defects. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectPusher, type PusherTestClient, signedFetch, trigger } from "../support/pusher-client.ts";
import { connectRawWebSocket } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";

const server = await startServer({}, { subscriptionCounts: true });
const { url } = server;

const connect = () => connectPusher(url);
const SECOND = { data: { user_id: "2" } };

async function api(method: string, path: string, body?: unknown): Promise<string> {
  const response = await signedFetch(url, APP, method, path, body === undefined ? {} : { body });
  return `${response.status} ${await response.text()}`;
}

/** Every frame that came up to now, as text. */
async function framesOf(client: PusherTestClient): Promise<unknown[]> {
  await client.ping();
  return client.socket.raw.slice(1, -1);
}

describe("users", () => {
  test("1: a watchlist is told as pusher_internal:watchlist_events, data a string, no channel", async () => {
    const client = await connect();
    await client.signin({ id: "watcher-1", watchlist: ["watched-1"] });
    const watched = await connect();
    await watched.signin({ id: "watched-1" });
    await client.next(({ data }) => String(data).includes("online"));
    expect((await framesOf(client)).slice(1)).toEqual([
      '{"event":"pusher_internal:watchlist_events","data":"{\\"events\\":[{\\"name\\":\\"offline\\",\\"user_ids\\":[\\"watched-1\\"]}]}"}',
      '{"event":"pusher_internal:watchlist_events","data":"{\\"events\\":[{\\"name\\":\\"online\\",\\"user_ids\\":[\\"watched-1\\"]}]}"}',
    ]);
  });

  test("4, 18: signing in succeeds with a string that holds user_data as it was signed", async () => {
    const client = await connect();
    await client.signin('{"id" : 42}');
    expect(await framesOf(client)).toEqual([
      '{"event":"pusher:signin_success","data":"{\\"user_data\\":\\"{\\\\\\"id\\\\\\" : 42}\\"}"}',
    ]);
    await client.subscribe("#server-to-user-42");
    await trigger(url, APP, { name: "note", channel: "#server-to-user-42", data: "x" });
    expect((await client.next("note")).data).toBe("x");
  });

  test("4: signing in again as the same user is fine, as another is refused and changes nothing", async () => {
    const client = await connect();
    await client.signin({ id: "first" });
    expect((await client.signin({ id: "first" })).event).toBe("pusher:signin_success");
    const refusal = await client.signin({ id: "second" });
    expect(refusal).toMatchObject({ event: "pusher:error", data: { code: 4009 } });
    await expect(client.subscribe("#server-to-user-second")).rejects.toThrow("unauthorized");
    await client.subscribe("#server-to-user-first");
  });

  test("18: the channel of a user is for connections signed in as that user only", async () => {
    const client = await connect();
    await expect(client.subscribe("#server-to-user-42")).rejects.toThrow("AuthError");
    await client.signin({ id: "4" });
    await expect(client.subscribe("#server-to-user-42")).rejects.toThrow("AuthError");
  });

  test("22: terminating reaches who is signed in, in whatever channel, and who is the user in a presence channel", async () => {
    const [signedIn, member, other] = [await connect(), await connect(), await connect()];
    await signedIn.signin({ id: "same" });
    await member.subscribe("presence-22", { data: { user_id: "same" } });
    await other.subscribe("presence-22", { data: { user_id: "other" } });
    const reached = '200 {"connections":2,"nodes_missing":0}';
    expect(await api("POST", "/users/same/terminate_connections", {})).toBe(reached);
    for (const { socket } of [signedIn, member]) expect((await socket.closed).code).toBe(4009);
    await other.ping();
  });
});

describe("channels", () => {
  test("2: subscribers are told how many they are, and presence channels have their members for that", async () => {
    const [first, second] = [await connect(), await connect()];
    await first.subscribe("counted");
    await second.subscribe("counted");
    await first.next(({ data }) => data === '{"subscription_count":2}');
    const count = (n: number) =>
      `{"event":"pusher_internal:subscription_count","channel":"counted","data":"{\\"subscription_count\\":${n}}"}`;
    expect((await framesOf(first)).slice(1)).toEqual([count(1), count(2)]);
    await first.subscribe("presence-2", SECOND);
    await first.subscribe("presence-2b", SECOND);
    expect(
      (await framesOf(first)).filter(
        (frame) => String(frame).includes("_count\\") && String(frame).includes("presence-2"),
      ),
    ).toEqual([]);
  });

  test.each(["my-cache-x", "private-my-cache-x", "presence-x-cache-y"])(
    "5: cache- in the middle of %s is only a name",
    async (name) => {
      const client = await connect();
      await trigger(url, APP, { name: "e", channel: name, data: "1" });
      await client.subscribe(name, name.startsWith("presence-") ? SECOND : {});
      const events = (await framesOf(client)).map((frame) => JSON.parse(String(frame)).event);
      expect(events).not.toContain("pusher:cache_miss");
      expect(events).not.toContain("e");
    },
  );

  test("11: private- and presence- in the middle of a name ask for no permission, and give none of their rights", async () => {
    const [client, other] = [await connect(), await connect()];
    for (const name of ["my-private-x", "my-presence-x", "Private-x"]) {
      expect(await client.subscribe(name)).toEqual({});
      await other.subscribe(name);
      client.send("client-x", {}, name);
      expect((await client.next("pusher:error")).data).toMatchObject({ code: null });
    }
    await other.ping();
    expect(other.socket.unread.filter(({ event }) => event === "client-x")).toEqual([]);
  });

  test("14: subscription_succeeded always has data", async () => {
    const client = await connect();
    await client.subscribe("public-14");
    await client.subscribe("private-14");
    const frames = (await framesOf(client)).filter((frame) => String(frame).includes("succeeded"));
    expect(frames).toEqual([
      '{"event":"pusher_internal:subscription_succeeded","channel":"public-14","data":"{}"}',
      '{"event":"pusher_internal:subscription_succeeded","channel":"private-14","data":"{}"}',
    ]);
  });

  test("25: a presence channel counts users, not connections", async () => {
    const [one, two, three] = [await connect(), await connect(), await connect()];
    await one.subscribe("presence-25", { data: { user_id: "1" } });
    await two.subscribe("presence-25", { data: { user_id: 1 } });
    expect(await three.subscribe("presence-25", SECOND)).toEqual({
      presence: { count: 2, ids: ["1", "2"], hash: { "1": null, "2": null } },
    });
  });

  test("10: a subscription that is refused is told so, with its channel and a status", async () => {
    const client = await connect();
    client.sendSubscribe("private-10", { auth: `${APP.key}:${"0".repeat(64)}` });
    const { channel, data } = await client.next("pusher:subscription_error");
    expect(channel).toBe("private-10");
    expect(JSON.parse(String(data))).toMatchObject({ type: "AuthError", status: 401 });
  });

  test("soketi 177: a permission for a private channel may carry data, which is signed with it", async () => {
    const client = await connect();
    expect(await client.subscribe("private-177", { data: { user_id: "1" } })).toEqual({});
  });
});

describe("client events", () => {
  test("3: in a presence channel they carry the sender's user_id, whatever the sender says", async () => {
    const [ada, bob] = [await connect(), await connect()];
    await ada.subscribe("presence-3", { data: { user_id: "ada" } });
    await bob.subscribe("presence-3", { data: { user_id: "bob" } });
    ada.socket.send({ event: "client-x", channel: "presence-3", data: "{}", user_id: "root" });
    await bob.next("client-x");
    expect(bob.socket.raw.at(-1)).toBe('{"event":"client-x","channel":"presence-3","data":"{}","user_id":"ada"}');
  });

  test("11: an event with client- in the middle of its name is none", async () => {
    const client = await connect();
    await client.subscribe("private-11");
    client.send("my-client-x", {}, "private-11");
    expect((await client.next("pusher:error")).data).toEqual({
      code: null,
      message: expect.stringContaining("my-client-x"),
    });
  });

  test.each(["public-12", "private-encrypted-12"])(
    "12, 21, 24: they are refused in %s, and the sender is told",
    async (name) => {
      const [sender, other] = [await connect(), await connect()];
      for (const client of [sender, other]) await client.subscribe(name);
      sender.send("client-x", {}, name);
      expect((await sender.next("pusher:error")).data).toMatchObject({ code: null });
      await trigger(url, APP, { name: "end", channel: name, data: "" });
      await other.next("end");
      expect(other.socket.frames.filter(({ event }) => event === "client-x")).toEqual([]);
    },
  );

  test("12, 24: they are refused where the sender is not subscribed, and the sender is told", async () => {
    const [sender, member] = [await connect(), await connect()];
    await member.subscribe("private-24");
    sender.send("client-x", {}, "private-24");
    expect((await sender.next("pusher:error")).data).toMatchObject({ code: null });
    await trigger(url, APP, { name: "end", channel: "private-24", data: "" });
    await member.next("end");
    expect(member.socket.frames.filter(({ event }) => event === "client-x")).toEqual([]);
  });

  test("21: their data may be text as well as an object, and arrives as text", async () => {
    const [sender, other] = [await connect(), await connect()];
    for (const client of [sender, other]) await client.subscribe("private-21");
    for (const data of ["plain", { x: 1 }, '{"x" : 1}', [1]]) sender.send("client-x", data, "private-21");
    const heard = [];
    for (let n = 0; n < 4; n++) heard.push((await other.next("client-x")).data);
    expect(heard).toEqual(["plain", '{"x":1}', '{"x" : 1}', "[1]"]);
  });
});

describe("the connection", () => {
  test("6: pings and pongs have data", async () => {
    const client = await connect();
    client.send("pusher:ping", {});
    await client.next("pusher:pong");
    expect(client.socket.raw.at(-1)).toBe('{"event":"pusher:pong","data":"{}"}');
  });

  test("17, 25: an error has an object for data, and one that ends the connection does end it", async () => {
    const client = await connect();
    client.socket.send("not JSON");
    expect((await client.next("pusher:error")).data).toEqual({ code: null, message: "The message is not JSON." });
    await client.ping();
    const dead = await connectPusher(url).then(async (each) => {
      await each.signin({ id: "ended" });
      await server.app().terminate("ended");
      return each.socket;
    });
    expect((await dead.closed).code).toBe(4009);
    expect(dead.frames.at(-1)?.data).toEqual({ code: 4009, message: expect.any(String) });
  });

  test("19: one that subscribes to nothing is counted, asked for a sign of life, and closed without one", async () => {
    const curious = await startServer({ activityTimeoutS: 1, pongTimeoutS: 0.5 });
    const idle = await connectRawWebSocket(curious.url, `/app/${APP.key}?protocol=7`);
    expect(curious.connections.count()).toBe(1);
    expect(await idle.ending(10_000)).toBe(4201);
    const texts = idle.frames.map(({ payload }) => payload.toString());
    expect(texts).toContain('{"event":"pusher:ping","data":"{}"}');
    await eventually(() => expect(curious.connections.count()).toBe(0));
  }, 15_000);
});

describe("the HTTP API", () => {
  test("6: POST /events is answered {} and nothing else", async () => {
    expect(await api("POST", "/events", { name: "e", channel: "c", data: "" })).toBe("200 {}");
  });

  test("13, 23, 25: a call that was signed eleven minutes ago is refused with 401", async () => {
    const timestamp = Math.floor(Date.now() / 1000) - 660;
    const response = await signedFetch(url, APP, "GET", "/channels", { tamper: { timestamp } });
    expect([response.status, (await response.json()).error]).toEqual([401, expect.stringContaining("auth_timestamp")]);
  });

  test("16: trigger answers info where it is asked", async () => {
    const client = await connect();
    await client.subscribe("presence-16", SECOND);
    const event = { name: "e", channels: ["presence-16"], data: "", info: "user_count,subscription_count" };
    expect(await api("POST", "/events", event)).toBe(
      '200 {"channels":{"presence-16":{"user_count":1,"subscription_count":1}}}',
    );
  });

  test("23: a batch without info is answered {}", async () => {
    expect(await api("POST", "/batch_events", { batch: [{ name: "e", channel: "c", data: "" }] })).toBe("200 {}");
  });

  test("25: a channel that nobody is in is answered 200, not occupied", async () => {
    expect(await api("GET", "/channels/nobody-here")).toBe('200 {"occupied":false}');
  });
});
