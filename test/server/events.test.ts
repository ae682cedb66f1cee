/** One-way server-sent events: read by curl, resumed in all channels, refused by statuses or by a stream that ends. */

import { expect, test } from "bun:test";
import { connect } from "node:net";
import { SignJWT } from "jose";
import type { Server } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { LineStream } from "../support/line-stream.ts";
import { connectNative } from "../support/native-client.ts";
import { APP, type AppInput, startServer } from "../support/server.ts";

const KEPT: Partial<AppInput> = {
  anonymous: true,
  clientEvents: true,
  channels: [{ match: "kept.*", history: { size: 100, ttlS: 60 } }],
};
const server = await startServer({}, KEPT);

interface Told {
  readonly event?: string;
  readonly data?: string;
  readonly id?: string;
  readonly retry?: string;
}

/** As a client understands it: a blank line ends an event. */
class Events {
  readonly stream: LineStream;

  static async open(query: string, { lastId, ...init }: RequestInit & { lastId?: string } = {}, to = server) {
    const headers = { ...(init.headers as object), ...(lastId !== undefined && { "Last-Event-ID": lastId }) };
    return new Events(await LineStream.open(`${to.url}/rt/events?${query}`, { method: "GET", ...init, headers }));
  }

  constructor(stream: LineStream) {
    this.stream = stream;
  }

  /** Undefined where the response is over. Comments and times are passed over. */
  async next(): Promise<Told | undefined> {
    const told: Record<string, string> = {};
    for (let line = await this.stream.next(); line !== undefined; line = await this.stream.next()) {
      if (line === "" && told.event !== undefined) return told;
      const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (name) told[name] = told[name] === undefined ? (value ?? "") : `${told[name]}\n${value}`;
    }
    return undefined;
  }

  async find(event: string): Promise<Told> {
    for (let told = await this.next(); told; told = await this.next()) if (told.event === event) return told;
    throw new Error(`The response ended without ${event}.`);
  }
}

function tokenFor(channels: readonly string[]): Promise<string> {
  const claims = new SignJWT({ sub: "ada", channels }).setProtectedHeader({ alg: "HS256" }).setExpirationTime("1h");
  return claims.sign(new TextEncoder().encode(APP.secret));
}

const answer = (query: string, init: RequestInit = {}, to: Pick<Server, "url"> = server) =>
  fetch(`${to.url}/rt/events?${query}`, init);

test("a reader that watches sees the members of a presence channel, and is none", async () => {
  const claims = new SignJWT({ sub: "eve", watch: ["presence-*"] }).setProtectedHeader({ alg: "HS256" });
  const headers = { Authorization: `Bearer ${await claims.sign(new TextEncoder().encode(APP.secret))}` };
  expect((await answer("channels=presence-seen", { headers })).status).toBe(403);
  const events = await Events.open("channels=presence-seen&presence=watch", { headers });
  expect(await events.find("fanfare:subscribed")).toMatchObject({
    data: '{"channel":"presence-seen","data":{"members":[]}}',
  });
  const ada = await connectNative(server.url, { token: await tokenFor(["presence-*"]) });
  await ada.subscribe("presence-seen");
  await ada.ask("presence", { channel: "presence-seen", state: { at: 1 } });
  const member = { channel: "presence-seen", data: { user: { id: "ada" } } };
  expect(JSON.parse((await events.find("fanfare:member_added")).data ?? "")).toEqual(member);
  expect(JSON.parse((await events.find("fanfare:member_updated")).data ?? "")).toEqual({
    ...member,
    data: { user: { id: "ada", state: { at: 1 } } },
  });
  expect((await server.members("presence-seen")).map(({ id }) => id)).toEqual(["ada"]);
});

test("curl -N reads a channel: the event's name, its data as they were published, and it leaves when it ends", async () => {
  const curl = Bun.spawn([external("curl"), "-sN", `${server.url}/rt/events?channels=chat.room.1`], { stdout: "pipe" });
  atEnd(() => curl.kill());
  const events = new Events(LineStream.of(new Response(curl.stdout)));
  expect(await events.stream.next()).toBe("retry: 2000");
  expect(await events.next()).toEqual({
    event: "fanfare:subscribed",
    data: '{"channel":"chat.room.1"}',
    id: expect.stringMatching(/^[0-9a-f]{8}$/),
  });
  const room = server.toChannel("chat.room.1");
  await room.push({ event: "new-message", data: { text: "hi" } });
  await room.push({ event: "lines", data: "one\r\ntwo\nthree" });
  await room.push({ event: "error", data: 1 });
  expect(await events.next()).toEqual({ event: "new-message", data: '{"text":"hi"}' });
  expect(await events.next()).toEqual({ event: "lines", data: "one\ntwo\nthree" });
  // A browser would take it for the end of the connection.
  expect(await events.next()).toEqual({
    event: "message",
    data: '{"event":"error","channel":"chat.room.1","data":1,"pushed":true}',
  });
  expect([...server.connections].map(({ transport }) => transport)).toEqual(["events"]);
  curl.kill("SIGKILL");
  await eventually(async () => expect(await server.channel("chat.room.1").info()).toBeUndefined());
});

test("an id resumes all channels at once, and each says whether everything was recovered", async () => {
  const query = "channels=kept.b,kept.a,live";
  const first = await Events.open(query);
  for (const channel of ["kept.a", "kept.b", "live"]) {
    expect(JSON.parse((await first.find("fanfare:subscribed")).data ?? "")).toMatchObject({ channel });
  }
  await server.toChannel("kept.a").push({ event: "e", data: 1 });
  const { id = "", data = "" } = await first.find("e");
  expect(JSON.parse(data)).toMatchObject({ event: "e", channel: "kept.a", data: 1, position: { offset: 1 } });
  first.stream.abort();
  for (const n of [2, 3]) await server.toChannel("kept.a").push({ event: "e", data: n });
  await server.toChannel("kept.b").push({ event: "f", data: 4 });

  const heard = async (events: Events, count: number) => {
    const all: [string | undefined, unknown][] = [];
    while (all.length < count) {
      const { event, data: text = "" } = (await events.next()) ?? {};
      const { channel, recovered, data: value } = JSON.parse(text);
      if (event !== "fanfare:subscribed") all.push([event, value ?? `${channel} ${recovered}`]);
    }
    return all;
  };
  const expected = [
    ["fanfare:recovered", "kept.a true"],
    ["e", 2],
    ["e", 3],
    ["fanfare:recovered", "kept.b true"],
    ["f", 4],
    ["fanfare:recovered", "live false"],
  ];
  expect(await heard(await Events.open(query, { lastId: id }), 6)).toEqual(expected as never);
  expect(await heard(await Events.open(`${query}&last_event_id=${id}`), 6)).toEqual(expected as never);

  // Other channels than before: those that were there go on. What is no id of ours is no reason for silence.
  const other = await Events.open("channels=kept.a,kept.z", { lastId: id });
  expect(await heard(other, 4)).toEqual([...expected.slice(0, 3), ["fanfare:recovered", "kept.z false"]] as never);
  const foreign = await Events.open("channels=kept.a", { lastId: "42" });
  expect(await foreign.next()).toMatchObject({ event: "fanfare:recovered", data: expect.stringContaining("false") });
  await server.toChannel("kept.a").push({ event: "e", data: 5 });
  expect(await foreign.find("e")).toMatchObject({ data: "5" });
});

test("a cut behind the word that something is lost does not lose that word, and rewind brings the last events", async () => {
  for (const n of [1, 2, 3]) await server.toChannel("kept.r").push({ event: "e", data: n });
  const events = await Events.open("channels=kept.r&rewind=2", { lastId: "unknown" });
  const told = await events.next();
  expect([told?.event, told?.id]).toEqual(["fanfare:recovered", undefined]);
  const subscribed = await events.find("fanfare:subscribed");
  expect(JSON.parse(subscribed.data ?? "")).toMatchObject({ rewound: 2, complete: true, position: { offset: 1 } });
  expect(subscribed.id).toEndWith(".1");
  expect([(await events.find("e")).data, (await events.find("e")).id?.split(".").at(-1)]).toEqual(["2", "3"]);
  const byTime = await Events.open("channels=kept.r&rewind=60s&full=1");
  expect(JSON.parse((await byTime.find("e")).data ?? "")).toMatchObject({ channel: "kept.r", data: 1 });
});

test("what is final has a status; a private channel needs a token that names it", async () => {
  const status = async (query: string, init: RequestInit = {}) => (await answer(query, init)).status;
  const all = Array.from({ length: 17 }, (_, n) => `c${n}`).join();
  expect(await status("")).toBe(400);
  expect(await status(`channels=${all}`)).toBe(400);
  expect(await status("channels=a&rewind=x")).toBe(400);
  expect(await status("channels=a&auth=frame")).toBe(400);
  expect(await status("channels=a%20b")).toBe(400);
  expect(await status("channels=a&app=nobody")).toBe(404);
  expect(await status("channels=a", { method: "POST" })).toBe(405);
  expect(await status("channels=a&token=forged")).toBe(401);
  expect(await status("channels=a,private-a")).toBe(401);
  const token = await tokenFor(["private-a"]);
  const refused = await answer(`channels=private-a,private-b&token=${token}`);
  expect([refused.status, await refused.json()]).toEqual([
    403,
    { code: "unauthorized", error: expect.stringContaining("private-b") },
  ]);
  for (const init of [{}, { headers: { Authorization: `Bearer ${token}` } }]) {
    const query = `channels=private-a${"headers" in init ? "" : `&token=${token}`}`;
    expect((await (await Events.open(query, init)).next())?.event).toBe("fanfare:subscribed");
  }
  const listed = await startServer({}, { ...KEPT, allowedOrigins: ["https://a.example"] });
  const from = (Origin: string) => answer("channels=a", { headers: { Origin } }, listed);
  expect((await from("https://evil.example")).status).toBe(403);
  const allowed = await Events.open("channels=a", { headers: { Origin: "https://a.example" } }, listed);
  expect(allowed.stream.response.headers.get("access-control-allow-origin")).toBe("https://a.example");
});

test("what passes is told in a stream that ends: a full app, and a server that drains", async () => {
  const small = await startServer({ drainTimeoutS: 5 }, { ...KEPT, limits: { connections: 1 } });
  const reader = await Events.open("channels=a", {}, small);
  await reader.find("fanfare:subscribed");
  const full = await answer("channels=a", {}, small);
  expect([full.status, full.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=UTF-8"]);
  expect(await full.text()).toMatch(/^retry: \d+\nevent: fanfare:closing\ndata: \{"code":"quota_exceeded",.*\n\n$/);

  await small.drain();
  expect(JSON.parse((await reader.find("fanfare:closing")).data ?? "")).toMatchObject({ reconnect: "now" });
  expect((await reader.stream.rest()).some((line) => /^retry: \d+$/.test(line))).toBe(true);
  await small.drain(false);
  const last = await eventually(async () => {
    const next = await Events.open("channels=a", {}, small);
    expect((await next.next())?.event).toBe("fanfare:subscribed");
    return next;
  });
  await small.stop();
  expect((await last.find("fanfare:closing")).event).toBe("fanfare:closing");
  expect(await last.next()).toBeUndefined();
});

test("a reader is never asked for a sign of life, and gets comments; one that does not read is cut", async () => {
  const brisk = await startServer(
    {
      ...{ activityTimeoutS: 0.2, pongTimeoutS: 0.2, http: { keepAliveS: 1 } },
      limits: { outboundBufferBytes: 262_144 },
    },
    KEPT,
  );
  const events = await Events.open("channels=quiet", {}, brisk);
  for (let n = 0; n < 2; n++) await events.stream.find((line) => line === ":");
  await brisk.toChannel("quiet").push({ event: "e", data: "still here" });
  expect(await events.find("e")).toEqual({ event: "e", data: "still here" });

  const stalled = connect(brisk.port, "127.0.0.1");
  atEnd(() => stalled.destroy());
  stalled.pause();
  stalled.write("GET /rt/events?channels=busy HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await eventually(async () => expect((await brisk.channel("busy").info())?.subscribers).toBe(1));
  await eventually(async () => {
    await brisk.toChannel("busy").push({ event: "e", data: "x".repeat(90_000) });
    expect(await brisk.channel("busy").info()).toBeUndefined();
  });
});
