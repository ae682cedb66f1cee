/** What is no frame, too much, or too many: an error or a close code each, and another client notices nothing (scenarios 52, 58). */

import { afterEach, describe, expect, test } from "bun:test";
import { connectNative, dialNative, makeToken } from "../support/native-client.ts";
import { connectRawWebSocket, OPCODE } from "../support/raw-socket.ts";
import { startServer } from "../support/server.ts";

const server = await startServer({}, { anonymous: true });
const witness = await connectNative(server.url);

afterEach(async () => {
  await witness.ping();
});

describe("a bad frame", () => {
  test.each([
    ["no JSON", "hello", "The message is not JSON."],
    ["nothing", "", "The message is not JSON."],
    ["null", "null", "A message is a JSON object."],
    ["a list", "[1]", "A message is a JSON object."],
    ["no event", "{}", "A message needs an event, which is a string."],
    ["an event that is a number", '{"event":1}', "A message needs an event, which is a string."],
    ["a prototype", '{"__proto__":{"event":"ping"}}', "A message needs an event, which is a string."],
    ["bytes", new Uint8Array([0xff, 0x00, 0x7b]), "Binary frames are not supported; send JSON text."],
    [
      "33 levels",
      `{"event":"e","data":${"[".repeat(32)}${"]".repeat(32)}}`,
      "The JSON is nested more than 32 levels deep (limits.jsonDepth).",
    ],
    [
      "20 000 levels",
      `{"event":"e","data":${"[".repeat(20_000)}`,
      "The JSON is nested more than 32 levels deep (limits.jsonDepth).",
    ],
  ])("of %s is answered malformed, and the connection lives", async (_, frame, message) => {
    const client = await connectNative(server.url);
    client.socket.send(frame);
    expect(await client.next()).toEqual({ event: "error", message, code: "malformed" });
    await client.ping();
  });

  test("is told by its id and channel where they could be read", async () => {
    const client = await connectNative(server.url);
    client.socket.send({ event: "subscribe", id: "mine", data: { channel: "private-a", auth: 5 } });
    expect(await client.next()).toMatchObject({ code: "malformed", id: "mine", channel: "private-a" });
    client.socket.send({ id: 0, data: {} });
    expect(await client.next()).toMatchObject({ code: "malformed", id: 0 });
  });

  test("at 32 levels is a good one", async () => {
    const client = await connectNative(server.url);
    client.socket.send(`{"event":"e","data":${"[".repeat(31)}${"]".repeat(31)}}`);
    expect(await client.next()).toMatchObject({ code: "unknown_command" });
  });
});

test("text that is not UTF-8 ends the connection", async () => {
  // The standard WebSocket cannot send it.
  const raw = await connectRawWebSocket(server.url, "/");
  raw.send(OPCODE.text, new Uint8Array([0xc3, 0x28]));
  await raw.closed;
  expect(raw.frames.filter(({ payload }) => payload.includes('"error"'))).toEqual([]);
});

test("a frame over the limit ends the connection with 1009, one at the limit does not", async () => {
  const client = await connectNative(server.url);
  const empty = JSON.stringify({ event: "e", data: "" }).length;
  client.socket.send({ event: "e", data: "x".repeat(client.welcome.maxFrameBytes - empty) });
  expect((await client.next()).code).toBe("unknown_command");
  client.socket.send({ event: "e", data: "x".repeat(client.welcome.maxFrameBytes - empty + 1) });
  expect((await client.socket.closed).code).toBe(1009);
  const another = await connectNative(server.url);
  another.socket.send("x".repeat(10_000_000));
  expect((await another.socket.closed).code).toBe(1009);
});

test("a client that asks faster than it can be answered is cut, and told to come back later", async () => {
  const busy = await startServer({ limits: { waitingCommands: 3 } }, { anonymous: true });
  const { promise: forever, resolve: release } = Promise.withResolvers<void>();
  busy.handle("wait", () => forever);
  const patient = await connectNative(busy.url);
  for (const event of ["wait", "ping", "ping", "ping"]) patient.send(event);
  const client = await connectNative(busy.url);
  for (const event of ["wait", "ping", "ping", "ping", "ping"]) client.send(event);
  const message = "More than 3 commands were waiting for an answer (limits.waitingCommands).";
  expect(await client.next()).toEqual({ event: "closing", code: "flooded", message, reconnect: "later" });
  expect(await client.socket.closed).toEqual({ code: 4100, reason: message });
  release();
  for (let n = 0; n < 3; n++) expect((await patient.next()).event).toBe("pong");
});

test("a client that never says who it is gets no longer than its time where the app asks for it", async () => {
  const app = { anonymous: true, requireAuthentication: true, limits: { unauthenticatedTimeoutS: 0.2 } };
  const strict = await startServer({}, app);
  const [silent, signed] = [await connectNative(strict.url), await connectNative(strict.url)];
  await signed.ask("authenticate", { token: await makeToken({ sub: "ada" }) });
  expect(await silent.next("closing")).toMatchObject({ code: "authentication_timeout", reconnect: "never" });
  expect((await silent.socket.closed).code).toBe(4009);
  await signed.ping();
});

test("an app and a process that are full say so", async () => {
  const one = await startServer({}, { anonymous: true, limits: { connections: 1 } });
  await connectNative(one.url);
  const second = await dialNative(one.url);
  expect(await second.next()).toMatchObject({ event: "closing", code: "quota_exceeded", reconnect: "never" });
  expect((await second.closed).code).toBe(4004);
  const small = await startServer({ limits: { connections: 1 } }, { anonymous: true });
  const inside = await connectNative(small.url);
  const outside = await dialNative(small.url);
  expect(await outside.next()).toMatchObject({ event: "closing", code: "over_capacity", reconnect: "later" });
  expect((await outside.closed).code).toBe(4100);
  await inside.ping();
});

test("a disabled app, and one that wants TLS, say so", async () => {
  const disabled = await startServer({}, { enabled: false });
  expect(await (await dialNative(disabled.url)).next()).toMatchObject({ code: "app_disabled", reconnect: "never" });
  const strict = await startServer({}, { anonymous: true, requireTls: true });
  expect(await (await dialNative(strict.url)).next()).toMatchObject({ code: "tls_required", reconnect: "never" });
  const proxied = await connectNative(strict.url, { headers: { "X-Forwarded-Proto": "https" } });
  await proxied.ping();
});
