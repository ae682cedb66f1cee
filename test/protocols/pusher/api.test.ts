/** The Pusher HTTP API over real HTTP: each route, its body and its status, to the byte. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { type CallOptions, connectPusher, signedFetch, signedUrl } from "../../support/pusher-client.ts";
import { APP, type AppKeys, startServer } from "../../support/server.ts";

const OTHER: AppKeys = { id: "other", key: "other-key", secret: "other-secret" };
const CLOSED: AppKeys = { id: "closed", key: "closed-key", secret: "closed-secret" };

const server = await startServer({
  apps: [
    { ...APP, limits: { eventDataBytes: 1024 }, channels: [{ match: "cache-brief", cacheTtlS: 0.05 }] },
    OTHER,
    { ...CLOSED, enabled: false },
  ],
});

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function call(method: string, path: string, options: CallOptions = {}, app: AppKeys = APP): Promise<Answer> {
  const response = await signedFetch(server.url, app, method, path, options);
  expect(response.headers.get("content-type")).toStartWith("application/json");
  return { status: response.status, text: await response.text() };
}

const get = (path: string, query: Record<string, string> = {}) => call("GET", path, { query });
const post = (path: string, body: unknown) => call("POST", path, { body });
const ok = (body: unknown): Answer => ({ status: 200, text: JSON.stringify(body) });
const event = (more: object = {}) => ({ name: "e", channel: "c", data: "{}", ...more });

/** Connections in the channel: one for each user of a presence channel. */
async function occupy(channel: string, ...users: string[]): Promise<void> {
  for (const user of users) {
    const client = await connectPusher(server.url);
    await client.subscribe(channel, channel.startsWith("presence-") ? { data: { user_id: user } } : {});
  }
}

describe("POST /events", () => {
  test.each([
    ["channels", { channels: ["c"] }],
    ["channel", { channel: "c" }],
    ["100 channels", { channels: Array.from({ length: 100 }, (_, n) => `c-${n}`) }],
    ["data that is an object", { channel: "c", data: { a: 1 } }],
    ["data that is null", { channel: "c", data: null }],
    ["nulls for what is not there", { channels: null, channel: "c", socket_id: null, info: null }],
    ["a client event's name", { channel: "c", name: "client-x" }],
    ["a user's own channel", { channel: "#server-to-user-ada" }],
    ["fields nobody knows", { channel: "c", later: [1] }],
  ])("with %s is answered {}", async (_, body) => {
    expect(await post("/events", { name: "e", data: "{}", ...body })).toEqual(ok({}));
  });

  test("delivers text as it is, and anything else as its JSON", async () => {
    const client = await connectPusher(server.url);
    await client.subscribe("texts");
    for (const data of ['{"a" : 1}', "plain", "", { a: 1 }, [1], 0, null]) {
      await post("/events", { name: "e", channel: "texts", data });
      const text = typeof data === "string" ? data : JSON.stringify(data);
      await client.next("e");
      expect(client.socket.raw.at(-1)).toBe(`{"event":"e","channel":"texts","data":${JSON.stringify(text)}}`);
    }
  });

  test("leaves out the connection of socket_id", async () => {
    const [left, reached] = [await connectPusher(server.url), await connectPusher(server.url)];
    for (const client of [left, reached]) await client.subscribe("excluding");
    await post("/events", event({ channel: "excluding", name: "first", socket_id: left.socketId }));
    await post("/events", event({ channel: "excluding", name: "second" }));
    expect([(await reached.next()).event, (await reached.next()).event]).toEqual(["first", "second"]);
    expect((await left.next()).event).toBe("second");
  });

  test("with info tells of each channel what it has", async () => {
    await occupy("presence-told", "1", "1", "2");
    await occupy("told", "x");
    const channels = ["presence-told", "told", "told-empty"];
    expect(await post("/events", { name: "e", data: "", channels, info: "user_count,subscription_count" })).toEqual(
      ok({
        channels: {
          "presence-told": { user_count: 2, subscription_count: 3 },
          told: { subscription_count: 1 },
          "told-empty": { subscription_count: 0 },
        },
      }),
    );
  });

  test.each([
    ["no channel", { channel: undefined }, 400],
    ["an empty list of channels", { channel: undefined, channels: [] }, 400],
    ["101 channels", { channels: Array.from({ length: 101 }, () => "c") }, 400],
    ["an encrypted channel among several", { channels: ["private-encrypted-c", "c"] }, 400],
    ["a channel that is no name", { channel: "no name" }, 400],
    ["a channel of the server's own use", { channel: "#online-ada" }, 400],
    ["a channel name that is too long", { channel: "c".repeat(201) }, 400],
    ["no name", { name: undefined }, 400],
    ["a name that is a number", { name: 1 }, 400],
    ["an empty name", { name: "" }, 400],
    ["a name that is too long", { name: "e".repeat(201) }, 400],
    ["the protocol's own name", { name: "pusher:error" }, 400],
    ["the protocol's inner name", { name: "pusher_internal:member_added" }, 400],
    ["a name of the client libraries'", { name: "fanfare:gap" }, 400],
    ["no data", { data: undefined }, 400],
    ["a socket_id that is none", { socket_id: "1.2.3" }, 400],
    ["an info that is unknown", { info: "colour" }, 400],
    ["data that is too large", { data: "x".repeat(1025) }, 413],
    ["data whose bytes are too many", { data: "é".repeat(513) }, 413],
  ])("with %s is refused", async (_, more, status) => {
    const answer = await post("/events", event(more));
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toEqual({ error: expect.any(String), code: expect.any(String) });
  });

  test.each(["", "null", "[]", "1", "{", '"text"', '{"name":"e"}'])(
    "with the body %p is refused with 400",
    async (body) => {
      expect((await post("/events", body)).status).toBe(400);
    },
  );

  test("sends nothing when one of its channels is refused", async () => {
    const client = await connectPusher(server.url);
    await client.subscribe("whole");
    expect((await post("/events", { name: "half", data: "", channels: ["whole", "no name"] })).status).toBe(400);
    await post("/events", event({ channel: "whole", name: "all" }));
    expect((await client.next()).event).toBe("all");
  });
});

describe("POST /batch_events", () => {
  test("is answered {} without info, and by a list in its order with it", async () => {
    await occupy("presence-batch", "1", "2");
    const batch = [event({ channel: "presence-batch" }), event()];
    expect(await post("/batch_events", { batch })).toEqual(ok({}));
    const asking = [
      event({ info: "subscription_count" }),
      event(),
      event({ channel: "presence-batch", info: "user_count" }),
    ];
    expect(await post("/batch_events", { batch: asking })).toEqual(
      ok({ batch: [{ subscription_count: 0 }, {}, { user_count: 2 }] }),
    );
    expect(await post("/batch_events", { batch: [] })).toEqual(ok({}));
  });

  test("takes ten events and refuses eleven, with nothing sent", async () => {
    const client = await connectPusher(server.url);
    await client.subscribe("ten");
    const batch = Array.from({ length: 11 }, (_, n) => event({ channel: "ten", name: `e${n}` }));
    expect((await post("/batch_events", { batch })).status).toBe(400);
    expect(await post("/batch_events", { batch: batch.slice(1) })).toEqual(ok({}));
    expect((await client.next()).event).toBe("e1");
  });

  test.each([
    ["no batch", {}, 400],
    ["a batch that is no list", { batch: {} }, 400],
    ["an event with several channels", { batch: [{ name: "e", data: "", channels: ["c"] }] }, 400],
    ["an event without data", { batch: [event(), event({ data: undefined })] }, 400],
    ["a reserved name", { batch: [event({ name: "pusher:ping" })] }, 400],
    ["data that is too large", { batch: [event({ data: "x".repeat(1025) })] }, 413],
  ])("with %s is refused", async (_, body, status) => {
    expect((await post("/batch_events", body)).status).toBe(status);
  });
});

describe("GET /channels", () => {
  test("lists those of this app that somebody is in, by prefix, and no channel of the server's own", async () => {
    await occupy("presence-list-a", "1", "1", "2");
    await occupy("presence-list-b", "1");
    await occupy("list-c", "x");
    const filter_by_prefix = "presence-list-";
    expect(await get("/channels", { filter_by_prefix })).toEqual(
      ok({ channels: { "presence-list-a": {}, "presence-list-b": {} } }),
    );
    expect(await get("/channels", { filter_by_prefix, info: "user_count" })).toEqual(
      ok({ channels: { "presence-list-a": { user_count: 2 }, "presence-list-b": { user_count: 1 } } }),
    );
    expect(await get("/channels", { filter_by_prefix: "list-", info: "subscription_count" })).toEqual(
      ok({ channels: { "list-c": { subscription_count: 1 } } }),
    );
    const client = await connectPusher(server.url);
    await client.signin({ id: "listed" });
    await client.subscribe("#server-to-user-listed");
    expect(await get("/channels", { filter_by_prefix: "#" })).toEqual(ok({ channels: {} }));
    expect(Object.keys(JSON.parse((await get("/channels")).text).channels)).toContain("list-c");
    expect(await call("GET", "/channels", {}, OTHER)).toEqual(ok({ channels: {} }));
  });

  test("lists thousands of channels, each once, with what was asked for", async () => {
    const client = await connectPusher(server.url);
    const names = Array.from({ length: 2_100 }, (_, n) => `thousands-${n}`);
    for (const channel of names) client.socket.send({ event: "pusher:subscribe", data: { channel } });
    await eventually(async () => {
      const { text } = await get("/channels", { filter_by_prefix: "thousands-", info: "subscription_count" });
      expect(JSON.parse(text)).toEqual({
        channels: Object.fromEntries(names.map((name) => [name, { subscription_count: 1 }])),
      });
    });
    await client.close();
  }, 60_000);

  test.each([
    ["user_count without a prefix", { info: "user_count" }],
    ["user_count with a prefix of other channels too", { info: "user_count", filter_by_prefix: "pre" }],
    ["an unknown attribute", { info: "colour" }],
  ])("with %s is refused with 400", async (_, query) => {
    expect((await get("/channels", query)).status).toBe(400);
  });
});

describe("GET /channels/{name}", () => {
  test("says whether it is occupied, and what else is asked", async () => {
    await occupy("presence-one", "1", "1", "2");
    expect(await get("/channels/presence-one")).toEqual(ok({ occupied: true }));
    expect(await get("/channels/presence-one", { info: "user_count,subscription_count" })).toEqual(
      ok({ occupied: true, user_count: 2, subscription_count: 3 }),
    );
  });

  test("answers 200 for a channel nobody is in: the occupied status is always reported", async () => {
    expect(await get("/channels/never-seen")).toEqual(ok({ occupied: false }));
    expect(await get("/channels/presence-never", { info: "user_count,subscription_count" })).toEqual(
      ok({ occupied: false, user_count: 0, subscription_count: 0 }),
    );
  });

  test("gives what a cache channel keeps with the seconds it has left, and null when it keeps nothing", async () => {
    expect(await get("/channels/cache-shown", { info: "cache" })).toEqual(ok({ occupied: false, cache: null }));
    await post("/events", event({ channel: "cache-shown", data: "kept" }));
    const { occupied, cache } = JSON.parse((await get("/channels/cache-shown", { info: "cache" })).text);
    expect([occupied, cache.data]).toEqual([false, "kept"]);
    expect(cache.ttl).toBeWithin(1790, 1801);
    await post("/events", event({ channel: "cache-brief" }));
    const gone = ok({ occupied: false, cache: null });
    await eventually(async () => expect(await get("/channels/cache-brief", { info: "cache" })).toEqual(gone));
  });

  test.each([
    ["user_count of a channel without members", "/channels/c", "user_count"],
    ["cache of a channel that keeps nothing", "/channels/private-c", "cache"],
    ["cache of a name with cache- in the middle", "/channels/my-cache-c", "cache"],
    ["an unknown attribute", "/channels/c", "colour"],
    ["a name that is none", "/channels/a%20b", ""],
  ])("refuses %s with 400", async (_, path, info) => {
    expect((await get(path, { info })).status).toBe(400);
  });
});

describe("GET /channels/{name}/users", () => {
  test("lists each user once", async () => {
    await occupy("presence-users", "1", "1", "ada");
    expect(await get("/channels/presence-users/users")).toEqual(ok({ users: [{ id: "1" }, { id: "ada" }] }));
    expect(await get("/channels/presence-nobody/users")).toEqual(ok({ users: [] }));
  });

  test("is refused with 400 for a channel without members", async () => {
    expect((await get("/channels/private-users/users")).status).toBe(400);
  });
});

describe("POST /users/{id}/terminate_connections", () => {
  test("closes the user's connections and nobody else's, whatever characters the id has", async () => {
    const [mallory, other] = [await connectPusher(server.url), await connectPusher(server.url)];
    await mallory.signin({ id: "m/llory ü" });
    await other.signin({ id: "other" });
    const path = `/users/${encodeURIComponent("m/llory ü")}/terminate_connections`;
    expect(await post(path, {})).toEqual(ok({ connections: 1, nodes_missing: 0 }));
    expect((await mallory.socket.closed).code).toBe(4009);
    await other.ping();
  });

  test("reaches no connection of a user nobody is, and 400 for an id that is none", async () => {
    expect(await post("/users/nobody/terminate_connections", {})).toEqual(ok({ connections: 0, nodes_missing: 0 }));
    expect((await post(`/users/${"x".repeat(129)}/terminate_connections`, {})).status).toBe(400);
  });
});

describe("the deprecated routes", () => {
  test("POST /channels/{name}/events takes the body as data, and is answered 202", async () => {
    const [left, reached] = [await connectPusher(server.url), await connectPusher(server.url)];
    for (const client of [left, reached]) await client.subscribe("old");
    const query = { name: "e", socket_id: left.socketId };
    expect(await call("POST", "/channels/old/events", { query, body: '{"a" : 1}' })).toEqual({
      status: 202,
      text: "{}",
    });
    expect((await reached.next()).data).toBe('{"a" : 1}');
    expect(await call("POST", "/channels/old/events", { query: { name: "end" }, body: "x" })).toMatchObject({
      status: 202,
    });
    expect((await left.next()).event).toBe("end");
    expect((await call("POST", "/channels/old/events", { body: "x" })).status).toBe(400);
  });

  test("GET /channels/{name}/stats says whether it is occupied and by how many", async () => {
    await occupy("counted", "x", "y");
    expect(await get("/channels/counted/stats")).toEqual(ok({ occupied: true, subscription_count: 2 }));
  });
});

describe("whom it answers", () => {
  test("an app that is disabled is answered 403, one that is unknown 404", async () => {
    expect((await call("GET", "/channels", {}, CLOSED)).status).toBe(403);
    expect((await call("GET", "/channels", {}, { ...APP, id: "nobodys" })).status).toBe(404);
  });

  test("another app's key does not open this one", async () => {
    expect((await call("GET", "/channels", {}, { ...OTHER, id: APP.id })).status).toBe(401);
  });

  test.each([
    ["GET", "/events"],
    ["DELETE", "/channels/c"],
    ["GET", "/nothing"],
    ["GET", "/channels/c/users/1"],
    ["POST", "/users/ada"],
  ])("%s %s is answered 404", async (method, path) => {
    expect((await call(method, path)).status).toBe(404);
  });
});

describe("behind a path", () => {
  async function statusOf(url: string, called: string, path: string): Promise<number> {
    const address = new URL(signedUrl(url, APP, "GET", "/channels", { tamper: { path } }));
    address.pathname = called;
    return (await fetch(address)).status;
  }

  test("a call is good with the prefix signed or not, and with one that a proxy took off", async () => {
    const prefixed = await startServer({ path: "/realtime" });
    const plain = `/apps/${APP.id}/channels`;
    const statuses = await Promise.all([
      statusOf(prefixed.url, `/realtime${plain}`, `/realtime${plain}`),
      statusOf(prefixed.url, `/realtime${plain}`, plain),
      statusOf(prefixed.url, plain, `/realtime${plain}`),
      statusOf(prefixed.url, plain, plain),
      statusOf(prefixed.url, `/other${plain}`, `/other${plain}`),
      statusOf(prefixed.url, plain, `/other${plain}`),
    ]);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 401]);
  });
});
