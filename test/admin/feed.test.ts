/** What the feed is made of: a fair choice of many, filters, and numbers by the second. */

import { describe, expect, test } from "bun:test";
import {
  addPoints,
  type FeedEntry,
  latencyQuantileMs,
  liveChannel,
  namesFit,
  nodeFits,
  type Point,
  textFits,
  type Watch,
} from "../../packages/server/src/admin/api-types.ts";
import { parseWatch } from "../../packages/server/src/admin/watch-registry.ts";
import type { App } from "../../packages/server/src/domain/app.ts";
import { noStatistics } from "../../packages/server/src/domain/app-statistics.ts";
import type { Disconnect } from "../../packages/server/src/domain/error.ts";
import { LATENCY_BOUNDS_S } from "../../packages/server/src/domain/latency.ts";
import { ReservoirSample } from "../../packages/server/src/observers/feed/feed.ts";
import { SecondSeries } from "../../packages/server/src/observers/feed/second-series.ts";
import { Durations } from "../../packages/server/src/observers/metrics/counts.ts";
import { RefusalCounts } from "../../packages/server/src/observers/metrics/refusals.ts";

describe("a sample", () => {
  test("has all of few, in their order", () => {
    const sample = new ReservoirSample<number>(5, Math.random);
    for (const n of [3, 1, 2]) sample.add(n);
    expect(sample.take()).toEqual({ items: [3, 1, 2], leftOut: 0 });
    expect(sample.take()).toEqual({ items: [], leftOut: 0 });
  });

  test("has some of many, each as likely as any other, in their order", () => {
    const [rounds, many, size] = [2_000, 40, 10];
    const chosen = new Array<number>(many).fill(0);
    for (let round = 0; round < rounds; round++) {
      const sample = new ReservoirSample<number>(size, Math.random);
      for (let n = 0; n < many; n++) sample.add(n);
      const { items, leftOut } = sample.take();
      expect([items.length, leftOut]).toEqual([size, many - size]);
      expect(items).toEqual(items.toSorted((one, other) => one - other));
      for (const n of items) chosen[n] = (chosen[n] ?? 0) + 1;
    }
    // 500 of each are to be expected, give or take 19: five times that is never seen.
    for (const times of chosen) expect(Math.abs(times - (rounds * size) / many)).toBeLessThan(97);
  });
});

test.each([
  [{}, true],
  [{ app: "app" }, true],
  [{ app: "other" }, false],
  [{ app: "other", withNobodys: true }, false],
  [{ channel: "chat.*" }, true],
  [{ channel: "*.8" }, false],
  [{ event: "client-*" }, true],
  [{ connection: "1.2" }, true],
  [{ connection: "1.3" }, false],
  [{ connection: ["1.3", "1.2"] }, true],
  [{ channel: ["news", "chat.*"], user: "a*" }, true],
  [{ user: ["bob", "eve"] }, false],
  [{ reason: "rate_limited" }, true],
  [{ reason: "malformed" }, false],
  [{ types: ["error" as const] }, false],
  [{ app: "app", channel: "chat.7", event: "client-x", connection: "1.2", types: ["client_event" as const] }, true],
])("the filter %j passes an event or does not: %p", (filter, expected) => {
  const fact = { type: "client_event", app: "app", channel: "chat.7", event: "client-x", connection: "1.2" } as const;
  expect(namesFit(filter, { ...fact, user: "ada", code: "rate_limited" })).toBe(expected);
  expect(namesFit({ event: "*" }, { type: "connected", app: "app" })).toBe(false);
  const ofNobody = { type: "turned_away" } as const;
  expect([{ app: "app" }, { app: "app", withNobodys: true }].map((filter) => namesFit(filter, ofNobody))).toEqual([
    false,
    true,
  ]);
  expect([nodeFits({ node: ["a", "b"] }, "b"), nodeFits({ node: "a" }, "b"), nodeFits({}, "b")]).toEqual([
    true,
    false,
    true,
  ]);
});

test("each text of a filter has to be in what is shown of an event, in upper or lower case", () => {
  const entry: FeedEntry = {
    id: "1",
    type: "api_message",
    atMs: 1,
    channel: "Orders",
    payload: { text: "{}paid", bytes: 6 },
  };
  expect([["orders"], ["ORDERS", "paid"], ["orders", "unpaid"]].map((text) => textFits({ text }, entry))).toEqual([
    true,
    true,
    false,
  ]);
});

describe("a live channel's name", () => {
  test.each<[Watch]>([
    [{ type: "feed" }],
    [{ type: "feed", app: "app", withNobodys: true, types: ["turned_away"] }],
    [{ type: "feed", app: "äöü", channel: "a/b?c=d", event: "💥", types: ["error"] }],
    [{ type: "feed", channel: ["a", "b"], user: "u", node: ["n"], reason: ["flooded"], text: ["late", "paid"] }],
    [{ type: "connection", app: "app", id: "1.2" }],
    [{ type: "connections", app: "app", search: '"<>' }],
    [{ type: "seconds" }],
  ])("says what is watched: %j", (watch) => {
    expect(liveChannel(watch)).toMatch(/^live-[-\w]+$/);
    expect(parseWatch(liveChannel(watch))).toEqual(watch);
  });

  test.each(["", "news", "live-", "live-e30", "live-!", `live-${"A".repeat(2000)}`, "live-bnVsbA"])(
    "%p says nothing",
    (name) => {
      expect(parseWatch(name)).toBeUndefined();
    },
  );
});

describe("numbers by the second", () => {
  const made = () => {
    let nowMs = 1_000_000;
    const totals = new Map([["app", { ...noStatistics(), connections: 2, messagesIn: 5 }]]);
    const deliveries = new Durations("delivery_seconds", "", LATENCY_BOUNDS_S);
    const refusals = new RefusalCounts();
    const seconds = new SecondSeries({
      ...{ totals: () => totals, deliveries, refusals },
      clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
    });
    const tick = () => {
      nowMs += 1000;
      seconds.tick();
    };
    return { totals, seconds, deliveries, refusals, tick };
  };

  test("are what came since the second before, of each app and of all", () => {
    const { totals, seconds, tick } = made();
    tick();
    totals.set("app", { ...noStatistics(), connections: 3, messagesIn: 12 });
    totals.set("other", { ...noStatistics(), connections: 1, messagesIn: 1 });
    totals.set("#dashboard", { ...noStatistics(), connections: 9, messagesIn: 9 });
    tick();
    expect(seconds.series("app").map(({ messagesIn }) => messagesIn)).toEqual([5, 7]);
    expect(seconds.latest()).toMatchObject({ messagesIn: 8, connections: 4, atMs: 1_002_000 });
    expect(seconds.series("#dashboard")).toEqual([]);
  });

  test("have what was refused by its code, and how long deliveries took", () => {
    const { seconds, deliveries, refusals, tick } = made();
    const refuse = (code: string, app?: string) => {
      const why = { code } as Disconnect;
      refusals.observe({
        type: "rejected",
        address: "::1",
        why,
        ...(app !== undefined && { app: { id: app } as App }),
      });
    };
    refuse("app_unknown");
    refuse("unauthorized", "quiet");
    refuse("made_up", "quiet");
    refuse("unauthorized", "#dashboard");
    for (const tookS of [0.0002, 0.0002, 0.0002, 0.02, 60]) deliveries.add(tookS);
    tick();
    const { latency = [], refused } = seconds.latest() ?? {};
    expect(refused).toEqual({ app_unknown: 1, unauthorized: 1, other: 1 });
    expect(seconds.latest("quiet")).toMatchObject({ refused: { unauthorized: 1, other: 1 }, messagesIn: 0 });
    expect(latencyQuantileMs(latency, 0.5)).toBeCloseTo(0.225);
    expect(latencyQuantileMs(latency, 0.8)).toBeCloseTo(25);
    expect(latencyQuantileMs(latency, 0.99)).toBe(5_000);
    tick();
    expect(seconds.latest()).toEqual({ ...noStatistics(), connections: 2, peakConnections: 2, atMs: 1_002_000 });
    expect(latencyQuantileMs([], 0.5)).toBeUndefined();
  });

  test("of several nodes are added up, latencies in their classes and refusals by their codes", () => {
    const one: Point = { ...noStatistics(), atMs: 1, messagesIn: 1, latency: [1, 0, 2], refused: { rate_limited: 2 } };
    const other: Point = { ...noStatistics(), atMs: 2, messagesIn: 2, latency: [0, 1, 1], refused: { other: 1 } };
    expect(addPoints(one, other)).toEqual({
      ...{ ...noStatistics(), atMs: 1, messagesIn: 3 },
      ...{ latency: [1, 1, 3], refused: { rate_limited: 2, other: 1 } },
    });
    expect(addPoints({ ...noStatistics(), atMs: 1 }, one)).toEqual(one);
  });

  test("go on when a counter begins anew, and are forgotten after five minutes", () => {
    const { totals, seconds, tick } = made();
    tick();
    totals.set("app", { ...noStatistics(), messagesIn: 2 });
    tick();
    expect(seconds.latest("app")?.messagesIn).toBe(2);
    totals.delete("app");
    for (let second = 0; second < 302; second++) tick();
    expect(seconds.series("app")).toEqual([]);
    expect(seconds.series().length).toBe(300);
  });
});
