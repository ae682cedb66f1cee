/** What was stored of the past, as the dashboard asks for it: by transport, node, reason and outcome; on one node and two. */

import { expect, test } from "bun:test";
import type { Insights } from "../../packages/server/src/admin/api-types.ts";
import { migrate } from "../../packages/server/src/database/migrate.ts";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import type { Measured } from "../../packages/server/src/domain/app-statistics.ts";
import { noStatistics } from "../../packages/server/src/domain/app-statistics.ts";
import { SeriesStore } from "../../packages/server/src/observers/statistics/series-store.ts";
import { StatisticsStore } from "../../packages/server/src/observers/statistics/store.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { SIGNED, signedIn, type Visitor } from "./visitor.ts";

const WITHIN = { withinMs: 20_000, everyMs: 200 };
const OTHER = { id: "other", key: "other-key", secret: "other-secret", anonymous: true };
const CONFIG = {
  ...SIGNED,
  apps: [{ ...APP, anonymous: true, channels: [{ match: "kept", history: { size: 10 } }] }, OTHER],
  statistics: { intervalS: 1 },
};

const ask = async (visitor: Visitor, query = "") =>
  (await visitor.ask<Insights>(`api/insights?span=interval${query}`)).body;

/** At the end of each span. */
function lineOf({ measures }: Insights, measure: string, label: string): readonly number[] {
  return measures.find((line) => line.measure === measure && line.label === label)?.values ?? [];
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

test("connections by protocol and transport, refusals by code, and what came back; idle spans are zero", async () => {
  const { url } = await startServer(CONFIG);
  const vera = await signedIn(url, "vera");
  const first = await connectNative(url);
  const { position } = (await first.subscribe("kept")) as { position?: object };
  await connectPusher(url);
  await connectNative(url, { app: OTHER.key });
  await first.ask("subscribe", { channel: "private-x" });
  expect((await fetch(`${url}/apps/nowhere/channels`)).status).toBe(404);
  await (await connectNative(url)).ask("subscribe", { channel: "kept", position, recover: true });
  const all = await eventually(async () => {
    const found = await ask(vera);
    expect(lineOf(found, "connections", "native websocket").at(-1)).toBe(3);
    expect(lineOf(found, "connections", "pusher websocket").at(-1)).toBe(1);
    expect(sum(lineOf(found, "refused", "unauthorized"))).toBe(1);
    expect(sum(lineOf(found, "refused", "app_unknown"))).toBe(1);
    expect(sum(lineOf(found, "resumed", "recovered"))).toBe(1);
    expect(found.times.length).toBeGreaterThan(3);
    return found;
  }, WITHIN);
  expect(all.stepMs).toBe(1000);
  expect(all.sinceMs).toBe(all.times[0]);
  for (const { values } of all.measures) expect(values).toHaveLength(all.times.length);
  expect(all.totals.messagesIn).toHaveLength(all.times.length);
  expect(all.totals.connections.at(-1)).toBe(4);
  const [lag, memory] = [
    all.measures.find((it) => it.measure === "lag"),
    all.measures.find((it) => it.measure === "memory"),
  ];
  expect(lag?.label).toBe(memory?.label ?? "");
  expect(memory?.values.every((bytes) => bytes > 1_000_000)).toBe(true);
  expect(lineOf(all, "nodes", lag?.label ?? "").at(-1)).toBe(4);
  const one = await ask(vera, "&app=other");
  expect(lineOf(one, "connections", "native websocket").at(-1)).toBe(1);
  expect(one.measures.filter(({ measure }) => measure === "refused")).toEqual([]);
  expect(one.measures.some(({ measure }) => measure === "memory")).toBe(true);
  expect((await vera.ask<Insights>("api/insights?span=day")).body.times).toHaveLength(1);
  for (const wrong of ["?span=second", "?span=hour&from=x", "?span=hour&app=a%20b"])
    expect((await vera.ask(`api/insights${wrong}`)).status).toBe(400);
}, 40_000);

test("two nodes are put together, each under its name, and one that has ended is at zero", async () => {
  const redis = await startRedis();
  const config = { ...CONFIG, engine: "redis", redis: { port: redis.port }, database: { url: sqliteFile() } } as const;
  const [here, there] = [await startServer(config), await startServer(config)];
  const vera = await signedIn(here.url, "vera");
  await connectNative(here.url);
  await connectNative(there.url);
  await eventually(async () => {
    const found = await ask(vera);
    expect(found.measures.filter(({ measure }) => measure === "lag").length).toBeGreaterThan(0);
    expect(Math.max(...lineOf(found, "connections", "native websocket"))).toBe(2);
  }, WITHIN);
  await there.stop();
  await eventually(async () => {
    expect(lineOf(await ask(vera), "connections", "native websocket").at(-1)).toBe(1);
  }, WITHIN);
}, 60_000);

test("of one node alone, by its name; which nodes there were, and when one started again", async () => {
  const url = sqliteFile();
  const database = await openDatabase(url);
  atEnd(() => database.close());
  await migrate(database);
  const nowMs = Date.now();
  /** A process of a node, as it wrote so many minutes ago. */
  const wrote = async (id: string, name: string, minutesAgo: number, messagesIn: number) => {
    const atMs = nowMs - minutesAgo * 60_000;
    const ofApp = [{ measure: "connections", label: "native websocket tls", value: messagesIn } as const];
    const ofNode = [{ measure: "lag", label: name, value: 1 } as const];
    await new SeriesStore(database, id).add(
      new Map<string, readonly Measured[]>([
        [APP.id, ofApp],
        ["", ofNode],
      ]),
      atMs,
      60_000,
    );
    await new StatisticsStore(database, id).add(new Map([[APP.id, { ...noStatistics(), messagesIn }]]), atMs, 60_000);
  };
  for (const minutesAgo of [9, 8, 7, 6]) await wrote("id-1", "fra-1", minutesAgo, 10);
  await wrote("id-2", "fra-2", 8, 3);
  for (const minutesAgo of [6, 5]) await wrote("id-3", "fra-2", minutesAgo, 4);
  const server = await startServer({ ...CONFIG, statistics: { intervalS: 60 }, database: { url } });
  const vera = await signedIn(server.url, "vera");
  const before = `&to=${nowMs - 4 * 60_000}`;
  const all = await ask(vera, before);
  expect(all.nodes).toEqual(["fra-1", "fra-2"]);
  expect(all.totals.messagesIn).toEqual([10, 13, 10, 14, 4]);
  const minute = (atMs: number) => Math.floor(nowMs / 60_000) - Math.floor(atMs / 60_000);
  expect(all.starts.map(({ node, atMs, isAgain }) => [node, minute(atMs), isAgain])).toEqual([
    ["fra-2", 8, false],
    ["fra-2", 6, true],
  ]);
  const one = await ask(vera, `${before}&node=fra-2`);
  expect(one.nodes).toEqual(["fra-1", "fra-2"]);
  expect(one.times.map(minute)).toEqual([8, 6, 5]);
  expect(one.totals.messagesIn).toEqual([3, 4, 4]);
  expect(lineOf(one, "connections", "native websocket tls")).toEqual([3, 4, 4]);
  expect(one.measures.filter(({ measure }) => measure === "lag").map(({ label }) => label)).toEqual(["fra-2"]);
  expect((await ask(vera, `${before}&node=nowhere`)).times).toEqual([]);
}, 40_000);

test("without a database it says what to set", async () => {
  const { database: _, ...config } = CONFIG;
  const { url } = await startServer(config);
  const answer = await (await signedIn(url, "vera")).ask<{ error: { message: string } }>("api/insights?span=hour");
  expect([answer.status, answer.body.error.message]).toEqual([501, expect.stringContaining("database.url")]);
});
