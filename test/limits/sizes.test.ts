/** How large: event data, member data, user data, frames, HTTP bodies; and how deep JSON may be. */

import { describe, expect, test } from "bun:test";
import { connectAs, connectNative } from "../support/native-client.ts";
import { channelAuth, connectPusher, signedFetch, signedUrl } from "../support/pusher-client.ts";
import { connectRaw } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";
import { apiRefusal, apiStatus, publishRefusal, subscribeRefusal } from "./refusals.ts";

const server = await startServer(
  { limits: { frameBytes: 1000, httpBodyBytes: 2000, jsonDepth: 5 } },
  {
    anonymous: true,
    limits: { eventDataBytes: 100, memberDataBytes: 60, watchlistSize: 1, userIdLength: 40 },
  },
);
const { url } = server;

const EVENT_OF_101 =
  "The data content of this event exceeds the allowed maximum (100 bytes, eventDataBytes): it has 101.";

/** JSON of exactly so many bytes, of which "ü" takes two. */
const json = (bytes: number) => JSON.stringify(`ü${"x".repeat(bytes - 4)}`);
const member = (bytes: number) => ({ user_id: "1", user_info: "x".repeat(bytes - 30) });
const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

describe.each([
  ["Pusher", connectPusher],
  ["native", connectNative],
] as const)("over the %s protocol", (_, connect) => {
  test("an event's data may take as many bytes as configured, and not one more", async () => {
    const [client, reader] = [await connect(url), await connectPusher(url)];
    await client.subscribe("private-x", "permission" in client ? client.permission("private-x") : {});
    await reader.subscribe("private-x");
    const data = "ask" in client ? { x: "y".repeat(93) } : json(101);
    expect(await publishRefusal(client, "private-x", "client-x", data)).toMatchObject({ message: EVENT_OF_101 });
    if ("ask" in client)
      client.send("publish", { channel: "private-x", event: "client-x", data: { x: "y".repeat(92) } });
    else client.send("client-x", json(100), "private-x");
    expect(Buffer.byteLength(String((await reader.next("client-x")).data))).toBe(100);
  });

  test("a member's data may take as many bytes as configured, and not one more", async () => {
    const client = await connect(url);
    expect(JSON.stringify(member(60))).toHaveLength(60);
    expect(await subscribeRefusal(client, "presence-x", member(61))).toMatchObject({
      code: "data_too_large",
      message: "The member's data has 61 bytes; at most 60 (memberDataBytes).",
    });
    const permission = "permission" in client ? client.permission("presence-x", member(60)) : { data: member(60) };
    await client.subscribe("presence-x", permission);
  });

  test("a frame may take as many bytes as configured; a larger one closes with 1009, and others go on (A18, B6, B11, S31)", async () => {
    const [client, other] = [await connect(url), await connect(url)];
    const frame = (bytes: number) =>
      JSON.stringify({ event: "ask" in client ? "ping" : "pusher:ping", data: "x" }).padEnd(bytes);
    client.socket.send(frame(1000));
    await client.next(({ event }) => event.endsWith("pong"));
    client.socket.send(frame(1001));
    expect((await client.socket.closed).code).toBe(1009);
    await other.ping();
  });

  test("JSON may be as deep as configured; deeper is refused, and the connection goes on", async () => {
    const client = await connect(url);
    const frame = (levels: number) =>
      `{"event":"${"ask" in client ? "ping" : "pusher:ping"}","data":${nested(levels - 1)}}`;
    client.socket.send(frame(5));
    await client.next(({ event }) => event.endsWith("pong"));
    client.socket.send(frame(6));
    const refusal = await client.next(({ event }) => event.endsWith("error"));
    const { message } = "ask" in client ? refusal : (refusal.data as { message: string });
    expect(message).toBe("The JSON is nested more than 5 levels deep (limits.jsonDepth).");
    await client.ping();
  });
});

test("a user that a token vouches for has no more member data than anybody else", async () => {
  const client = await connectAs(url, "1", { info: "x".repeat(100), channels: ["presence-x"] });
  expect(await client.ask("subscribe", { channel: "presence-x" })).toMatchObject({
    code: "data_too_large",
    message: "The member's data has 102 bytes; at most 60 (memberDataBytes).",
  });
});

test("a user's data may take as many bytes as a member's and the whole watchlist together", async () => {
  const client = await connectPusher(url);
  const user = (bytes: number) => `{"id":"1"}`.padEnd(bytes);
  const { data } = await client.signin(user(101));
  expect(data).toMatchObject({
    message: "The user data has 101 bytes; at most 100 (memberDataBytes, and watchlistSize times userIdLength).",
  });
  expect((await client.signin(user(100))).event).toBe("pusher:signin_success");
});

test("the data of a Pusher command that comes as text is no deeper than other JSON", async () => {
  const client = await connectPusher(url);
  client.send("pusher:subscribe", `{"channel":"c","x":${nested(5)}}`);
  expect((await client.next("pusher:error")).data).toMatchObject({
    code: null,
    message: expect.stringContaining("5 levels"),
  });
  client.send("pusher:subscribe", `{"channel":"c","x":${nested(4)}}`);
  await client.next("pusher_internal:subscription_succeeded");
});

describe("over HTTP", () => {
  const event = { name: "x", channel: "c" };

  test("an event's data may take as many bytes as configured; more is 413", async () => {
    const refusal = { status: 413, code: "data_too_large", message: EVENT_OF_101 };
    expect(await apiStatus(url, "POST", "/events", { ...event, data: json(100) })).toBe(200);
    expect(await apiRefusal(url, "POST", "/events", { ...event, data: json(101) })).toEqual(refusal);
    expect(await apiRefusal(url, "POST", "/events", { ...event, data: { x: "y".repeat(93) } })).toEqual(refusal);
    expect(await apiRefusal(url, "POST", "/batch_events", { batch: [{ ...event, data: json(101) }] })).toEqual(refusal);
    const old = await signedFetch(url, APP, "POST", "/channels/c/events", { query: { name: "x" }, body: json(101) });
    expect(old.status).toBe(413);
  });

  test("a body may take as many bytes as configured; more is 413, whether or not it says how long it is (B6, B11)", async () => {
    const body = (bytes: number) => JSON.stringify({ ...event, data: "{}" }).padEnd(bytes);
    const message = "The body is larger than 2000 bytes (limits.httpBodyBytes)";
    const refusal = (came: number) => ({ status: 413, code: "data_too_large", message: `${message}: it has ${came}.` });
    expect(await apiStatus(url, "POST", "/events", body(2000))).toBe(200);
    expect(await apiRefusal(url, "POST", "/events", body(2001))).toEqual(refusal(2001));
    expect(await apiRefusal(url, "POST", "/events", body(10_000_000))).toEqual(refusal(10_000_000));

    const [fits, endless] = [await connectRaw(url), await connectRaw(url)];
    fits.write(chunkedRequest(body(2000)));
    fits.write("0\r\n\r\n");
    await fits.until(() => fits.text.includes("200 OK"), "200");
    // Refused while it is still being sent.
    endless.write(chunkedRequest(body(2001)));
    await endless.until(() => endless.text.includes(`${message}.`), "413");
    expect(endless.text).toContain("413 Payload Too Large");
    await endless.closed;
  });

  test("JSON may be as deep as configured; deeper is 400", async () => {
    const body = (levels: number) => `{"name":"x","channel":"c","data":${nested(levels - 1)}}`;
    expect(await apiStatus(url, "POST", "/events", body(5))).toBe(200);
    expect(await apiRefusal(url, "POST", "/events", body(6))).toEqual({
      status: 400,
      code: "malformed",
      message: "The JSON is nested more than 5 levels deep (limits.jsonDepth).",
    });
  });

  test("brackets inside strings are no depth", async () => {
    const data = JSON.stringify({ text: `"${nested(20)}\\` });
    expect(await apiStatus(url, "POST", "/events", { ...event, data })).toBe(200);
  });

  test("an event that the body's limit lets pass is still bound by the event's", async () => {
    const response = await signedFetch(url, APP, "POST", "/events", { body: { ...event, data: "x".repeat(1500) } });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: expect.stringContaining("eventDataBytes): it has 1500.") });
  });
});

test("a proof of any length is refused without harm", async () => {
  const client = await connectPusher(url);
  client.sendSubscribe("private-x", { auth: `${APP.key}:${"0".repeat(700)}` });
  expect((await client.nextIn("private-x")).event).toBe("pusher:subscription_error");
  client.sendSubscribe("private-x", { auth: channelAuth(APP, client.socketId, "private-x") });
  expect((await client.nextIn("private-x")).event).toBe("pusher_internal:subscription_succeeded");
});

function chunkedRequest(body: string): string {
  const path = signedUrl(url, APP, "POST", "/events", { body }).slice(url.length);
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`;
  return `${head}${body.length.toString(16)}\r\n${body}\r\n`;
}
