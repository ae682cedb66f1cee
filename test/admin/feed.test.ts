/** What the feed is made of: a fair choice of many, filters, and numbers by the second. */

import { describe, expect, test } from "bun:test";
import { liveChannel, type Watch } from "../../packages/server/src/admin/api-types.ts";
import { parseWatch } from "../../packages/server/src/admin/parse-watch.ts";
import { noStatistics } from "../../packages/server/src/domain/app-statistics.ts";
import { passes } from "../../packages/server/src/observers/feed/passes.ts";
import { Sample } from "../../packages/server/src/observers/feed/sample.ts";
import { SecondSeries } from "../../packages/server/src/observers/feed/second-series.ts";

describe("a sample", () => {
  test("has all of few, in their order", () => {
    const sample = new Sample<number>(5, Math.random);
    for (const n of [3, 1, 2]) sample.add(n);
    expect(sample.take()).toEqual({ items: [3, 1, 2], leftOut: 0 });
    expect(sample.take()).toEqual({ items: [], leftOut: 0 });
  });

  test("has some of many, each as likely as any other, in their order", () => {
    const [rounds, many, size] = [2_000, 40, 10];
    const chosen = new Array<number>(many).fill(0);
    for (let round = 0; round < rounds; round++) {
      const sample = new Sample<number>(size, Math.random);
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
  [{ channel: "chat.*" }, true],
  [{ channel: "*.8" }, false],
  [{ event: "client-*" }, true],
  [{ connection: "1.2" }, true],
  [{ connection: "1.3" }, false],
  [{ types: ["error" as const] }, false],
  [{ app: "app", channel: "chat.7", event: "client-x", connection: "1.2", types: ["client_event" as const] }, true],
])("the filter %j passes an event or does not: %p", (filter, expected) => {
  const fact = { type: "client_event", app: "app", channel: "chat.7", event: "client-x", connection: "1.2" } as const;
  expect(passes(filter, fact)).toBe(expected);
  expect(passes({ event: "*" }, { type: "connected", app: "app" })).toBe(false);
});

describe("a live channel's name", () => {
  test.each<[Watch]>([
    [{ type: "feed" }],
    [{ type: "feed", app: "äöü", channel: "a/b?c=d", event: "💥", types: ["error"] }],
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
    const seconds = new SecondSeries({
      totals: () => totals,
      clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
    });
    const tick = () => {
      nowMs += 1000;
      seconds.tick();
    };
    return { totals, seconds, tick };
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
