/** History by the HTTP API, and what clients may read of it: pages both ways and by time, and forgetting before its time. */

import { describe, expect, test } from "bun:test";
import type { AuditEntry } from "../../packages/server/src/admin/api-types.ts";
import type { ConfigInput, Server } from "../../packages/server/src/index.ts";
import { signedIn, USERS } from "../admin/visitor.ts";
import { scrape } from "../support/metrics.ts";
import { connectNative } from "../support/native-client.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const RULES = [
  { match: "room*", history: { size: 200, ttlS: 60 } },
  { match: "timed", history: {}, clientHistory: true },
  { match: "closed", history: {}, clientHistory: false },
  { match: "cache-kept", history: {} },
];

const start = (config: ConfigInput = {}) =>
  startServer(config, { anonymous: true, channels: RULES, limits: { subscribesPerSecond: 10_000 } });

const push = async (server: Server, channel: string, count: number) => {
  for (let n = 1; n <= count; n++) await server.toChannel(channel).push({ event: "e", data: n });
};

interface Page {
  readonly events: readonly { readonly data: string; readonly at_ms: number; readonly position: { offset: number } }[];
  readonly next: string | null;
  readonly position: { readonly epoch: string; readonly offset: number };
  readonly complete: boolean;
}

async function call(server: Server, method: string, path: string, query: Record<string, string> = {}) {
  const response = await signedFetch(server.url, APP, method, `/apps/${APP.id}/channels/${path}`, { query });
  return { status: response.status, body: (await response.json()) as Page & { purged: number; code: string } };
}

const dataOf = ({ events }: Page) => events.map(({ data }) => Number(data));

async function readAll(server: Server, direction: "oldest" | "newest"): Promise<readonly number[]> {
  let read: readonly number[] = [];
  let cursor: string | null | undefined;
  do {
    const bound: Record<string, string> = cursor ? { [direction === "oldest" ? "after" : "before"]: cursor } : {};
    const { body } = await call(server, "GET", "room/history", { limit: "7", direction, ...bound });
    read = direction === "oldest" ? [...read, ...dataOf(body)] : [...dataOf(body), ...read];
    cursor = body.next;
  } while (cursor);
  return read;
}

describe("history over HTTP", () => {
  test("is read page by page in both directions, by what the page before says", async () => {
    const server = await start();
    await push(server, "room", 25);
    const all = Array.from({ length: 25 }, (_, n) => n + 1);
    expect(await readAll(server, "oldest")).toEqual(all);
    expect(await readAll(server, "newest")).toEqual(all);
    await server.purgeHistory("room", { event: { ...(await server.history("room")).position, offset: 14 } });
    const rest = all.filter((n) => n !== 14);
    expect(await readAll(server, "oldest")).toEqual(rest);
    expect(await readAll(server, "newest")).toEqual(rest);
  });

  test("is read by time, as the events' own times say", async () => {
    const server = await start();
    await push(server, "room", 2);
    await Bun.sleep(5);
    await push(server, "room", 2);
    const { body } = await call(server, "GET", "room/history");
    const from = body.events[2]?.at_ms ?? 0;
    expect(Math.abs(from - Date.now())).toBeLessThan(60_000);
    const later = await call(server, "GET", "room/history", { from_ms: String(from) });
    expect([dataOf(later.body), later.body.complete]).toEqual([[1, 2], true]);
    expect(later.body.events.map(({ position }) => position.offset)).toEqual([3, 4]);
    const earlier = await call(server, "GET", "room/history", { to_ms: String(from), limit: "1" });
    expect(earlier.body.events.map(({ position }) => position.offset)).toEqual([2]);
  });

  test("does not begin again by itself where the epoch of a cursor is gone, and says so", async () => {
    const server = await start();
    await push(server, "room", 3);
    for (const [method, query] of [
      ["GET", { after: "other:1" }],
      ["GET", { before: "other:2" }],
      ["DELETE", { before: "other:2" }],
    ] as const) {
      const { status, body } = await call(server, method, "room/history", query);
      expect([status, body.code]).toEqual([410, "epoch_gone"]);
    }
    expect((await call(server, "DELETE", "room/history/2", { epoch: "other" })).status).toBe(410);
    expect(dataOf((await call(server, "GET", "room/history")).body)).toEqual([1, 2, 3]);
  });

  test("refuses what is no position, number or direction", async () => {
    const server = await start();
    for (const query of [{ after: "x" }, { before: "e:-1" }, { from_ms: "soon" }, { direction: "up" }] as const) {
      const { status, body } = await call(server, "GET", "room/history", query);
      expect([query, status, body.code]).toEqual([query, 400, "data_invalid"]);
    }
    expect((await call(server, "DELETE", "room/history/first")).status).toBe(400);
    expect((await call(server, "DELETE", "room/history", { before: "e:1", to_ms: "1" })).status).toBe(400);
  });

  test("is not purged by a call with a bound that purging does not know", async () => {
    const server = await start();
    await push(server, "room", 2);
    for (const query of [{ befor: "e:1" }, { after: "e:1" }, { from_ms: "1" }] as const) {
      const { status, body } = await call(server, "DELETE", "room/history", query);
      expect([query, status, body.code]).toEqual([query, 400, "data_invalid"]);
    }
    expect((await call(server, "DELETE", "room/history/1", { epocs: "e" })).status).toBe(400);
    expect(dataOf((await call(server, "GET", "room/history")).body)).toEqual([1, 2]);
  });

  test("is purged as a whole, in part and by one event, and those who resume are told what they lost", async () => {
    const server = await start();
    await push(server, "room", 9);
    const { position } = (await call(server, "GET", "room/history")).body;
    const at = (offset: number) => ({ ...position, offset });
    expect((await call(server, "DELETE", "room/history/5")).body).toMatchObject({ purged: 1, position });
    expect((await call(server, "DELETE", "room/history/5")).body.purged).toBe(0);
    const first = await connectNative(server.url);
    expect(await first.subscribe("room", { position: at(3) })).toMatchObject({ recovered: true });
    for (const offset of [4, 6, 7, 8, 9]) expect(await first.next("e")).toMatchObject({ position: { offset } });
    const cursor = `${position.epoch}:7`;
    expect((await call(server, "DELETE", "room/history", { before: cursor })).body.purged).toBe(5);
    const second = await connectNative(server.url);
    expect(await second.subscribe("room", { position: at(5) })).toMatchObject({ recovered: false });
    const third = await connectNative(server.url);
    expect(await third.subscribe("room", { position: at(6) })).toMatchObject({ recovered: true });
    expect((await call(server, "DELETE", "room/history")).body.purged).toBe(3);
    const fourth = await connectNative(server.url);
    expect(await fourth.subscribe("room", { position })).toMatchObject({ recovered: true });
    // Those who are in the channel notice nothing.
    await push(server, "room", 1);
    for (const client of [first, second, third, fourth]) {
      expect(
        await client.next(({ position: at }) => (at as { offset?: number } | undefined)?.offset === 10),
      ).toMatchObject({ event: "e", data: 1 });
    }
    expect((await first.unread()).some(({ event }) => event === "gap")).toBe(false);
  });

  test("is purged by POST too, as libraries without DELETE call it, and that is written down and counted", async () => {
    const server = await start({ dashboard: { users: USERS } });
    const otto = await signedIn(server.url, "otto");
    await push(server, "room", 5);
    const { position } = (await call(server, "GET", "room/history")).body;
    const post = async (path: string, query?: Record<string, string>) => await call(server, "POST", path, query);
    expect((await post("room/history/2/purge")).body).toMatchObject({ purged: 1, position });
    expect((await post("room/history/purge", { before: `${position.epoch}:4` })).body.purged).toBe(2);
    expect((await post("room/history/purge")).body.purged).toBe(2);
    expect((await post("room/history/purge", { after: "e:1" })).status).toBe(400);
    expect([(await post("room/history/2")).status, (await post("room/history/all")).status]).toEqual([404, 404]);
    const entries = (await otto.ask<AuditEntry[]>("api/audit")).body.filter(({ what }) => what === "history.purge");
    expect(entries.map(({ who, detail }) => [who, detail])).toEqual([
      ["app app", { app: "app", channel: "room", purged: 2 }],
      ["app app", { app: "app", channel: "room", purged: 2, before: { ...position, offset: 4 } }],
      ["app app", { app: "app", channel: "room", purged: 1, event: { ...position, offset: 2 } }],
    ]);
    expect((await scrape(server.url)).get("fanfare_history_purged_total{app=app}")).toBe(5);
  });

  test("loses the event of a cache channel with it", async () => {
    const server = await start();
    await push(server, "cache-x", 1);
    expect((await call(server, "DELETE", "cache-x/history")).body.purged).toBe(1);
    const client = await connectNative(server.url);
    await client.subscribe("cache-x");
    expect(await client.next("cache_miss")).toBeDefined();
  });

  test("that is purged while clients resume leaves none of them with a hole it was not told of", async () => {
    const server = await start();
    await push(server, "room", 100);
    const { position } = await server.history("room", { limit: 0 });
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const client = await connectNative(server.url);
        if (n === 10) await server.purgeHistory("room", { before: { ...position, offset: 60 } });
        const { recovered } = await client.subscribe("room", { position: { ...position, offset: 40 } });
        const offsets = (await client.unread()).flatMap(({ event, position: at }) =>
          event === "e" ? (at as { offset: number }).offset : [],
        );
        return { recovered, offsets };
      }),
    );
    const whole = Array.from({ length: 60 }, (_, n) => n + 41);
    for (const { recovered, offsets } of outcomes) expect(offsets).toEqual(recovered ? whole : []);
    expect(outcomes.some(({ recovered }) => recovered === false)).toBe(true);
  });
});

describe("what clients may read", () => {
  test("is by position everywhere, by time where the rule says so, and nothing where it says that", async () => {
    const server = await start();
    const client = await connectNative(server.url);
    for (const channel of ["room", "timed", "closed"]) {
      await client.subscribe(channel);
      await push(server, channel, 3);
      for (let n = 0; n < 3; n++) await client.next("e");
    }
    const read = (data: object) => client.ask("history", data);
    expect(await read({ channel: "room", limit: 2 })).toMatchObject({
      event: "history",
      data: { times: [expect.any(Number), expect.any(Number)], next: { offset: 2 } },
    });
    expect(await read({ channel: "room", direction: "oldest", limit: 1 })).toMatchObject({
      data: { events: [{ data: 1 }], next: { offset: 1 } },
    });
    expect(await read({ channel: "room", fromMs: 1 })).toMatchObject({ event: "error", code: "unauthorized" });
    expect(await read({ channel: "timed", fromMs: 1 })).toMatchObject({
      data: { events: [{}, {}, {}], complete: true },
    });
    expect(await read({ channel: "timed", toMs: 1 })).toMatchObject({ data: { events: [] } });
    expect(await read({ channel: "closed" })).toMatchObject({ event: "error", code: "unauthorized" });
  });
});
