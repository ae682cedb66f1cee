/** Whole servers with neighbours: other apps, other deployments and other versions on the same Redis, and clients whose line is pulled. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { Redis } from "ioredis";
import { atEnd } from "../support/at-end.ts";
import { CLUSTER_APP, channelsOf, startNode, usersOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { startLine } from "../support/network.ts";
import { spawnCli } from "../support/process.ts";
import { connectPusher, signedFetch, trigger } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { startReceiver } from "./hooks.ts";
import { startListeners } from "./listener.ts";

setDefaultTimeout(180_000);

const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const OTHER = { id: "other", key: "other-key", secret: "other-secret" };

const redis = await startRedis();
const onRedis = { engine: "redis", redis: { port: redis.port } } as const;

test("two deployments on one Redis with other prefixes never meet: messages, presence, counts, orders (scenario 19)", async () => {
  const [one, other] = await Promise.all(
    ["one", "other"].map((prefix) => startNode({ ...onRedis, redis: { port: redis.port, prefix } })),
  );
  if (!one || !other) throw new Error("Two were asked for.");
  const clients = [await one.pusher(), await other.pusher()];
  for (const [n, client] of clients.entries()) {
    await client.subscribe("presence-room", { data: { user_id: `${n}` } });
    await client.subscribe("kept-room");
    await client.signin({ id: "same" });
  }
  await one.native().then((client) => client.subscribe("only-here"));
  await trigger(one.url, APP, { name: "e", channel: "kept-room", data: "of one" });
  await trigger(other.url, APP, { name: "e", channel: "kept-room", data: "of other" });
  const [first, second] = clients;
  expect((await first?.next("e"))?.data).toBe("of one");
  expect((await second?.next("e"))?.data).toBe("of other");
  expect([await usersOf(one.url, "presence-room"), await usersOf(other.url, "presence-room")]).toEqual([["0"], ["1"]]);
  expect(await channelsOf(other.url)).not.toContain("only-here");
  await signedFetch(one.url, APP, "POST", "/users/same/terminate_connections", { body: {} });
  expect((await first?.socket.closed)?.code).toBe(4009);
  await second?.ping();
  expect(second?.socket.frames.filter(({ event }) => event === "e")).toHaveLength(1);
});

test("apps of one cluster share names and nothing else, whichever nodes they meet on (scenario 57)", async () => {
  const apps = [CLUSTER_APP, { ...CLUSTER_APP, ...OTHER }];
  const options = { config: { apps } };
  const where = { ...onRedis, redis: { port: redis.port, prefix: "apps" } };
  const [a, b] = await Promise.all([startNode(where, options), startNode(where, options)]);
  const mine = await connectPusher(a.url);
  const theirs = await connectPusher(b.url, { app: OTHER });
  const native = await connectNative(b.url, { app: OTHER.key });
  for (const client of [mine, theirs]) {
    await client.subscribe("presence-room", { data: { user_id: "same", user_info: client.app.id } });
    await client.subscribe("kept-room");
    await client.subscribe("cache-room");
    await client.signin({ id: "same" });
  }
  await native.subscribe("kept-room");
  await trigger(b.url, APP, { name: "mine", channels: ["kept-room", "cache-room", "presence-room"], data: "secret" });
  for (let n = 0; n < 3; n++) await mine.next("mine");
  mine.send("client-typing", {}, "presence-room");
  const late = await connectPusher(a.url, { app: OTHER });
  await late.subscribe("cache-room");
  await late.next("pusher:cache_miss");
  await native.close();
  const back = await connectNative(a.url, { app: OTHER.key });
  expect(await back.subscribe("kept-room", { recover: true })).toMatchObject({ position: { offset: 0 } });
  // What one app's key signs is not the other's.
  for (const path of ["/channels", "/channels/presence-room/users"]) {
    const crossed = await signedFetch(b.url, { ...APP, id: OTHER.id }, "GET", path);
    expect(crossed.status).toBe(401);
  }
  const listed = await signedFetch(b.url, OTHER, "GET", "/channels/presence-room", { query: { info: "user_count" } });
  expect(await listed.json()).toMatchObject({ user_count: 1 });
  await signedFetch(b.url, APP, "POST", "/users/same/terminate_connections", { body: {} });
  expect((await mine.socket.closed).code).toBe(4009);
  await theirs.ping();
  await back.ping();
  const leaked = [theirs, late, back, native]
    .flatMap(({ socket }) => socket.frames)
    .filter((frame) => {
      const text = JSON.stringify(frame);
      return text.includes("secret") || text.includes("client-typing") || text.includes("member_");
    });
  expect(leaked).toEqual([]);
});

test("what an older or newer version says on the bus is understood as far as it can be, and harms nobody (scenario 41)", async () => {
  const where = { ...onRedis, redis: { port: redis.port, prefix: "versions" } };
  const [a, b] = await Promise.all([startNode(where), startNode(where)]);
  const listeners = await startListeners(4, "native", "room", (n) => (n % 2 === 0 ? a.url : b.url));
  const tap = new Redis({ port: redis.port, host: "127.0.0.1" });
  atEnd(() => tap.disconnect());
  const seen: (readonly [string, Record<string, unknown>])[] = [];
  tap.on("pmessage", (_, subject: string, text: string) => seen.push([subject, JSON.parse(text)]));
  await tap.psubscribe("versions*");
  await trigger(a.url, APP, { name: "e", channel: "room", data: "a-1" });
  const [subject = "", said] = await eventually(() => {
    const found = seen.find(([, fields]) => fields.data === "a-1");
    if (!found) throw new Error("nothing was said");
    return found;
  });
  const { sender: _, number: __, ...plain } = said ?? {};
  const versions = [
    { ...plain, data: "a-2", priority: 9, tracing: { id: "x", span: [1] }, headers: [["a", "b"]] },
    { ...plain, type: "reaction", emoji: "+1", data: "a-3" },
    { ...plain, v: 99, data: "a-4" },
    { ...plain, from: { connection: "1.1", user: "user", extra: 1 }, data: "a-5" },
    { ...plain, data: "a-6", sender: "an older node", number: 1 },
  ];
  for (const fields of versions) await redis.cli("PUBLISH", subject, JSON.stringify(fields));
  await trigger(b.url, APP, { name: "e", channel: "room", data: "a-7" });
  for (const { heard } of listeners) {
    await eventually(() => expect(heard).toEqual(["a-1", "a-2", "a-5", "a-6", "a-7"]), PATIENCE);
  }
  // A node of a later version, whose report has more in it.
  const report = {
    id: "later",
    name: "later",
    connections: 1,
    startedAtMs: 1,
    lagMs: 0,
    draining: false,
    zone: { a: 1 },
  };
  await redis.cli("HSET", "versions:reports", "later-generation", JSON.stringify(report));
  await redis.cli("HSET", "versions:reports", "garbage", "{");
  for (const { url } of [a, b]) expect(await channelsOf(url)).toContain("room");
  expect(listeners.flatMap(({ closes }) => closes)).toEqual([]);
});

test("clients whose line is pulled leave once, in time, for the other node and for webhooks (scenario 34)", async () => {
  const { told, options } = startReceiver();
  const where = { ...onRedis, redis: { port: redis.port, prefix: "line" } };
  const quick = { ...options, config: { ...options.config, activityTimeoutS: 1, pongTimeoutS: 1 } };
  const [a, b] = await Promise.all([
    startNode(where, { ...quick, args: ["--host", "0.0.0.0"] }),
    startNode(where, quick),
  ]);
  const watcher = await b.native();
  await watcher.subscribe("presence-room", watcher.permission("presence-room", { user_id: "watcher" }));
  const line = await startLine(a.process.port);
  const [program = process.execPath, ...before] = [...line.before, process.execPath];
  const script = `${import.meta.dir}/programs/client.ts`;
  const clients = spawnCli([...before, script, line.url, APP.key, APP.secret, "5", "presence-room"], {
    program: [program],
  });
  await clients.prints(/^ready$/m, 30_000);
  await eventually(() => expect(told("member_added")).toHaveLength(6), PATIENCE);
  const users = (await usersOf(b.url, "presence-room")).filter((id) => id !== "watcher");
  expect(users).toHaveLength(5);
  const removed = () =>
    watcher.socket.frames
      .filter(({ event }) => event === "member_removed")
      .map(({ data }) => (data as { user: { id: string } }).user.id);
  line.pull();
  // The activity timeout, the pong timeout, and five seconds.
  await eventually(() => expect(removed().toSorted()).toEqual(users.toSorted()), { withinMs: scaled(7_000, 28_000) });
  await eventually(
    () => expect(told("member_removed")).toEqual(users.map((id) => `member_removed presence-room ${id}`).toSorted()),
    PATIENCE,
  );
  await Bun.sleep(1_000);
  expect([removed().length, told("member_removed").length]).toEqual([5, 5]);
  expect(await usersOf(a.url, "presence-room")).toEqual(["watcher"]);
});
