/** Statistics from the count to the table, on each database. */

import { describe, expect, test } from "bun:test";
import { migrate } from "../../packages/server/src/database/migrate.ts";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import { forgetAll, timeBefore } from "../../packages/server/src/database/retention.ts";
import { noStatistics } from "../../packages/server/src/domain/app-statistics.ts";
import { CommandError, Disconnect } from "../../packages/server/src/domain/error.ts";
import type { HubEvent } from "../../packages/server/src/domain/hub-event.ts";
import { Counters } from "../../packages/server/src/observers/statistics/counters.ts";
import { Measurements, type MeasurementsOptions } from "../../packages/server/src/observers/statistics/measurements.ts";
import { SeriesStore } from "../../packages/server/src/observers/statistics/series-store.ts";
import { Statistics } from "../../packages/server/src/observers/statistics/statistics.ts";
import { StatisticsStore } from "../../packages/server/src/observers/statistics/store.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { bench, FakeClock, fakeApp } from "../support/fakes.ts";
import { startMariaDb } from "../support/mariadb.ts";
import { startPostgres } from "../support/postgres.ts";
import { sqliteFile } from "../support/sqlite.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const [postgres, mariadb] = await Promise.all([startPostgres(), startMariaDb()]);

async function keeper(url: string, node = "one", wants: (app: string) => boolean = () => true) {
  const database = await openDatabase(url);
  await migrate(database);
  const clock = new FakeClock();
  clock.wall = Date.UTC(2026, 10, 21, 10, 0, 30);
  const failures: string[] = [];
  const counters = new Counters();
  const store = new StatisticsStore(database, node);
  const failed = (error: unknown, during: string) => void failures.push(`${during}: ${error}`);
  const options = { counters, store, clock, intervalMs: MINUTE, wants, failed };
  const statistics = new Statistics(options);
  atEnd(() => database.close());
  const series = (app: string, span: "interval" | "hour" | "day") =>
    store.series({ app, span, fromMs: 0, toMs: Number.MAX_SAFE_INTEGER });
  const clean = (days: number, of?: string) =>
    forgetAll(store.forget(timeBefore(clock.wallMs(), days), clock.wallMs(), of));
  return { counters, store, statistics, clock, failures, series, clean, database };
}

/** The same of what the sums are made of. */
async function measured(url: string, node: string) {
  const kept = await keeper(url, node);
  const seriesStore = new SeriesStore(kept.database, node);
  const present: ReturnType<MeasurementsOptions["appStats"]>[number][] = [];
  const deliveries = { counts: [0, 0], count: 0 };
  const appStats = () => present;
  const measurements = new Measurements({ nodeName: "here", appStats, memoryBytes: () => 1_000, deliveries });
  const { clock } = kept;
  const failed = (error: unknown) => void kept.failures.push(String(error));
  const options = { counters: measurements, store: seriesStore, clock, intervalMs: MINUTE, wants: () => true, failed };
  return { ...kept, seriesStore, present, deliveries, measurements, writer: new Statistics(options) };
}

describe.each([
  ["SQLite", sqliteFile()],
  ["PostgreSQL", postgres.url],
  ["MariaDB", mariadb.url],
] as const)("on %s", (name, url) => {
  test("what was counted is a row an interval, added up by the hour and the day (B13, B33)", async () => {
    const app = fakeApp({ id: `a-${name}` });
    const { open } = await bench();
    const { connection } = open(app);
    const kept = await keeper(url);
    const { counters, statistics, clock } = kept;
    const backend = { type: "event", app: app.id, channel: "c", event: "e", data: "1" } as const;
    for (const n of [1, 2]) {
      counters.observe({ type: "opened", connection });
      for (let call = 0; call < n; call++) counters.received(app, 100);
      counters.sent(app, 10, 50);
      counters.observe({ type: "published", app, publication: backend });
      counters.observe({ type: "published", app, publication: { ...backend, from: { connection: "1.1" } } });
      await statistics.snapshot();
      clock.pass(MINUTE);
    }
    counters.observe({ type: "closed", connection, code: 1000 });
    clock.pass(60 * MINUTE);
    await statistics.snapshot();
    const said = { messagesOut: 10, bytesOut: 500, apiMessages: 1 };
    expect(await kept.series(app.id, "interval")).toMatchObject([
      { atMs: Date.UTC(2026, 10, 21, 10, 0), connections: 1, peakConnections: 1, messagesIn: 1, bytesIn: 100, ...said },
      { atMs: Date.UTC(2026, 10, 21, 10, 1), connections: 2, peakConnections: 2, messagesIn: 2, bytesIn: 200, ...said },
      { atMs: Date.UTC(2026, 10, 21, 11, 2), connections: 1, peakConnections: 2, messagesIn: 0 },
    ]);
    expect(await kept.series(app.id, "hour")).toMatchObject([
      { atMs: Date.UTC(2026, 10, 21, 10), peakConnections: 2, messagesIn: 3, messagesOut: 20, apiMessages: 2 },
      { atMs: Date.UTC(2026, 10, 21, 11), peakConnections: 2, messagesIn: 0 },
    ]);
    expect(await kept.series(app.id, "day")).toMatchObject([
      { atMs: Date.UTC(2026, 10, 21), connections: 1, peakConnections: 2, messagesIn: 3, bytesOut: 1000 },
    ]);
  });

  test("the numbers of several nodes are added up", async () => {
    const app = fakeApp({ id: `b-${name}` });
    for (const node of ["one", "two"]) {
      const { counters, statistics } = await keeper(url, node);
      counters.received(app, 5);
      await statistics.snapshot();
    }
    const { series } = await keeper(url);
    expect(await series(app.id, "interval")).toMatchObject([{ messagesIn: 2, bytesIn: 10 }]);
  });

  test("what is old is forgotten: intervals after days, hours after weeks, days when they are told to (B39)", async () => {
    const app = fakeApp({ id: `c-${name}` });
    const { counters, statistics, clock, store, series, clean } = await keeper(url);
    counters.received(app, 1);
    await statistics.snapshot();
    clock.pass(3 * DAY);
    await clean(90);
    expect(await series(app.id, "interval")).toEqual([]);
    expect(await series(app.id, "hour")).toHaveLength(1);
    clock.pass(40 * DAY);
    await clean(90);
    expect(await series(app.id, "hour")).toEqual([]);
    expect(await series(app.id, "day")).toHaveLength(1);
    expect(await clean(10, "another")).toBe(0);
    expect(await clean(10, app.id)).toBe(1);
    counters.received(app, 1);
    await statistics.snapshot();
    expect(await store.flush(app.id)).toBe(3);
    expect(await series(app.id, "day")).toEqual([]);
  });
});

describe.each([
  ["SQLite", sqliteFile()],
  ["PostgreSQL", postgres.url],
  ["MariaDB", mariadb.url],
] as const)("what the sums are made of, on %s", (name, url) => {
  test("is a row for each measure and label, idle nodes write zeros, and it is forgotten with the sums", async () => {
    const node = `breakdown-${name}`;
    const { measurements, writer, clock, seriesStore, clean, store, deliveries, present } = await measured(url, node);
    const app = fakeApp({ id: `m-${name}` });
    const { open } = await bench();
    const { connection } = open(app);
    const read = async (span: "interval" | "hour" | "day") => {
      const rows = await seriesStore.series({ app: app.id, span, fromMs: 0, toMs: Number.MAX_SAFE_INTEGER });
      return rows.flatMap((row) => (row.node === node ? [[row.atMs, row.measure, row.label, row.value]] : [])).sort();
    };
    const at = (minute: number) => Date.UTC(2026, 10, 21, 10, minute);
    present.push({
      app: app.id,
      transports: [{ protocol: "native", transport: "websocket", connections: 3, encrypted: 1 }],
    });
    measurements.observe({ type: "refused", connection, error: new CommandError("unauthorized", "No.") });
    measurements.observe({ type: "rejected", address: "::1", why: new Disconnect("unauthorized", "Of no app.") });
    measurements.observe({ type: "resumed", connection, channel: "c", recovered: true });
    measurements.webhookOutcome(app.id, "sent", 2);
    deliveries.counts[1] = deliveries.count = 4;
    measurements.tick(7);
    measurements.tick(3);
    await writer.snapshot();
    clock.pass(MINUTE);
    present.length = 0;
    measurements.webhookOutcome(app.id, "sent", 1);
    await writer.snapshot();
    clock.pass(MINUTE);
    await writer.snapshot();
    const first = [
      ["connections", "native websocket tls", 1],
      ["connections", "native websocket", 2],
      ["lag", "here", 7],
      ["latency", "1", 4],
      ["memory", "here", 1_000],
      ["refused", "unauthorized", 1],
      ["resumed", "recovered", 1],
      ["webhooks", "sent", 2],
    ];
    expect(await read("interval")).toEqual([
      ...first.map((row) => [at(0), ...row]),
      [at(1), "connections", "native websocket tls", 0],
      [at(1), "connections", "native websocket", 0],
      [at(1), "lag", "here", 0],
      [at(1), "memory", "here", 1_000],
      [at(1), "webhooks", "sent", 1],
      [at(2), "lag", "here", 0],
      [at(2), "memory", "here", 1_000],
    ]);
    expect((await read("hour")).map(([, measure, , value]) => [measure, value])).toEqual([
      ...[
        ["connections", 0],
        ["connections", 0],
        ["lag", 7],
        ["latency", 4],
        ["memory", 1_000],
      ],
      ...[
        ["refused", 1],
        ["resumed", 1],
        ["webhooks", 3],
      ],
    ]);
    const other = fakeApp({ id: `n-${name}` });
    measurements.webhookOutcome(other.id, "sent", 4);
    measurements.webhookOutcome(app.id, "sent", 1);
    clock.pass(MINUTE);
    await writer.snapshot();
    const all = await seriesStore.series({ span: "interval", fromMs: at(0), toMs: at(3) });
    const ofAll = (minute: number, wanted: string) =>
      all.filter((row) => row.node === node && row.atMs === at(minute) && row.measure === wanted);
    expect(ofAll(3, "webhooks")).toMatchObject([{ label: "sent", value: 5 }]);
    expect(ofAll(0, "refused")).toMatchObject([{ label: "unauthorized", value: 2 }]);
    expect(await seriesStore.since()).toBe(at(0));
    clock.pass(3 * DAY);
    await clean(90);
    expect(await read("interval")).toEqual([]);
    expect(await seriesStore.since()).toBe(Date.UTC(2026, 10, 21, 10));
    expect(await store.flush()).toBeGreaterThan(10);
    expect(await seriesStore.since()).toBeUndefined();
  });
});

test("what a killed node had is not there at the end of its hour and day, however long ago", async () => {
  const url = sqliteFile();
  const nodes = await Promise.all(["killed", "after", "beside"].map((node) => measured(url, node)));
  const app = fakeApp({ id: "shop" });
  const connections = { protocol: "native", transport: "websocket", connections: 4, encrypted: 0 } as const;
  const numbers = new Map([[app.id, { ...noStatistics(), connections: 4, peakConnections: 4, messagesIn: 1 }]]);
  const start = Date.UTC(2026, 10, 21, 10);
  const write = async (node: (typeof nodes)[number] | undefined, minute: number) => {
    if (!node) throw new Error("There is no such node.");
    node.clock.wall = start + minute * MINUTE;
    node.present.splice(0, 1, { app: app.id, transports: [connections] });
    await node.writer.snapshot();
    await node.store.add(numbers, node.clock.wall, MINUTE);
  };
  const [killed, after, beside] = nodes;
  const ends = async (span: "hour" | "day") => {
    const asked = { app: app.id, span, fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
    const measures = (await after?.seriesStore.series(asked))?.filter(({ measure }) => measure === "connections") ?? [];
    const times = [...new Set(measures.map(({ atMs }) => atMs))];
    const points = (await after?.store.series(asked)) ?? [];
    return times.map((atMs) => [
      measures.filter((one) => one.atMs === atMs).reduce((sum, { value }) => sum + value, 0),
      points.find((one) => one.atMs === atMs)?.connections,
    ]);
  };
  for (const minute of [0, 1]) for (const node of [killed, beside]) await write(node, minute);
  expect(await ends("hour")).toEqual([[8, 8]]);
  // Another took the place of the first, which could not write any more.
  for (let minute = 2; minute < 6; minute++) for (const node of [after, beside]) await write(node, minute);
  expect([await ends("hour"), await ends("day")]).toEqual([[[8, 8]], [[8, 8]]]);
  await write(after, 61);
  expect(await ends("hour")).toEqual([
    [4, 4],
    [4, 4],
  ]);
});

test("what could not be written is written with the next, and once", async () => {
  const { measurements, clock } = await measured(sqliteFile(), "one");
  measurements.webhookOutcome("a", "sent", 2);
  const taken = measurements.take();
  measurements.giveBack(taken);
  measurements.webhookOutcome("a", "sent", 1);
  clock.pass(MINUTE);
  const lines = measurements.take();
  expect(lines.get("a")).toEqual([{ measure: "webhooks", label: "sent", value: 3 }]);
  expect(lines.get("")?.map(({ measure }) => measure)).toEqual(["lag", "memory"]);
});

test("the numbers of many apps are written while messages pass", async () => {
  const { store, clock, series } = await keeper(sqliteFile());
  const numbers = new Map(Array.from({ length: 1_000 }, (_, n) => [`app-${n}`, { ...noStatistics(), messagesIn: n }]));
  let steps = 0;
  const stepping = setInterval(() => steps++, 0);
  await store.add(numbers, clock.wallMs(), MINUTE);
  await store.add(numbers, clock.wallMs(), MINUTE);
  clearInterval(stepping);
  expect(steps).toBeGreaterThan(20);
  expect(await series("app-999", "hour")).toMatchObject([{ messagesIn: 1_998 }]);
});

test("processes that write to one SQLite file at the same time wait for each other, and lose nothing", async () => {
  const url = sqliteFile();
  const nodes = await Promise.all(["one", "two", "three"].map((node) => keeper(url, node)));
  const app = fakeApp({ id: "crowded" });
  for (let time = 0; time < 5; time++) {
    for (const { counters } of nodes) counters.received(app, 100);
    await Promise.all(nodes.map(({ statistics }) => statistics.snapshot()));
  }
  expect(nodes.flatMap(({ failures }) => failures)).toEqual([]);
  expect(await nodes[0]?.series(app.id, "day")).toMatchObject([{ messagesIn: 15 }]);
});

test("an app that wants none has no rows (B8)", async () => {
  const { counters, statistics, series } = await keeper(sqliteFile(), "one", (app) => app !== "quiet");
  counters.received(fakeApp({ id: "quiet" }), 1);
  counters.received(fakeApp({ id: "loud" }), 1);
  await statistics.snapshot();
  expect(await series("quiet", "day")).toEqual([]);
  expect(await series("loud", "day")).toHaveLength(1);
});

const COMMANDS = {
  subscribe: { type: "subscribe", channel: "room" },
  publish: { type: "publish", channel: "room", event: "x", data: "" },
} as const;

test("failures are counted by what failed: subscriptions, proofs, clients turned away", async () => {
  const { hub, open, app } = await bench();
  const counters = new Counters();
  const { connection } = open();
  const refuse = (code: "unauthorized" | "channel_invalid", command?: "subscribe" | "publish"): HubEvent => {
    return {
      type: "refused",
      connection,
      error: new CommandError(code, "no"),
      ...(command && { command: COMMANDS[command] }),
    };
  };
  counters.observe(refuse("unauthorized", "subscribe"));
  counters.observe(refuse("channel_invalid", "subscribe"));
  counters.observe(refuse("unauthorized", "publish"));
  counters.observe(refuse("channel_invalid"));
  const why = new Disconnect("unauthorized", "no");
  counters.observe({ type: "rejected", address: "::1", why, app });
  counters.observe({ type: "rejected", address: "::1", why });
  counters.observe({ type: "rejected", address: "::1", why: new Disconnect("over_capacity", "full"), app });
  expect(counters.apps.get(app.id)).toMatchObject({ subscribeFailures: 2, authFailures: 3 });
  await hub.stop();
});

test("an app that nobody uses any more is not remembered", async () => {
  const { open } = await bench();
  const { connection } = open();
  const counters = new Counters();
  counters.observe({ type: "opened", connection });
  counters.take();
  expect(counters.apps.size).toBe(1);
  counters.observe({ type: "closed", connection, code: 1000 });
  counters.take();
  expect(counters.apps.size).toBe(0);
});

test("a database that is away costs resolution, not numbers, and is reported once (scenario 8)", async () => {
  const server = await startPostgres();
  const { counters, statistics, clock, failures, series } = await keeper(server.url);
  const app = fakeApp();
  await server.kill();
  for (let n = 0; n < 3; n++) {
    counters.received(app, 1);
    clock.pass(MINUTE);
    await statistics.snapshot();
  }
  expect(failures).toHaveLength(1);
  await server.start();
  await eventually(
    async () => {
      await statistics.snapshot();
      expect(await series(app.id, "interval")).toMatchObject([{ messagesIn: 3 }]);
    },
    { withinMs: 15_000 },
  );
}, 60_000);
