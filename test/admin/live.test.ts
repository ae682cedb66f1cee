/** What the dashboard sees live, through real sockets: what happens, who is here, and the frames of one connection. */

import { describe, expect, test } from "bun:test";
import type { FeedBatch, FeedEntry, FeedType } from "../../packages/server/src/admin/api-types.ts";
import type { Server } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import { keyHolder, type Live, SIGNED, signedIn, Visitor } from "./visitor.ts";

const OPEN = {
  apps: [
    { ...APP, anonymous: true },
    { id: "other", key: "other-key", secret: "other-secret", anonymous: true },
  ],
};

const watching = async (server: Server): Promise<Live> => (await keyHolder(server)).watch();

/** Every entry so far, whichever batch it came in. */
function entriesOf(live: Live): FeedEntry[] {
  const batches = live.socket.frames.filter(({ event }) => event === "feed").map(({ data }) => data as FeedBatch);
  return batches.flatMap(({ entries }) => entries);
}

describe("the feed (B28, B30)", () => {
  test("tells of connections, subscriptions, channels, messages and refusals as they happen", async () => {
    const server = await startServer(OPEN);
    const live = await watching(server);
    await live.subscribe({ type: "feed" });
    const pusher = await connectPusher(server.url);
    await pusher.subscribe("private-room");
    await pusher.subscribe("presence-room", { data: { user_id: "ada", user_info: { name: "Ada" } } });
    pusher.send("client-typing", { at: 1 }, "private-room");
    await trigger(server.url, APP, { name: "paid", channel: "private-room", data: "{}" });
    const native = await connectNative(server.url);
    await native.ask("subscribe", { channel: "private-room" });
    await native.close();
    await expect(connectNative(server.url, { app: "no-such-key" })).rejects.toThrow();
    await pusher.close();
    const told: FeedType[] = [
      ...["connected", "subscribed", "occupied", "member_added", "client_event", "api_message"],
      ...["refused", "disconnected", "turned_away", "unsubscribed", "vacated", "member_removed"],
    ] as FeedType[];
    await eventually(() =>
      expect([...new Set(entriesOf(live).map(({ type }) => type))]).toEqual(expect.arrayContaining(told)),
    );
    const entries = entriesOf(live);
    const of = (type: FeedType) => entries.find((entry) => entry.type === type);
    expect(of("client_event")).toMatchObject({
      app: "app",
      channel: "private-room",
      event: "client-typing",
      connection: pusher.socketId,
    });
    expect(of("client_event")?.payload).toEqual({ text: '{"at":1}', bytes: 8 });
    expect(of("member_added")).toMatchObject({
      channel: "presence-room",
      user: "ada",
      payload: { text: '{"name":"Ada"}' },
    });
    expect(of("turned_away")?.why).toContain("app_unknown");
    expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
    const times = entries.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
  });

  test("tells only what the filter names, and shows no secret in a payload", async () => {
    const server = await startServer(OPEN);
    const live = await watching(server);
    await live.subscribe({ type: "feed", app: "app", channel: "chat.*", types: ["api_message"] });
    await server.toChannel("news").push({ event: "no", data: 1 });
    await server.app("other").toChannel("chat.1").push({ event: "no", data: 1 });
    await connectNative(server.url);
    await server
      .toChannel("chat.7")
      .push({ event: "yes", data: { password: "hush-hush", text: "x".repeat(10_000 - 60) } });
    await live.next("feed");
    const [entry, ...others] = entriesOf(live);
    expect([entry?.event, others]).toEqual(["yes", []]);
    expect(entry?.payload?.text).toContain('"password":"***"');
    expect(entry?.payload?.text.length).toBeLessThan(4200);
    expect(entry?.payload?.bytes).toBeGreaterThan(9_900);
  });

  test("does not tell of the dashboards' own doings, nor does anybody else hear of them", async () => {
    const server = await startServer({ ...OPEN, database: { url: "sqlite::memory:" } });
    const heard: string[] = [];
    server.on("open", ({ app }) => void heard.push(app.id));
    server.on("message", () => void heard.push("message"));
    const live = await watching(server);
    await live.subscribe({ type: "feed" });
    const second = await watching(server);
    await second.subscribe({ type: "seconds" });
    second.socket.send({ event: "hello", id: 1, data: {} });
    expect(await second.socket.next("error")).toMatchObject({ code: "unauthorized" });
    await connectNative(server.url);
    await second.next("seconds", ({ point }) => point.messagesIn === 0 && point.connections === 1);
    expect(entriesOf(live).map(({ type, app }) => [type, app])).toEqual([["connected", "app"]]);
    expect(heard).toEqual(["app"]);
    expect((await server.stats()).apps.map(({ id }) => id)).toEqual(["app", "other"]);
    expect((await server.status()).connections).toBe(1);
    expect(await (await fetch(`${server.url}/metrics`)).text()).not.toContain("#dashboard");
  });

  test("at thousands of events a second shows some of each moment and says how many it left out", async () => {
    const server = await startServer(OPEN);
    const live = await watching(server);
    await live.subscribe({ type: "feed", types: ["api_message"] });
    const COUNT = 5_000;
    await Promise.all(
      Array.from({ length: COUNT }, (_, n) => server.toChannel("busy").push({ event: "tick", data: n })),
    );
    const total = () =>
      live.socket.frames
        .filter(({ event }) => event === "feed")
        .map(({ data }) => data as FeedBatch)
        .reduce((sum, { entries, leftOut }) => sum + entries.length + leftOut, 0);
    await eventually(() => expect(total()).toBe(COUNT), { withinMs: 10_000 });
    const batches = live.socket.frames.filter(({ event }) => event === "feed").map(({ data }) => data as FeedBatch);
    for (const { entries } of batches) expect(entries.length).toBeLessThanOrEqual(50);
    expect(batches.reduce((sum, { leftOut }) => sum + leftOut, 0)).toBeGreaterThan(COUNT / 2);
  });
});

describe("what happened before somebody watched", () => {
  const earlierOf = (live: Live): FeedEntry[] =>
    live.socket.frames
      .filter(({ event }) => event === "feed")
      .map(({ data }) => data as FeedBatch)
      .flatMap(({ entries, isEarlier }) => (isEarlier ? entries : []));

  test("is there for each who comes to watch, as far as the filter goes, with what is secret masked", async () => {
    const server = await startServer(OPEN);
    const native = await connectNative(server.url);
    await native.ask("subscribe", { channel: "private-room" });
    await server.toChannel("news").push({ event: "paid", data: { password: "hush-hush" } });
    await expect(connectNative(server.url, { app: "no-such-key" })).rejects.toThrow();
    const [first, second] = [await watching(server), await watching(server)];
    for (const live of [first, second]) {
      await live.subscribe({ type: "feed" });
      await eventually(() => expect(earlierOf(live).length).toBeGreaterThanOrEqual(4));
    }
    const entries = earlierOf(second);
    expect(entries.map(({ type }) => type)).toEqual(["connected", "refused", "api_message", "turned_away"]);
    expect(entries[1]).toMatchObject({ channel: "private-room", code: "unauthorized", connection: native.id });
    expect(entries[2]?.payload?.text).toBe('{"password":"***"}');
    expect(entries[3]).toMatchObject({ code: "app_unknown", address: "127.0.0.1" });
    // The first is told a second time, by the same ids.
    await eventually(() => expect(earlierOf(first)).toHaveLength(8));
    expect(new Set(earlierOf(first).map(({ id }) => id)).size).toBe(4);
    const narrow = await watching(server);
    await narrow.subscribe({ type: "feed", types: ["refused"] });
    await eventually(() => expect(earlierOf(narrow).map(({ type }) => type)).toEqual(["refused"]));
  });

  test("is a few messages of each second, while refusals have room of their own", async () => {
    const server = await startServer(OPEN);
    const native = await connectNative(server.url);
    const startedAtMs = performance.now();
    for (let n = 0; n < 2_000; n++) await server.toChannel("busy").push({ event: "tick", data: n });
    await native.ask("subscribe", { channel: "private-room" });
    const lastedS = (performance.now() - startedAtMs) / 1000;
    const live = await watching(server);
    await live.subscribe({ type: "feed" });
    await eventually(() => expect(earlierOf(live).at(-1)?.type).toBe("refused"));
    const messages = earlierOf(live).filter(({ type }) => type === "api_message");
    expect(messages.length).toBeGreaterThanOrEqual(20);
    expect(messages.length).toBeLessThanOrEqual(20 * (Math.ceil(lastedS) + 1));
  });

  test("is not kept where that is turned off", async () => {
    const server = await startServer({ ...OPEN, dashboard: { recentEvents: false } });
    await connectNative(server.url);
    const live = await watching(server);
    await live.subscribe({ type: "feed" });
    await connectNative(server.url);
    await live.next("feed");
    expect(entriesOf(live).map(({ type }) => type)).toEqual(["connected"]);
    expect(earlierOf(live)).toEqual([]);
  });
});

describe("one connection", () => {
  test("is shown as it is, with its frames as they pass in both directions, until it goes", async () => {
    const server = await startServer(OPEN);
    const live = await watching(server);
    const client = await connectNative(server.url);
    await client.subscribe("news");
    await live.subscribe({ type: "connection", app: "app", id: client.id });
    await client.ask("unsubscribe", { channel: "elsewhere" });
    await server.toChannel("news").push({ event: "told", data: { token: "hush" } });
    await client.next("told");
    const report = await live.next("connection", ({ frames }) => frames.length >= 3);
    const shown = report.frames.map(({ direction, payload }) => `${direction} ${payload.text}`).join("\n");
    expect(shown).toContain('in {"event":"unsubscribe"');
    expect(shown).toContain('out {"event":"told"');
    expect(shown).not.toContain("hush");
    expect(report.connection).toMatchObject({ id: client.id, channelNames: ["news"], address: "127.0.0.1" });
    expect(report.connection?.traffic?.framesOut).toBeGreaterThanOrEqual(2);
    await client.close();
    expect((await live.next("connection", ({ connection }) => connection === undefined)).frames).toBeArray();
  });

  test("is found in the list by its user, its channel or its id", async () => {
    const server = await startServer(OPEN);
    const live = await watching(server);
    const client = await connectNative(server.url);
    await client.subscribe("needle");
    await connectNative(server.url);
    await live.subscribe({ type: "connections", app: "app", search: "needle" });
    const { connections, total } = await live.next("connections");
    expect([total, connections.map(({ id }) => id)]).toEqual([1, [client.id]]);
  });
});

describe("several nodes", () => {
  test("each dashboard sees what happens on every node, and reaches connections on any", async () => {
    const redis = await startRedis();
    const config = { ...SIGNED, engine: "redis", redis: { port: redis.port } } as const;
    const [one, two] = [await startServer(config), await startServer(config)];
    const earlier = [await connectNative(one.url), await connectNative(two.url)];
    const otto = await signedIn(one.url, "otto");
    const live = await otto.watch();
    // What happened before is asked of every node.
    await live.subscribe({ type: "feed" });
    await eventually(() =>
      expect(entriesOf(live).map(({ connection }) => connection)).toEqual(
        expect.arrayContaining(earlier.map(({ id }) => id)),
      ),
    );
    live.socket.frames.length = 0;
    await live.subscribe({ type: "feed", types: ["connected"] });
    // The other node hears of it in its own time.
    await eventually(
      async () => {
        await connectNative(two.url);
        await Bun.sleep(100);
        expect(entriesOf(live).length).toBeGreaterThan(0);
      },
      { withinMs: 10_000 },
    );
    const far = await connectNative(two.url);
    await live.subscribe({ type: "connection", app: "app", id: far.id });
    const { connection } = await live.next("connection");
    expect(connection?.id).toBe(far.id);
    const done = await otto.post(`api/apps/app/connections/${far.id}/disconnect`, { message: "Enough." });
    expect(done.body).toEqual({ outcome: "done", connections: 1, nodesMissing: 0 });
    expect(await far.socket.closed).toMatchObject({ code: 4009 });
    // The session is known there, and ended there when it is ended here.
    const there = new Visitor(`${two.url}/dashboard`);
    there.cookie = otto.cookie;
    const liveThere = await there.watch();
    await otto.ask("api/session", { method: "DELETE" });
    await liveThere.socket.closed;
    expect((await there.ask("api/overview")).status).toBe(401);
  }, 40_000);
});
