/** Pusher's HTTP transports byte by byte: lines, rotation, statuses, other origins, and how a session ends. */

import { expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { type ConfigInput, createServer, type Server } from "../../packages/server/src/index.ts";
import { startBackend } from "../conformance/backend.ts";
import { connectClient, type Heard, own, type PusherTransport } from "../conformance/pusher-js.ts";
import { atEnd } from "../support/at-end.ts";
import { chance } from "../support/chance.ts";
import { eventually } from "../support/eventually.ts";
import { LineStream } from "../support/line-stream.ts";
import { APP, startServer } from "../support/server.ts";
import { scaled } from "../support/soak.ts";

const server = await startServer({ http: { sessionTimeoutS: 1, pollS: 2 } });
const QUERY = "?protocol=7&client=js&version=8.6.0";

let lastSession = 0;

function sessionUrl({ url }: Pick<Server, "url">, key: string = APP.key): string {
  return `${url}/pusher/app/${key}/${lastSession % 1000}/t${(lastSession++).toString(32).padStart(7, "0")}`;
}

/** An open stream, and the address of its session. */
async function openSession(to: Pick<Server, "url"> = server, headers: Record<string, string> = {}) {
  const address = sessionUrl(to);
  const stream = await LineStream.open(`${address}/xhr_streaming${QUERY}`, { headers });
  expect([stream.response.status, await stream.next()]).toEqual([200, "o{}"]);
  const welcome = (await stream.next()) ?? "";
  expect(welcome).toStartWith('a["{\\"event\\":\\"pusher:connection_established\\"');
  return { address, stream, id: /\d+\.\d+/.exec(welcome)?.[0] ?? "" };
}

function send(address: string, frames: readonly unknown[], init: RequestInit = {}): Promise<Response> {
  return fetch(`${address}/xhr_send?t=1&n=2`, { method: "POST", body: JSON.stringify(frames), ...init });
}

const subscribe = (channel: string) => JSON.stringify({ event: "pusher:subscribe", data: { channel } });

test("a stream begins with o and the welcome, is of a type that no browser sniffs, and no proxy stores or buffers it", async () => {
  const { address, stream } = await openSession();
  const { headers } = stream.response;
  expect(headers.get("content-type")).toBe("application/javascript; charset=UTF-8");
  expect([headers.get("cache-control"), headers.get("x-accel-buffering")]).toEqual(["no-store", "no"]);
  expect((await send(address, [subscribe("news")])).status).toBe(204);
  expect(await stream.next()).toContain("pusher_internal:subscription_succeeded");
  await server.toChannel("news").push({ event: "e", data: 'a "line"\nend' });
  expect(JSON.parse((await stream.next())?.slice(1) ?? "")).toEqual([
    JSON.stringify({ event: "e", channel: "news", data: 'a "line"\nend' }),
  ]);
});

test("a poll waits for something to report, h where there is nothing, and never says o twice", async () => {
  const address = sessionUrl(server);
  const poll = async () => (await fetch(`${address}/xhr${QUERY}`, { method: "POST" })).text();
  expect(await poll()).toMatch(/^o\{\}\na\["\{.*connection_established.*\n$/);
  expect(await poll()).toBe("h\n");
  const waiting = poll();
  await send(address, [subscribe("polled"), '{"event":"pusher:ping","data":{}}']);
  let told = await waiting;
  while (!told.includes("pusher:pong")) told += await poll();
  expect(told).toContain("subscription_succeeded");
  expect(told).not.toContain("o{}");
});

test.each(["xhr_streaming", "xhr"])("%s: a refusal is told in one response of status 200", async (action) => {
  const response = await fetch(`${sessionUrl(server, "no-such-key")}/${action}${QUERY}`, { method: "POST" });
  const [o, a, c, end] = (await response.text()).split("\n");
  expect([response.status, o, end]).toEqual([200, "o{}", ""]);
  expect(JSON.parse(JSON.parse(a?.slice(1) ?? "")[0])).toMatchObject({ event: "pusher:error", data: { code: 4001 } });
  expect(JSON.parse(c?.slice(1) ?? "")[0]).toBe(4001);
});

test("what cannot be sent has a status that says so", async () => {
  const { address } = await openSession();
  const status = async (body: string, to = address) => (await fetch(`${to}/xhr_send`, { method: "POST", body })).status;
  expect(await status("[]")).toBe(204);
  expect(await status("not JSON")).toBe(400);
  expect(await status("[1]")).toBe(400);
  expect(await status("[]", sessionUrl(server))).toBe(404);
  const { frameBytes } = server.config.limits;
  expect(await status(JSON.stringify(["x".repeat(frameBytes + 1)]))).toBe(413);
  expect(await status(JSON.stringify(Array(5).fill("x".repeat(frameBytes))))).toBe(413);
  expect((await fetch(`${address}/xhr_streaming`)).status).toBe(405);
});

test("a client that floods is told 429, and c with 4100", async () => {
  const strict = await startServer({}, { limits: { framesPerSecond: 3 } });
  const { address, stream } = await openSession(strict);
  const ping = '{"event":"pusher:ping","data":{}}';
  const response = await send(address, Array(10).fill(ping));
  expect([response.status, response.headers.get("retry-after")]).toEqual([429, "1"]);
  const lines = await stream.rest();
  expect(JSON.parse(lines.at(-1)?.slice(1) ?? "")[0]).toBe(4100);
});

test("a session that sends too many requests is told that it floods, whatever is in them", async () => {
  const strict = await startServer({}, { limits: { framesPerSecond: 3 } });
  const { address, stream } = await openSession(strict);
  const post = async () => (await fetch(`${address}/xhr_send`, { method: "POST", body: "nonsense" })).status;
  // What comes at once, and a second's worth that would have to wait.
  expect(await Promise.all(Array.from({ length: 40 }, post))).toEqual(Array(40).fill(400));
  await Promise.all(Array.from({ length: 30 }, post));
  expect((await stream.rest()).at(-1)).toStartWith("c[4100,");
});

test("who asks for many sessions that are not there may not try on, while those that are there go on", async () => {
  const behind = await startServer({ trustedProxies: ["127.0.0.1"] });
  const from = (address: string) => ({ "X-Forwarded-For": address });
  const { address } = await openSession(behind, from("198.51.100.7"));
  const headers = from("198.51.100.7");
  const statuses = async (ask: () => Promise<Response>) => {
    const answers = await Promise.all(Array.from({ length: 60 }, ask));
    return new Set(answers.map(({ status }) => status));
  };
  expect(await statuses(() => send(sessionUrl(behind), [], { headers }))).toEqual(new Set([404, 429]));
  expect(await statuses(() => send(address, [], { headers }))).toEqual(new Set([204]));
  const native = `${behind.url}/rt/poll?session=1.x&ack=1`;
  expect(await statuses(() => fetch(native, { method: "POST", headers }))).toContain(429);
  expect((await send(sessionUrl(behind), [], { headers: from("198.51.100.8") })).status).toBe(404);
});

test("an address has as many sessions as it may have sockets, and a header block has its limit", async () => {
  const few = await startServer({ trustedProxies: ["127.0.0.1"], limits: { connectionsPerIp: 2 } });
  const headers = { "X-Forwarded-For": "198.51.100.7" };
  const { stream } = await openSession(few, headers);
  await openSession(few, headers);
  const third = await fetch(`${sessionUrl(few)}/xhr_streaming${QUERY}`, { method: "POST", headers });
  expect(await third.text()).toContain("c[4100,");
  stream.abort();
  await eventually(() => openSession(few, headers));
  const long = { "X-Long": "x".repeat(20_000) };
  expect((await fetch(sessionUrl(few), { method: "POST", headers: long })).status).toBe(431);
});

test("pages of other origins may call what the app allows, and a session is its page's own", async () => {
  const listed = await startServer({}, { allowedOrigins: ["https://a.example", "https://b.example"] });
  const from = (origin: string) => ({ Origin: origin });
  const preflight = async (origin: string) =>
    await fetch(`${sessionUrl(listed)}/xhr_send`, { method: "OPTIONS", headers: from(origin) });
  const allowed = await preflight("https://a.example");
  expect(allowed.status).toBe(204);
  expect(Object.fromEntries(allowed.headers)).toMatchObject({
    "access-control-allow-origin": "https://a.example",
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "content-type",
    vary: "Origin",
  });
  expect((await preflight("https://evil.example")).headers.get("access-control-allow-origin")).toBeNull();

  const refused = await LineStream.open(`${sessionUrl(listed)}/xhr_streaming`, {
    headers: from("https://evil.example"),
  });
  expect((await refused.rest()).at(-1)).toStartWith("c[4009,");

  const { address, stream } = await openSession(listed, from("https://a.example"));
  expect(stream.response.headers.get("access-control-allow-origin")).toBe("https://a.example");
  expect((await send(address, [], { headers: from("https://b.example") })).status).toBe(403);
  expect((await send(address, [])).status).toBe(403);
  expect((await send(address, [], { headers: from("https://a.example") })).status).toBe(204);
});

test("any page may call where no origin is listed", async () => {
  const response = await fetch(`${sessionUrl(server)}/xhr`, {
    method: "OPTIONS",
    headers: { Origin: "https://x.example" },
  });
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
});

test("rotation: nothing is written behind the line that makes a response too long, and nothing is lost (property)", async () => {
  const random = chance(20261130);
  const { library } = startBackend(server);
  const client = await connectClient({ port: server.port, transport: "xhr_streaming" }, startBackend(server));
  const { heard } = await client.subscribe("long");
  const { socketId } = client;
  const letters = ["a", "é", "\u{1F680}", '"', "\n", "漢"];
  const expected: unknown[] = [];
  for (let n = 0; n < scaled(3_000, 300); n++) {
    const letter = letters[Math.floor(random() * letters.length)] ?? "a";
    const data = { n, text: letter.repeat(1 + Math.floor(random() * 9_000)) };
    expected.push(["e", data]);
    await server.toChannel("long").push({ event: "e", data });
    if (random() < 0.05) await Bun.sleep(1);
  }
  await library.trigger("long", "end", {});
  await eventually(() => expect(own(heard).at(-1)).toEqual(["end", {}]), { withinMs: 60_000 });
  expect(own(heard).slice(0, -1)).toEqual(expected as never);
  expect([client.socketId, client.errors]).toEqual([socketId, []]);
  const responses = JSON.stringify(expected).length / 262_144;
  expect(responses).toBeGreaterThan(4);
}, 120_000);

test("clients of every transport are in one channel: each event reaches all but its sender, once", async () => {
  const backend = startBackend(server);
  const transports: readonly PusherTransport[] = ["ws", "xhr_streaming", "xhr_polling", "xhr_streaming"];
  const clients: { socketId: string; heard: readonly Heard[]; trigger: (text: string) => void }[] = [];
  for (const [n, transport] of transports.entries()) {
    const client = await connectClient({ port: server.port, transport }, backend, { user: `u${n}` });
    const { channel, heard } = await client.subscribe("presence-mixed");
    clients.push({ socketId: client.socketId, heard, trigger: (text) => channel.trigger("client-e", text) });
  }
  for (const [n, { trigger }] of clients.entries()) trigger(`from ${n}`);
  for (const [n, { heard }] of clients.entries()) {
    const others = transports.flatMap((_, other) => (other === n ? [] : [`from ${other}`]));
    await eventually(() => expect(dataOf(heard, "client-e").sort()).toEqual(others));
  }
  for (const { socketId } of clients) {
    await backend.library.trigger("presence-mixed", "not for one", `not ${socketId}`, { socket_id: socketId });
  }
  await backend.library.trigger("presence-mixed", "for all", "the end");
  for (const { heard, socketId } of clients) {
    await eventually(() => expect(dataOf(heard, "for all")).toEqual(["the end"]));
    const others = clients.flatMap((other) => (other.socketId === socketId ? [] : [`not ${other.socketId}`]));
    expect(dataOf(heard, "not for one")).toEqual(others);
  }
  expect(await server.members("presence-mixed")).toHaveLength(4);
});

function dataOf(heard: readonly Heard[], event: string): unknown[] {
  return heard.flatMap(([name, data]) => (name === event ? [data] : []));
}

test("a client that hangs up leaves at once, and one that polls no more when its session is over", async () => {
  const { address, stream } = await openSession();
  await send(address, [subscribe("going")]);
  await eventually(async () => expect((await server.channel("going").info())?.subscribers).toBe(1));
  stream.abort();
  await eventually(async () => expect(await server.channel("going").info()).toBeUndefined());
  expect((await send(address, [])).status).toBe(404);

  const poller = sessionUrl(server);
  await (await fetch(`${poller}/xhr`, { method: "POST" })).text();
  await send(poller, [subscribe("going")]);
  await eventually(async () => expect((await server.channel("going").info())?.subscribers).toBe(1));
  await eventually(async () => expect(await server.channel("going").info()).toBeUndefined());
});

test("a newer request takes the place of the one that reads, which ends without a line", async () => {
  const { address, stream } = await openSession();
  const second = await LineStream.open(`${address}/xhr_streaming${QUERY}`);
  expect(await stream.rest()).toEqual([]);
  await send(address, ['{"event":"pusher:ping","data":{}}']);
  expect(await second.find((line) => line !== " ")).toContain("pusher:pong");
});

test("a client that stops reading is cut, and what waits for it is bounded", async () => {
  const small = await startServer({ limits: { outboundBufferBytes: 65_536 } });
  const address = new URL(sessionUrl(small));
  const socket = connectTcp(Number(address.port), "127.0.0.1");
  atEnd(() => socket.destroy());
  socket.write(`POST ${address.pathname}/xhr_streaming HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
  await new Promise((resolve) => socket.once("data", resolve));
  socket.pause();
  await send(address.href, [subscribe("busy")]);
  await eventually(async () => expect((await small.channel("busy").info())?.subscribers).toBe(1));
  let sent = 0;
  await eventually(async () => {
    for (let n = 0; n < 3; n++, sent++) await small.toChannel("busy").push({ event: "n", data: "x".repeat(10_000) });
    expect(small.connections.count()).toBe(0);
  });
  // A response is 256 KiB, then the server's own buffer takes the rest.
  expect(sent * 10_000).toBeLessThan(2_000_000);
});

test("a session that closes ends in time, also where its client vanished behind a response that is full", async () => {
  const { address, stream, id } = await openSession();
  await send(address, [subscribe("brief")]);
  await eventually(async () => expect((await server.channel("brief").info())?.subscribers).toBe(1));
  for (let n = 0; n < 28; n++) await server.toChannel("brief").push({ event: "n", data: "x".repeat(10_000) });
  // Full, and never asked for again.
  await eventually(() => expect(stream.units).toBeGreaterThan(262_144));
  expect(server.disconnect(id)).toBe(true);
  expect((await send(address, [])).status).toBe(204);
  await eventually(async () => expect((await send(address, [])).status).toBe(404), { withinMs: 5_000 });
  stream.abort();
});

test("a server that stops says c with 4200 to those who read, and ends their responses", async () => {
  const ending = await startServer();
  const { stream } = await openSession(ending);
  const address = sessionUrl(ending);
  await (await fetch(`${address}/xhr`, { method: "POST" })).text();
  const poll = fetch(`${address}/xhr`, { method: "POST" }).then((response) => response.text());
  await eventually(() => expect(ending.connections.count()).toBe(2));
  await Bun.sleep(50);
  await ending.stop();
  expect((await stream.rest()).at(-1)).toStartWith("c[4200,");
  expect(await poll).toContain("c[4200,");
});

test("what is published while a server stops is in a poll's last answer, with the farewell", async () => {
  // Two clients, one told at once and the other a second later.
  const ending = await startServer({ drainTimeoutS: 4 });
  const addresses = [sessionUrl(ending), sessionUrl(ending)];
  for (const address of addresses) {
    await (await fetch(`${address}/xhr`, { method: "POST" })).text();
    await send(address, [subscribe("last")]);
    await (await fetch(`${address}/xhr`, { method: "POST" })).text();
  }
  const polls = addresses.map((address) => fetch(`${address}/xhr`, { method: "POST" }).then((it) => it.text()));
  await Bun.sleep(50);
  const stopping = ending.stop();
  await eventually(async () =>
    expect((await fetch(`${ending.url}/ready`).catch(() => ({ status: 0 }))).status).not.toBe(200),
  );
  await ending
    .toChannel("last")
    .push({ event: "late", data: 1 })
    .catch(() => {});
  const answers = await Promise.all(polls);
  await stopping;
  for (const answer of answers) expect(answer).toContain("c[4200,");
  expect(answers.filter((answer) => answer.includes("late"))).not.toEqual([]);
}, 20_000);

test("with a program mounted, the paths are /pusher/app and the server's own; and there are none where they are switched off", async () => {
  const program = async (config: ConfigInput) => {
    const mounted = createServer({ host: "127.0.0.1", port: 0, log: { level: "silent" }, apps: [APP], ...config });
    mounted.mount(() => new Response("the program", { status: 418 }));
    atEnd(() => mounted.stop());
    await mounted.start();
    return async (path: string) => {
      const address = `${mounted.url}${path}${new URL(sessionUrl(mounted)).pathname.replace("/pusher", "")}`;
      return (await fetch(`${address}/xhr`, { method: "POST" })).status;
    };
  };
  const own = await program({ path: "/ws" });
  expect([await own("/pusher"), await own("/ws"), await own("/other")]).toEqual([200, 200, 418]);
  const off = await program({ http: { pusher: false } });
  expect(await off("/pusher")).toBe(418);
});
