/** The native protocol over HTTP: streams that are cut and resumed, commands that are sent again, long polls, and statuses. */

import { expect, test } from "bun:test";
import { SignJWT } from "jose";
import { createServer, type Guard, type Server } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { chance } from "../support/chance.ts";
import { eventually } from "../support/eventually.ts";
import { LineStream } from "../support/line-stream.ts";
import { trigger } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const server = await startServer(
  { http: { sessionTimeoutS: 1, pollS: 1 } },
  { anonymous: true, clientEvents: true, channels: [{ match: "kept.*", history: { size: 1000, ttlS: 60 } }] },
);
const { url } = server;

interface Frame {
  readonly event: string;
  readonly channel?: string;
  readonly data?: never;
  readonly id?: unknown;
}

interface Opened {
  readonly stream: LineStream;
  readonly session: string;
  readonly next: () => Promise<Frame>;
}

const lines = (...commands: object[]) => commands.map((command) => `${JSON.stringify(command)}\n`).join("");
const subscribe = (channel: string) => ({ event: "subscribe", id: 1, data: { channel } });

async function openStream(init: RequestInit = {}, to: Pick<Server, "url"> = server): Promise<Opened> {
  const stream = await LineStream.open(`${to.url}/rt/stream`, init);
  expect(stream.response.status).toBe(200);
  const next = async () => JSON.parse(await stream.find((line) => line !== "")) as Frame;
  const { event, data } = await next();
  expect(event).toBe("welcome");
  return { stream, next, session: (data as unknown as { session: string }).session };
}

function send(session: string, seq: number, ...commands: object[]): Promise<Response> {
  return fetch(`${url}/rt/send?session=${session}&seq=${seq}`, { method: "POST", body: lines(...commands) });
}

test("one request opens, subscribes and streams: a frame a line, whatever line ends the payload has", async () => {
  const { stream, next, session } = await openStream({ body: lines(subscribe("news"), { event: "ping", id: 2 }) });
  expect(stream.response.headers.get("content-type")).toBe("application/x-ndjson; charset=UTF-8");
  expect(session).toMatch(/^\d+\.[\w-]{22}/);
  expect(await next()).toMatchObject({ event: "subscribed", channel: "news", id: 1 });
  expect(await next()).toEqual({ event: "pong", id: 2 });
  await trigger(url, APP, { name: "e", channel: "news", data: '{"a":\r\n1}' });
  expect(await next()).toEqual({ event: "e", channel: "news", data: { a: 1 } as never });
  expect((await send(session, 3, { event: "publish", id: 3, data: { channel: "news", data: "x" } })).status).toBe(204);
  const answers = [await next()];
  expect(answers.map(({ event }) => event)).toEqual(["error"]);
});

test("a stream that is cut is resumed behind what the client has: no event is lost, and nobody sees it go", async () => {
  const watcher = await openStream({ body: lines(subscribe("room")) });
  const { stream, session, next } = await openStream({ body: lines(subscribe("room")) });
  await next();
  let has = 2;
  const random = chance(7);
  let current = stream;
  const heard: unknown[] = [];
  const total = 200;
  let pushed = 0;
  while (heard.length < total) {
    for (let n = Math.floor(random() * 20); n > 0 && pushed < total; n--) {
      await server.toChannel("room").push({ event: "e", data: String(pushed++) });
    }
    // The proxy cuts; what was on its way may or may not have come.
    if (random() < 0.5) {
      current.abort();
      current = await LineStream.open(`${url}/rt/stream?session=${session}&ack=${has}`);
      expect(current.response.status).toBe(200);
    }
    while (current.pending > 0 || (pushed === total && heard.length < total)) {
      const line = await current.find((text) => text !== "");
      has++;
      heard.push((JSON.parse(line) as Frame).data);
    }
    await Bun.sleep(1);
  }
  expect(heard).toEqual(Array.from({ length: total }, (_, n) => String(n)));
  expect((await server.channel("room").info())?.subscribers).toBe(2);
  watcher.stream.abort();
});

test("who asks for frames that are no longer kept, or names no session that there is, is told 410", async () => {
  const { session, next } = await openStream({ body: lines(subscribe("busy")) });
  await next();
  for (let n = 0; n < 300; n++) await server.toChannel("busy").push("x");
  for (let n = 0; n < 300; n++) await next();
  const late = await fetch(`${url}/rt/stream?session=${session}&ack=2`, { method: "POST" });
  expect([late.status, ((await late.json()) as { code: string }).code]).toEqual([410, "session_gone"]);
  await eventually(async () => expect(await server.channel("busy").info()).toBeUndefined());
  for (const path of ["stream?", "poll?", "send?seq=1&", "close?"]) {
    const response = await fetch(`${url}/rt/${path}session=${session}`, { method: "POST" });
    expect([path, response.status]).toEqual([path, 410]);
  }
});

test("commands are handled once and in order, however often and in whatever order they come", async () => {
  const { session, next } = await openStream({ body: lines({ event: "ping", id: 1 }) });
  expect(await next()).toEqual({ event: "pong", id: 1 });
  const ping = (id: number) => ({ event: "ping", id });
  const later = send(session, 4, ping(4));
  await Bun.sleep(20);
  expect((await send(session, 2, ping(2), ping(3))).status).toBe(204);
  expect((await later).status).toBe(204);
  expect((await send(session, 2, ping(2), ping(3))).status).toBe(204);
  expect((await send(session, 3, ping(3), ping(4), ping(5))).status).toBe(204);
  for (const id of [2, 3, 4, 5]) expect(await next()).toEqual({ event: "pong", id });
  // As many as may wait do so longer than this test may take.
  const empty = Array.from({ length: 65 }, () => send(session, 9).then(({ status }) => status));
  expect(await Promise.race(empty)).toBe(409);
  const missing = await send(session, 9, ...Array.from({ length: 65 }, (_, n) => ping(n)));
  expect([missing.status, await missing.json()]).toEqual([
    409,
    { code: "commands_missing", expected: 6, error: expect.stringContaining("Command 6") },
  ]);
});

test("requests that come too fast are handled later, and refused where that does not help; the session stays", async () => {
  const strict = await startServer({}, { anonymous: true, limits: { framesPerSecond: 3 } });
  const { session, next } = await openStream({ body: lines({ event: "ping", id: 1 }) }, strict);
  expect(await next()).toEqual({ event: "pong", id: 1 });
  // Sent again and again, a command counts as a frame but once.
  const again = () => fetch(`${strict.url}/rt/send?session=${session}&seq=1`, { method: "POST", body: lines({}) });
  const startedAtMs = performance.now();
  const statuses = await Promise.all(Array.from({ length: 30 }, async () => (await again()).status));
  expect(statuses).toEqual(Array(30).fill(204));
  expect(performance.now() - startedAtMs).toBeGreaterThan(300);
  const refused = (await Promise.all(Array.from({ length: 60 }, again))).filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(10);
  expect(refused[0]?.headers.get("retry-after")).toBe("1");
  await eventually(async () => expect((await again()).status).toBe(204));
});

test("an app whose provider is away is answered 503, and an EventSource comes again", async () => {
  const away = () => Promise.reject(new Error("The database is away."));
  const lost = createServer({
    ...{ host: "127.0.0.1", port: 0, log: { level: "silent" } },
    apps: { byKey: away, byId: away },
  });
  atEnd(() => lost.stop());
  await lost.start();
  const ask = async (path: string, method = "POST") => {
    const response = await fetch(`${lost.url}${path}`, { method });
    return [response.status, response.headers.get("retry-after"), await response.text()] as const;
  };
  const session = "/pusher/app/shop/1/abcdefgh";
  for (const path of ["/rt/stream?app=shop", "/rt/poll?app=shop", `${session}/xhr_send`]) {
    expect(await ask(path)).toEqual([503, "1", expect.stringContaining("cannot be looked up")]);
  }
  expect((await ask("/rt/stream?app=shop", "OPTIONS"))[0]).toBe(503);
  expect(await ask(`${session}/xhr`)).toEqual([200, null, expect.stringContaining("c[4")]);
  const events = await ask("/rt/events?app=shop&channels=a", "GET");
  expect([events[0], events[2]]).toEqual([200, expect.stringMatching(/^retry: \d+\nevent: fanfare:closing\n/)]);
});

test("a poll that is asked again for what got lost gets it again", async () => {
  const poll = async (query: string, init: RequestInit = {}) => {
    const response = await fetch(`${url}/rt/poll?${query}`, { method: "POST", ...init });
    expect(response.status).toBe(200);
    return (await response.json()) as { session: string; seq: number; frames: Frame[] };
  };
  const { session, seq, frames } = await poll("", { body: lines(subscribe("polled")) });
  expect([seq, frames.length >= 1, frames[0]?.event]).toEqual([frames.length, true, "welcome"]);
  let has = seq;
  while (has < 2) has = (await poll(`session=${session}&ack=${has}`)).seq;
  expect(await poll(`session=${session}&ack=2`)).toEqual({ session, seq: 2, frames: [] });
  await server.toChannel("polled").push("one");
  const first = await poll(`session=${session}&ack=2`);
  expect(first).toEqual({ session, seq: 3, frames: [{ event: "message", channel: "polled", data: "one" as never }] });
  expect(await poll(`session=${session}&ack=2`)).toEqual(first);
  expect([...server.connections].some(({ transport }) => transport === "poll")).toBe(true);
});

test("server-sent events carry the number as their id, and an EventSource goes on by it", async () => {
  const posted = await LineStream.open(`${url}/rt/stream`, { headers: { Accept: "text/event-stream" } });
  expect(posted.response.headers.get("content-type")).toBe("text/event-stream; charset=UTF-8");
  expect([await posted.next(), await posted.next(), await posted.next()]).toEqual(["retry: 1000", "", "id: 1"]);

  const source = await LineStream.open(`${url}/rt/stream`, { method: "GET" });
  const id = (await source.find((line) => line.startsWith("id: "))).slice(4);
  const { data } = JSON.parse((await source.find((line) => line.startsWith("data: "))).slice(6));
  expect(id).toBe(`${data.session}:1`);
  expect((await send(data.session, 1, subscribe("sourced"))).status).toBe(204);
  await source.find((line) => line.includes("subscribed"));
  source.abort();
  await server.toChannel("sourced").push("missed");
  const headers = { "Last-Event-ID": `${data.session}:2` };
  const again = await LineStream.open(`${url}/rt/stream`, { method: "GET", headers });
  expect(await again.find((line) => line.startsWith("data: "))).toContain('"missed"');
});

test("an EventSource of the server's own origin, which browsers do not name with it, sends like any page", async () => {
  const source = await LineStream.open(`${url}/rt/stream`, { method: "GET" });
  const welcome = await source.find((line) => line.startsWith("data: "));
  const { session } = JSON.parse(welcome.slice(6)).data;
  const from = async (origin: string | undefined, path = "send", method = "POST") => {
    const headers = origin === undefined ? {} : { Origin: origin };
    const query = `session=${session}&seq=1`;
    const aborter = new AbortController();
    const { status } = await fetch(`${url}/rt/${path}?${query}`, { method, headers, signal: aborter.signal });
    aborter.abort();
    return status;
  };
  expect(await from(url)).toBe(204);
  expect(await from("https://evil.example")).toBe(403);
  expect(await from(undefined, "stream", "GET")).toBe(200);
  expect(await from(url)).toBe(204);
});

test("what is refused before the stream begins has a status", async () => {
  const status = async (query: string, init: RequestInit = {}, action = "stream") =>
    (await fetch(`${url}/rt/${action}${query}`, { method: "POST", ...init })).status;
  expect(await status("?app=nobody")).toBe(404);
  expect(await status("", { headers: { Authorization: "Bearer forged" } })).toBe(401);
  expect(await status("", { headers: { "Content-Type": "image/png" }, body: "x" })).toBe(415);
  expect(await status("", { body: "x".repeat(4 * server.config.limits.frameBytes + 1) })).toBe(413);
  expect(await status("", { body: lines(...Array(17).fill({ event: "ping" })) })).toBe(400);
  expect(await status("", { method: "GET" }, "send")).toBe(405);
  expect(await status("", { method: "OPTIONS" })).toBe(204);
  const { session } = await openStream();
  expect(await status(`?session=${session}&seq=0`, {}, "send")).toBe(400);
  expect(await status(`?session=${session}&seq=x`, {}, "send")).toBe(400);

  const listed = await startServer({}, { allowedOrigins: ["https://a.example"] });
  const from = (Origin: string) => fetch(`${listed.url}/rt/stream`, { method: "POST", headers: { Origin } });
  expect((await from("https://evil.example")).status).toBe(403);
  const off = await startServer({ http: { native: false } });
  expect((await fetch(`${off.url}/rt/stream`, { method: "POST" })).status).toBe(404);
});

test("a token in the header says whose the connection is", async () => {
  const token = await new SignJWT({ sub: "ada", channels: ["private-*"] })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(APP.secret));
  const headers = { Authorization: `Bearer ${token}` };
  const { next } = await openStream({ headers, body: lines(subscribe("private-hers")) });
  expect(await next()).toMatchObject({ event: "subscribed", channel: "private-hers" });
  const inFrame = { event: "authenticate", data: { token } };
  const stream = await LineStream.open(`${url}/rt/stream?auth=frame`, { body: lines(inFrame) });
  const welcome = JSON.parse(await stream.find((line) => line !== ""));
  expect(welcome.data.user).toEqual({ id: "ada" });
});

test("a page that closes says so, and is gone at once; one that is silent is asked, and goes when it does not answer", async () => {
  const { session } = await openStream({ body: lines(subscribe("left")) });
  await eventually(async () => expect((await server.channel("left").info())?.subscribers).toBe(1));
  const closing = { method: "POST", headers: { "Content-Type": "text/plain;charset=UTF-8" }, body: "" };
  expect((await fetch(`${url}/rt/close?session=${session}`, closing)).status).toBe(204);
  expect(await server.channel("left").info()).toBeUndefined();

  const curious = await startServer({ activityTimeoutS: 0.2, pongTimeoutS: 1.5 }, { anonymous: true });
  const { next, session: answering } = await openStream({}, curious);
  const silent = await openStream({}, curious);
  expect(await next()).toEqual({ event: "ping" });
  const pong = `${curious.url}/rt/send?session=${answering}&seq=1`;
  expect((await fetch(pong, { method: "POST", body: lines({ event: "pong" }) })).status).toBe(204);
  expect(await silent.next()).toEqual({ event: "ping" });
  expect(await silent.next()).toMatchObject({ event: "closing", code: "pong_missing" } as object);
  expect(await silent.stream.next()).toBeUndefined();
});

test("who decides on a client knows by what it comes; one that hangs up meanwhile takes no place", async () => {
  const asked: (readonly [string, AbortSignal])[] = [];
  const decided = Promise.withResolvers<void>();
  const guard: Guard = {
    async connect({ signal }, _app, _protocol, { transport }) {
      asked.push([transport, signal]);
      await decided.promise;
      return undefined;
    },
  };
  const app = { ...APP, anonymous: true, limits: { connections: 1 } };
  const deciding = createServer({ host: "127.0.0.1", port: 0, log: { level: "silent" }, apps: [app], guards: [guard] });
  atEnd(() => deciding.stop());
  await deciding.start();
  const aborter = new AbortController();
  const leaving = ["/rt/stream", `/app/${APP.key}/1/abcdefgh/xhr_streaming`].map((path) =>
    fetch(`${deciding.url}${path}`, { method: "POST", signal: aborter.signal }),
  );
  await eventually(() => expect(asked.map(([name]) => name).toSorted()).toEqual(["stream", "xhr_streaming"]));
  aborter.abort();
  await Promise.allSettled(leaving);
  await eventually(() => expect(asked.map(([, { aborted }]) => aborted)).toEqual([true, true]));
  decided.resolve();
  await eventually(async () => {
    const stream = await LineStream.open(`${deciding.url}/rt/stream`);
    expect(stream.response.status).toBe(200);
  });
});
