/** Limits that a cluster holds as one server does: what one node lets in takes a place from the others. */

import { describe, expect, test } from "bun:test";
import type { Server } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, dialNative } from "../support/native-client.ts";
import { connectPusher, dialPusher, signedFetch, signedUrl } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP } from "../support/server.ts";
import { startCluster, startNode } from "./cluster.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 50 };
const TEST_MS = 180_000;

describe("an app's connections", () => {
  test(
    "are counted together: one more than the limit is told 4004 on any node, until one leaves",
    async () => {
      const { one, other } = await startCluster({}, { anonymous: true, limits: { connections: 2 } });
      const [first, second] = [await connectPusher(one.url), await connectNative(other.url)];
      const message = "The app has 2 connections, which is as many as it may (connections).";
      for (const { url } of [one, other]) {
        const refused = await dialPusher(url);
        expect(await refused.next()).toEqual({ event: "pusher:error", data: { code: 4004, message } });
        expect((await refused.closed).code).toBe(4004);
      }
      await first.close();
      const third = await eventually(() => connectPusher(other.url), PATIENCE);
      await second.close();
      await third.close();
      await eventually(async () => (await connectPusher(one.url)).ping(), PATIENCE);
    },
    TEST_MS,
  );

  test(
    "never exceed the limit, however many come at once; and whoever hangs up at the door takes no place",
    async () => {
      const { one, other } = await startCluster({}, { anonymous: true, limits: { connections: 5 } });
      for (const { url } of [one, other]) await hangUp(url, 10);
      const come = async (server: Server) => {
        const socket = await dialPusher(server.url);
        return (await socket.next()).event === "pusher:connection_established";
      };
      const came = await Promise.all(Array.from({ length: 30 }, (_, n) => come(n % 2 === 0 ? one : other)));
      expect(came.filter(Boolean).length).toBeLessThanOrEqual(5);
      // Whoever hung up may have had a place for a moment.
      await eventually(async () => {
        await come(one);
        expect(await one.connections.countEverywhere()).toBe(5);
      }, PATIENCE);
      expect(await come(other)).toBe(false);
      const answer = await signedFetch(other.url, APP, "GET", "/connections");
      expect(await answer.json()).toEqual({ connections: 5 });
    },
    TEST_MS,
  );

  test(
    "cannot be counted while Redis is away: newcomers are told 4100 and come back later; who is here stays",
    async () => {
      const { redis, one } = await startCluster({ publishWaitS: 1 }, { anonymous: true, limits: { connections: 5 } });
      const here = await connectPusher(one.url);
      await redis.kill();
      await eventually(async () => expect((await fetch(`${one.url}/ready`)).status).toBe(503), PATIENCE);
      const [pusher, native] = [await dialPusher(one.url), await dialNative(one.url)];
      expect((await pusher.closed).code).toBe(4100);
      expect(await native.next()).toMatchObject({ code: "engine_unavailable", reconnect: "later" });
      await here.ping();
      await redis.start();
      await eventually(async () => (await connectPusher(one.url)).ping(), PATIENCE);
    },
    TEST_MS,
  );

  test(
    "are counted anew where a limit is set while they are here",
    async () => {
      const redis = await startRedis();
      const [one, other] = [await startNode(redis), await startNode(redis)];
      const clients = [await connectPusher(one.url), await connectPusher(other.url)];
      for (const server of [one, other])
        await server.reload({ ...server.config, apps: [{ ...APP, limits: { connections: 2 } }] });
      await eventually(async () => {
        const socket = await dialPusher(one.url);
        const { event, data } = await socket.next();
        await socket.close();
        expect([event, JSON.stringify(data)]).toEqual(["pusher:error", expect.stringContaining("4004")]);
      }, PATIENCE);
      for (const server of [one, other]) await server.reload({ ...server.config, apps: [APP] });
      clients.push(await connectPusher(one.url));
      for (const client of clients) await client.ping();
    },
    TEST_MS,
  );
});

/** Handshakes that are cut off while the server makes up its mind. */
async function hangUp(url: string, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    const { port } = new URL(url);
    const socket = await Bun.connect({ hostname: "127.0.0.1", port: Number(port), socket: { data() {} } });
    const head = [
      `GET /app/${APP.key}?protocol=7 HTTP/1.1`,
      "Host: x",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    socket.terminate();
  }
}

test(
  "a channel's maxSubscribers counts the subscribers of all nodes, and a place is free when one leaves or closes",
  async () => {
    const app = { anonymous: true, channels: [{ match: "few-*", maxSubscribers: 2 }] };
    const { one, other } = await startCluster({}, app);
    const [a, b, c] = [await connectNative(one.url), await connectNative(other.url), await connectNative(other.url)];
    await a.subscribe("few-x");
    await b.subscribe("few-x");
    await expect(c.subscribe("few-x")).rejects.toThrow("channel_full");
    await c.subscribe("few-y");
    await a.ask("unsubscribe", { channel: "few-x" });
    await eventually(() => c.subscribe("few-x"), PATIENCE);
    await expect(a.subscribe("few-x")).rejects.toThrow("channel_full");
    await b.close();
    await eventually(() => a.subscribe("few-x"), PATIENCE);
    const clients = await Promise.all(Array.from({ length: 8 }, (_, n) => connectNative((n % 2 ? one : other).url)));
    const joined = await Promise.allSettled(clients.map((client) => client.subscribe("few-z")));
    expect(joined.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
  },
  TEST_MS,
);

test(
  "API calls of an app are limited over all nodes: 429 with Retry-After",
  async () => {
    const { one, other } = await startCluster({}, { limits: { apiRequestsPerSecond: 3 } });
    const call = (n: number) => signedFetch((n % 2 === 0 ? one : other).url, APP, "GET", "/channels");
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => call(n)));
    const refused = answers.filter(({ status }) => status === 429);
    // A slow machine may take so long that a token or two are gained meanwhile.
    expect(refused.length).toBeGreaterThan(5);
    expect(refused[0]?.headers.get("retry-after")).toBe("1");
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(3);
    await eventually(async () => expect((await call(0)).status).toBe(200), PATIENCE);
  },
  TEST_MS,
);

test.each(["killed", "stopped"] as const)(
  "while Redis is %s, each node holds an app's rate of API calls by itself, and publications wait as they would without one",
  async (how) => {
    const { redis, one, other } = await startCluster({ publishWaitS: 4 }, { limits: { apiRequestsPerSecond: 3 } });
    const say = (server: Server) =>
      signedFetch(server.url, APP, "POST", "/events", { body: JSON.stringify({ name: "x", channel: "c", data: "1" }) });
    const sayAll = async () => {
      const answers = await Promise.all([one, one, one, one, one, other].map(say));
      return answers.map(({ status }) => status).sort();
    };
    expect(await sayAll()).toContain(200);
    if (how === "killed") await redis.kill();
    else redis.signal("SIGSTOP");
    const began = performance.now();
    expect(await sayAll()).toEqual([429, 429, 503, 503, 503, 503]);
    const tookMs = performance.now() - began;
    expect(tookMs).toBeGreaterThan(3_900);
    expect((await say(one)).headers.get("retry-after")).toBe("1");
    const waiting = sayAll();
    await Bun.sleep(300);
    if (how === "killed") await redis.start();
    else redis.signal("SIGCONT");
    expect(await waiting).toEqual([200, 200, 200, 200, 429, 429]);
  },
  TEST_MS,
);

test(
  "a signed API call counts once in the cluster; while Redis is away it is refused with 503, and may be made again",
  async () => {
    const { redis, one, other } = await startCluster({}, { replayProtection: true });
    const body = JSON.stringify({ name: "x", channel: "c", data: "1" });
    const post = (url: string) => fetch(url, { method: "POST", body });
    const signed = (base: string) => new URL(signedUrl(base, APP, "POST", "/events", { body }));
    const call = signed(one.url);
    expect((await post(call.href)).status).toBe(200);
    const elsewhere = new URL(call.pathname + call.search, other.url);
    expect((await post(elsewhere.href)).status).toBe(401);
    expect((await post(call.href)).status).toBe(401);
    await redis.kill();
    await Bun.sleep(1_100);
    const late = signed(one.url);
    const answer = await post(late.href);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    await redis.start();
    await eventually(async () => expect((await fetch(`${one.url}/ready`)).status).toBe(200), PATIENCE);
    expect((await post(late.href)).status).toBe(200);
    expect((await post(late.href)).status).toBe(401);
  },
  TEST_MS,
);
