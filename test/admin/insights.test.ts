/** What was stored of the past, as the dashboard asks for it: by transport, node, reason and outcome; on one node and two. */

import { expect, test } from "bun:test";
import type { Insights } from "../../packages/server/src/admin/api-types.ts";
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

test("without a database it says what to set", async () => {
  const { database: _, ...config } = CONFIG;
  const { url } = await startServer(config);
  const answer = await (await signedIn(url, "vera")).ask<{ error: { message: string } }>("api/insights?span=hour");
  expect([answer.status, answer.body.error.message]).toEqual([501, expect.stringContaining("database.url")]);
});
