/** Bodies, paths and headers that are signed and still wrong, and what one app may do to another. Scenarios 53 to 57 and 67. */

import { afterEach, describe, expect, test } from "bun:test";
import { connectNative } from "../support/native-client.ts";
import { channelAuth, connectPusher, signedFetch, signedUrl, trigger, userAuth } from "../support/pusher-client.ts";
import { connectRaw } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";
import { faultsOf } from "./faults.ts";

const OTHER = { id: "other", key: "other-key", secret: "other-secret", anonymous: true };

const server = await startServer({
  // Pusher's own bound.
  defaults: { limits: { eventDataBytes: 10_240 } },
  apps: [{ ...APP, anonymous: true }, OTHER, { ...OTHER, id: "off", key: "off", enabled: false }],
});
const { url } = server;
const faults = faultsOf(server);

afterEach(() => {
  expect(faults.splice(0)).toEqual([]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

const EVENT = { name: "x", channel: "c", data: "{}" };
const POLLUTION = '{"polluted":true}';
const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

/** Signs these very bytes and sends them. */
async function post(path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const bodyMd5 = bytes.length === 0 ? null : Bun.MD5.hash(bytes, "hex");
  const address = signedUrl(url, APP, "POST", path, { tamper: { bodyMd5 } });
  const response = await fetch(address, { method: "POST", body: bytes, headers });
  return { status: response.status, ...((await response.json()) as { error?: string; code?: string }) };
}

describe.each(["/events", "/batch_events"])("a body that is no event, sent to %s (scenario 53)", (path) => {
  test.each([
    ...'|null|[]|1|true|"text"|{|{}|[[]]|{"batch":null}|{"batch":{}}|{"batch":[null]}|{"batch":[[]]}|{"batch":1}'.split(
      "|",
    ),
    '{"name":1,"channel":"c","data":"x"}',
    '{"name":null,"channel":"c","data":"x"}',
    '{"name":["x"],"channel":"c","data":"x"}',
    '{"name":"x","channel":"c"}',
    '{"name":"x","data":"x"}',
    '{"name":"x","channels":[],"data":"x"}',
    '{"name":"x","channels":"c","data":"x"}',
    '{"name":"x","channels":[1],"data":"x"}',
    '{"name":"x","channels":{"0":"c"},"data":"x"}',
    '{"name":"x","channel":1,"data":"x"}',
    '{"name":"x","channel":"c","data":"x","socket_id":"1"}',
    '{"name":"x","channel":"c","data":"x","socket_id":{}}',
    '{"name":"x","channel":"c","data":"x","info":1}',
    '{"name":"x","channel":"c","data":"x","info":"secrets"}',
    '{"batch":[{"name":"x","channel":"c","data":"x"},null]}',
    '{"batch":[{"name":"x","channels":["c"],"data":"x"}]}',
    `{"__proto__":{"name":"x","channel":"c","data":"x"}}`,
    `{"__proto__":{"batch":[]}}`,
    `{"name":"x","data":"x","channels":["__proto__","private-encrypted-x"]}`,
    deep(100_000),
    "[".repeat(500_000),
    `{"name":"x","channel":"c","data":${deep(100_000)}}`,
    '{"a":'.repeat(100_000),
    "\ufeff{}",
    "\u0000",
    "x=1&y=2",
  ])("is answered 400: %.60s", async (body) => {
    const answer = await post(path, body);
    expect(answer.status).toBe(400);
    expect(answer.error).toBeString();
    expect(answer.code).toBeString();
  });

  test("is answered 400 when it is not UTF-8, and when it is compressed", async () => {
    const event = JSON.stringify(EVENT);
    expect(await post(path, new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]))).toMatchObject({
      status: 400,
      code: "malformed",
    });
    const gzip = Uint8Array.from(Bun.gzipSync(event));
    expect(await post(path, gzip)).toMatchObject({ status: 400, code: "malformed" });
    expect(await post(path, gzip, { "Content-Encoding": "gzip" })).toMatchObject({ status: 400, code: "malformed" });
    const bomb = Uint8Array.from(Bun.gzipSync(new Uint8Array(10_000_000)));
    expect(await post(path, bomb, { "Content-Encoding": "gzip" })).toMatchObject({ status: 400 });
  });

  test("is answered 413 when it has ten megabytes", async () => {
    expect(await post(path, "x".repeat(10_000_000))).toMatchObject({ status: 413, code: "data_too_large" });
    const body = JSON.stringify({ ...EVENT, data: "x".repeat(10_000_000) });
    expect(await post(path, body)).toMatchObject({
      status: 413,
      error: expect.stringContaining("The body is larger than 6553600 bytes"),
    });
  });
});

test("the documented limits are the statuses of the protocol (scenarios 54 and 55)", async () => {
  const data = "x".repeat(10_241);
  expect((await post("/events", JSON.stringify({ ...EVENT, data }))).status).toBe(413);
  expect((await post("/events", JSON.stringify({ ...EVENT, data: data.slice(1) }))).status).toBe(200);
  const channels = Array.from({ length: 101 }, (_, n) => `c${n}`);
  expect((await post("/events", JSON.stringify({ name: "x", data: "{}", channels }))).status).toBe(400);
  expect((await post("/events", JSON.stringify({ name: "x", data: "{}", channels: channels.slice(1) }))).status).toBe(
    200,
  );
  expect((await post("/batch_events", JSON.stringify({ batch: Array(11).fill(EVENT) }))).status).toBe(400);
  expect((await post("/batch_events", JSON.stringify({ batch: Array(10).fill(EVENT) }))).status).toBe(200);
});

test.each([
  "pusher:error",
  "pusher:connection_established",
  "pusher_internal:member_added",
  "pusher:",
  "pusher_internal:",
])("the server's own event %s cannot be published by anybody (scenario 56)", async (name) => {
  const reserved = { status: 400, code: "event_reserved" };
  expect(await post("/events", JSON.stringify({ ...EVENT, name }))).toMatchObject(reserved);
  expect(await post("/batch_events", JSON.stringify({ batch: [EVENT, { ...EVENT, name }] }))).toMatchObject(reserved);
  const old = await signedFetch(url, APP, "POST", "/channels/c/events", { query: { name }, body: "{}" });
  expect(old.status).toBe(400);
  await expect(server.toChannel("c").push({ event: name })).rejects.toMatchObject({ code: "event_reserved" });
  const client = await connectNative(url);
  await client.subscribe("private-c", client.permission("private-c"));
  const answer = await client.ask("publish", { channel: "private-c", event: name });
  expect(answer.event).toBe("error");
});

test("prototype keys in a body are data where data is expected, and nothing elsewhere (scenario 67)", async () => {
  const client = await connectPusher(url);
  await client.subscribe("proto");
  const body = `{"name":"x","channel":"proto","data":{"__proto__":${POLLUTION},"constructor":{"prototype":${POLLUTION}}},"__proto__":${POLLUTION}}`;
  expect((await post("/events", body)).status).toBe(200);
  const data = String((await client.nextIn("proto")).data);
  expect(data).toBe(`{"__proto__":${POLLUTION},"constructor":{"prototype":${POLLUTION}}}`);
  const info = `{"name":"__proto__","channels":["__proto__","constructor"],"data":"x","info":"subscription_count"}`;
  const response = await post("/events", info);
  expect(JSON.stringify(response)).toContain('"__proto__":{"subscription_count":0}');
});

test("a request that is no request is answered 400, and the server goes on", async () => {
  const websocket = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  for (const head of [
    "GET /health HTTP/1.1\r\nHost: a b\r\n",
    "GET /health HTTP/1.1\r\nHost: [::\r\n",
    "GET /health HTTP/1.1\r\nHost: x:99999999\r\n",
    "GET /health HTTP/1.1\r\n",
    "GET health HTTP/1.1\r\nHost: x\r\n",
    `GET /app/${APP.key} HTTP/1.1\r\nHost: a b\r\nSec-WebSocket-Version: 13\r\n${websocket}`,
    `GET /app/${APP.key} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`,
    "\u0000\u0001\u0002\r\n",
  ]) {
    const raw = await connectRaw(url);
    raw.write(`${head}\r\n`);
    await raw.until(() => raw.text.includes("\r\n\r\n"), "an answer");
    expect(raw.text).toStartWith("HTTP/1.1 400 ");
    expect((await fetch(`${url}/health`)).status).toBe(200);
  }
});

test("HTTP/1.0 without a Host header is served, as proxies ask for health", async () => {
  const raw = await connectRaw(url);
  raw.write("GET /health HTTP/1.0\r\n\r\n");
  await raw.until(() => raw.text.includes('{"status":"ok"}'), "the answer");
  expect(raw.text).toStartWith("HTTP/1.1 200 ");
});

test("what is not there is 404, a percent sign that encodes nothing 400, a disabled app 403", async () => {
  for (const path of [
    "/",
    "/nothing",
    "/channels/c/users/extra",
    "/channels/c/nothing",
    "/events/more",
    "/users/1",
    "/__proto__",
  ]) {
    expect((await signedFetch(url, APP, "GET", path)).status).toBe(404);
  }
  expect((await signedFetch(url, APP, "GET", "/channels/%zz")).status).toBe(400);
  const off = { ...OTHER, id: "off", key: "off" };
  expect((await signedFetch(url, off, "GET", "/channels")).status).toBe(403);
});

describe("one app and another (scenario 57)", () => {
  test("do not meet in a channel, a user or a count of the same name", async () => {
    const [here, there] = [await connectPusher(url), await connectPusher(url, { app: OTHER })];
    for (const client of [here, there]) {
      await client.signin({ id: "42" });
      await client.subscribe("same");
      await client.subscribe("presence-same", { data: { user_id: "42", user_info: client.app.id } });
      await client.subscribe("#server-to-user-42");
    }
    await trigger(url, APP, { name: "x", channels: ["same", "presence-same", "#server-to-user-42"], data: "here" });
    for (let n = 0; n < 3; n++) expect((await here.next("x")).data).toBe("here");
    here.send("client-x", "hello", "presence-same");
    await here.ping();
    await there.ping();
    expect(there.socket.unread).toEqual([]);
    const users = await signedFetch(url, OTHER, "GET", "/channels/presence-same/users");
    expect(await users.json()).toEqual({ users: [{ id: "42" }] });
    const counted = await signedFetch(url, OTHER, "GET", "/channels/same", { query: { info: "subscription_count" } });
    expect(await counted.json()).toEqual({ occupied: true, subscription_count: 1 });
    await signedFetch(url, APP, "POST", "/users/42/terminate_connections", { body: {} });
    expect((await here.socket.closed).code).toBe(4009);
    await there.ping();
  });

  test("cannot read, publish or terminate with each other's keys", async () => {
    for (const [method, path] of [
      ["POST", "/events"],
      ["POST", "/batch_events"],
      ["GET", "/channels"],
      ["GET", "/channels/c"],
      ["GET", "/channels/presence-c/users"],
      ["POST", "/users/42/terminate_connections"],
    ] as const) {
      const body = method === "POST" ? EVENT : undefined;
      const stolen = { ...OTHER, id: APP.id };
      expect((await signedFetch(url, stolen, method, path, { body })).status).toBe(401);
    }
  });

  test("cannot let anybody into each other's channels", async () => {
    const client = await connectPusher(url, { app: OTHER });
    for (const auth of [
      channelAuth(APP, client.socketId, "private-x"),
      channelAuth({ ...OTHER, secret: APP.secret }, client.socketId, "private-x"),
      channelAuth({ ...APP, secret: OTHER.secret }, client.socketId, "private-x"),
    ]) {
      client.sendSubscribe("private-x", { auth });
      const { event, data } = await client.nextIn("private-x");
      expect(event).toBe("pusher:subscription_error");
      expect(JSON.parse(String(data))).toMatchObject({ type: "AuthError", status: 401 });
    }
    const userData = '{"id":"42"}';
    expect((await client.signin(userData, userAuth(APP, client.socketId, userData))).event).toBe("pusher:error");
  });

  test("cannot leave each other's connections out of a publication", async () => {
    const [here, there] = [await connectPusher(url), await connectPusher(url, { app: OTHER })];
    await here.subscribe("shared");
    await there.subscribe("shared");
    await trigger(url, OTHER, { name: "x", channel: "shared", data: "1", socket_id: here.socketId });
    expect((await there.next("x")).data).toBe("1");
    await trigger(url, APP, { name: "x", channel: "shared", data: "2", socket_id: there.socketId });
    expect((await here.next("x")).data).toBe("2");
  });
});
