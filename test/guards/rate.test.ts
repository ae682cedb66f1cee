/** How many connections an address may have and open, how many frames a connection and API calls an app may send. S30. */

import { describe, expect, test } from "bun:test";
import { IpConnectionLimiter } from "../../packages/server/src/guards/ip-connection-limiter.ts";
import { takeToken } from "../../packages/server/src/hub/token-bucket.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fakes.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { connectRawWebSocket, OPCODE } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { knock, PUSHER_PATH } from "./knock.ts";

const ADDRESSES = scaled(1_000_000, 250_000);
const FOREVER = Number.POSITIVE_INFINITY;

interface Limits {
  readonly connectionsPerIp?: number;
  readonly connectionRatePerIp?: number;
  readonly trustedProxies?: readonly string[];
}

function turnstile(limits: Limits) {
  const clock = new FakeClock();
  const defaults = { connectionsPerIp: FOREVER, connectionRatePerIp: FOREVER, trustedProxies: [] };
  return { clock, turnstile: new IpConnectionLimiter({ ...defaults, ...limits, clock }) };
}

const CLIENT = "203.0.113.9";

describe("a token bucket", () => {
  test("gives what it holds in one burst, then one token at a time, and says how long that takes", () => {
    const bucket = { tokens: 3, atMs: 0 };
    const taken = [0, 0, 0, 0, 499, 500, 500, 60_000].map((nowMs) => takeToken(bucket, nowMs, 2, 3));
    expect(taken).toEqual([undefined, undefined, undefined, 0.5, expect.closeTo(0.001), undefined, 0.5, undefined]);
  });
});

describe("the turnstile", () => {
  test("lets as many in as may be there at a time, and another when one has left", () => {
    const { turnstile: it } = turnstile({ connectionsPerIp: 2 });
    expect([it.acquire(CLIENT), it.acquire(CLIENT), it.acquire(CLIENT)]).toEqual([undefined, undefined, 5]);
    expect(it.acquire("203.0.113.10")).toBeUndefined();
    it.release(CLIENT);
    expect([it.acquire(CLIENT), it.acquire(CLIENT)]).toEqual([undefined, 5]);
  });

  test("lets as many in as may come in a minute, and says when to come again", () => {
    const { turnstile: it, clock } = turnstile({ connectionRatePerIp: 2 });
    expect([it.acquire(CLIENT), it.acquire(CLIENT), it.acquire(CLIENT)]).toEqual([undefined, undefined, 30]);
    clock.pass(20_000);
    expect(it.acquire(CLIENT)).toBe(10);
    clock.pass(10_000);
    expect([it.acquire(CLIENT), it.acquire(CLIENT)]).toEqual([undefined, 30]);
  });

  test("takes an IPv6 network for one address, and an IPv4 address in either form for the same", () => {
    const { turnstile: it } = turnstile({ connectionsPerIp: 1 });
    expect([it.acquire("2001:db8::1"), it.acquire("2001:db8::ffff:1"), it.acquire("2001:db8:0:1::1")]).toEqual([
      undefined,
      5,
      undefined,
    ]);
    expect([it.acquire(CLIENT), it.acquire(`::ffff:${CLIENT}`)]).toEqual([undefined, 5]);
    it.release("2001:db8::2");
    expect(it.acquire("2001:db8::3")).toBeUndefined();
  });

  const PERHAPS_PROXIES = ["127.0.0.1", "::1", "10.0.0.1", "172.20.0.1", "192.168.0.1", "fd00::1", "fe80::1%eth0"];

  test.each(PERHAPS_PROXIES)("never counts %s when no proxy is named, for everybody may be behind it", (address) => {
    const { turnstile: it } = turnstile({ connectionsPerIp: 1, connectionRatePerIp: 1 });
    expect([1, 2, 3].map(() => it.acquire(address))).toEqual([undefined, undefined, undefined]);
    expect(it.size).toBe(0);
  });

  test.each(PERHAPS_PROXIES)("counts %s when proxies are named and it is none of them", (address) => {
    const { turnstile: it } = turnstile({ connectionsPerIp: 1, trustedProxies: ["192.0.2.1"] });
    expect([it.acquire(address), it.acquire(address)]).toEqual([undefined, 5]);
  });

  test("never counts a trusted proxy that names no client", () => {
    const { turnstile: it } = turnstile({ connectionsPerIp: 1, trustedProxies: ["192.0.2.0/24"] });
    expect([it.acquire("192.0.2.9"), it.acquire("192.0.2.9")]).toEqual([undefined, undefined]);
  });

  test("remembers nothing of those who left two minutes ago, and nothing at all without limits", () => {
    const { turnstile: it, clock } = turnstile({ connectionsPerIp: 5, connectionRatePerIp: 5 });
    const addresses = Array.from({ length: 1000 }, (_, n) => `203.0.${n >> 8}.${n & 255}`);
    for (const address of addresses) it.acquire(address);
    expect(it.size).toBe(2000);
    for (const address of addresses) it.release(address);
    expect(it.size).toBe(1000);
    const sweepAfter = (ms: number) => {
      clock.pass(ms);
      it.sweep();
      return it.size;
    };
    expect([sweepAfter(59_999), sweepAfter(1), sweepAfter(59_999), sweepAfter(1)]).toEqual([1000, 1000, 1000, 0]);

    const { turnstile: without } = turnstile({});
    for (const address of addresses) without.acquire(address);
    expect(without.size).toBe(0);
  });

  test("forgets no address before its minute is over", () => {
    const { turnstile: it, clock } = turnstile({ connectionRatePerIp: 1 });
    clock.pass(59_000);
    expect(it.acquire(CLIENT)).toBeUndefined();
    for (let second = 1; second < 60; second++) {
      clock.pass(1000);
      it.sweep();
      expect(it.acquire(CLIENT)).toBe(60 - second);
    }
    clock.pass(1000);
    expect(it.acquire(CLIENT)).toBeUndefined();
  });

  test(`remembers at most 100 000 of ${ADDRESSES} addresses, those seen last, and is quick about it`, () => {
    const { turnstile: it } = turnstile({ connectionRatePerIp: 1 });
    const address = (n: number) => `${11 + (n >> 16)}.1.${(n >> 8) & 255}.${n & 255}`;
    let most = 0;
    for (let n = 0; n < ADDRESSES; n++) {
      it.acquire(address(n));
      most = Math.max(most, it.size);
    }
    expect(most).toBeWithin(50_000, 100_001);
    expect([
      it.acquire(address(ADDRESSES - 1)),
      it.acquire(address(ADDRESSES - 40_000)),
      it.acquire(address(0)),
    ]).toEqual([60, 60, undefined]);
  }, 30_000);

  test("leaving more often than entering does no harm", () => {
    const { turnstile: it } = turnstile({ connectionsPerIp: 1 });
    it.release(CLIENT);
    it.acquire("203.0.113.10");
    it.release(CLIENT);
    expect([it.acquire(CLIENT), it.acquire(CLIENT)]).toEqual([undefined, 5]);
  });
});

describe("new connections of one address", () => {
  /** 127.0.0.1 is no proxy here, so it counts. */
  const NO_PROXY = { trustedProxies: ["192.0.2.1"] };
  const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

  test("above the rate are answered 429 with Retry-After before the upgrade; other addresses come in", async () => {
    const { url } = await startServer({ ...NO_PROXY, limits: { connectionRatePerIp: 3 } });
    for (let n = 0; n < 3; n++) expect((await knock(url)).status).toBe(101);
    const { status, headers } = await knock(url);
    expect(status).toBe(429);
    expect(Number(headers["retry-after"])).toBeWithin(1, 21);
    expect((await knock(url, { from: "127.0.0.2" })).status).toBe(101);
    expect((await knock(url, { path: "/" })).status).toBe(429);
  });

  test.each([
    ["connectionsPerIp", "Your address has 1 connections, which is as many as it may"],
    ["connectionRatePerIp", "Your address opened more than 1 connections in a minute"],
  ])("above %s are told so by name", async (limit, sentence) => {
    const { url } = await startServer({ ...NO_PROXY, limits: { [limit]: 1 } });
    expect((await knock(url)).status).toBe(101);
    const handshake = { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Key": KEY };
    const refused = await fetch(url, { headers: { ...handshake, "Sec-WebSocket-Version": "13" } });
    const error = `${sentence} (limits.${limit}); try again later.`;
    expect(await refused.json()).toEqual({ error, code: "flooded" });
  });

  test("that are turned away, fail or leave make room again", async () => {
    const { url } = await startServer({ ...NO_PROXY, limits: { connectionsPerIp: 1 } });
    for (let n = 0; n < 3; n++) {
      const refused = await eventually(async () => {
        const { socket, status } = await knock(url, { path: "/app/unknown" });
        expect(status).toBe(101);
        return socket;
      });
      expect(await refused.ending()).toBe(4001);
      refused.cut();
    }
    await eventually(async () => {
      expect((await knock(url, { headers: { "Sec-WebSocket-Key": "short" } })).status).toBe(400);
    });
    const { socket } = await eventually(async () => {
      const knocked = await knock(url);
      expect(knocked.status).toBe(101);
      return knocked;
    });
    expect((await knock(url)).status).toBe(429);
    socket.cut();
    await eventually(async () => expect((await knock(url)).status).toBe(101));
  });

  test("are counted by client behind a trusted proxy, and not at all where it names none", async () => {
    const { url } = await startServer({ trustedProxies: ["loopback"], limits: { connectionsPerIp: 1 } });
    const statuses = async (forwardedFor?: string) =>
      (await knock(url, forwardedFor === undefined ? {} : { forwardedFor })).status;
    expect([await statuses(CLIENT), await statuses(CLIENT), await statuses(`1.2.3.4, ${CLIENT}`)]).toEqual([
      101, 429, 429,
    ]);
    expect([await statuses("203.0.113.10"), await statuses(), await statuses(), await statuses("?")]).toEqual([
      101, 101, 101, 101,
    ]);
  });

  test("are not limited unless that is configured", async () => {
    const { url } = await startServer(NO_PROXY);
    const statuses = await Promise.all(Array.from({ length: 150 }, async () => (await knock(url)).status));
    expect(new Set(statuses)).toEqual(new Set([101]));
  });

  test("are not limited from a loopback address when no proxy is named, for it may be one", async () => {
    const { url } = await startServer({ limits: { connectionsPerIp: 1, connectionRatePerIp: 1 } });
    expect([(await knock(url)).status, (await knock(url)).status]).toEqual([101, 101]);
  });
});

describe("frames of one connection", async () => {
  const server = await startServer({}, { anonymous: true, limits: { framesPerSecond: 5 } });

  test("above the rate end it with 4100, in both protocols, and nobody else", async () => {
    const [pusher, calm] = [await connectPusher(server.url), await connectPusher(server.url)];
    for (let n = 0; n < 50; n++) pusher.send("pusher:ping", {});
    const message = "More than 5 frames in a second (framesPerSecond).";
    expect((await pusher.next("pusher:error")).data).toEqual({ code: 4100, message });
    expect(await pusher.socket.closed).toEqual({ code: 4100, reason: message });

    const native = await connectNative(server.url);
    for (let n = 0; n < 50; n++) native.send("ping");
    expect(await native.next("closing")).toMatchObject({ code: "flooded", message, reconnect: "later" });
    expect((await native.socket.closed).code).toBe(4100);
    await calm.ping();
  });

  test.each([
    ["pings", OPCODE.ping, ""],
    ["pongs nobody asked for", OPCODE.pong, ""],
    ["rubbish", OPCODE.text, "{"],
    ["binary frames", OPCODE.binary, "x"],
  ])("are counted when they are %s", async (_, opcode, payload) => {
    const raw = await connectRawWebSocket(server.url, PUSHER_PATH);
    for (let n = 0; n < 50; n++) raw.send(opcode, payload);
    expect(await raw.ending()).toBe(4100);
  });

  test("at the rate go on for ever", async () => {
    const { url } = await startServer({}, { limits: { framesPerSecond: 40 } });
    const client = await connectPusher(url);
    for (let burst = 0; burst < 2; burst++) {
      for (let n = 0; n < 40; n++) client.send("pusher:ping", {});
      for (let n = 0; n < 40; n++) await client.next("pusher:pong");
      await Bun.sleep(1050);
    }
    await client.ping();
  });
});

describe("API calls of one app", () => {
  const SLOW = { ...APP, limits: { apiRequestsPerSecond: 2 } };
  const OTHER = { id: "other", key: "other-key", secret: "other-secret" };

  /** Calls at once, so that the bucket empties before anything comes back. */
  const call = async (url: string, times: number, app = APP as { id: string; key: string; secret: string }) =>
    Promise.all(Array.from({ length: times }, () => signedFetch(url, app, "GET", "/channels")));

  test("above the rate are answered 429 with Retry-After, in words, and go on a second later", async () => {
    const { url } = await startServer({ apps: [SLOW, OTHER] });
    const answers = await call(url, 30);
    const refused = answers.filter(({ status }) => status === 429);
    expect(answers.filter(({ status }) => status === 200).length).toBeWithin(2, 30);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers.get("retry-after")).toBe("1");
    const words = { error: "More than 2 API calls in a second (apiRequestsPerSecond).", code: "rate_limited" };
    expect(await refused[0]?.json()).toEqual(words);
    expect((await call(url, 5, OTHER)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await Bun.sleep(1050);
    expect((await call(url, 1)).map(({ status }) => status)).toEqual([200]);
  });

  test("that nobody signed cost the app nothing", async () => {
    const { url } = await startServer({ apps: [SLOW] });
    const unsigned = { tamper: { secret: "wrong" } };
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => signedFetch(url, APP, "GET", "/channels", unsigned)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    expect((await signedFetch(url, APP, "GET", "/channels")).status).toBe(200);
  });

  test("are not limited unless that is configured", async () => {
    const { url } = await startServer();
    expect(new Set((await call(url, 100)).map(({ status }) => status))).toEqual(new Set([200]));
  });
});
