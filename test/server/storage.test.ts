/** What the server keeps and counts, seen from outside: apps from a database, webhooks of a real run, `/metrics`. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import Pusher from "pusher";
import { SqlApps } from "../../packages/server/src/apps/sql.ts";
import { migrate } from "../../packages/server/src/database/migrate.ts";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import { createServer } from "../../packages/server/src/index.ts";
import { StatisticsStore } from "../../packages/server/src/observers/statistics/store.ts";
import { WebhookQueue } from "../../packages/server/src/observers/webhooks/webhook-queue.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { dialNative } from "../support/native-client.ts";
import { startPostgres } from "../support/postgres.ts";
import { startProcess } from "../support/process.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const SILENT = { log: { level: "silent" } } as const;
const DB = { id: "db", key: "", secret: "s" };

async function editorOf(url: string): Promise<SqlApps> {
  const database = await openDatabase(url, { busyMs: 5_000 });
  await migrate(database);
  const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
  const { defaults } = createServer().config;
  const apps = new SqlApps({ database, defaults, clock, failed: (error) => console.error(error) });
  atEnd(() => database.close());
  return apps;
}

describe("apps in the database", () => {
  test("are there beside those of the configuration, and are added, disabled and removed while the server runs", async () => {
    const url = sqliteFile();
    const editor = await editorOf(url);
    await editor.add({ id: "db", key: "db-key", secret: "s" });
    const server = await startServer({ database: { url } });
    expect(server.apps.map(({ id }) => id)).toEqual([APP.id, "db"]);
    const kept = await connectPusher(server.url);
    const first = await connectPusher(server.url, { app: { ...DB, key: "db-key" } });
    await editor.add({ id: "late", key: "late-key", secret: "s" });
    await eventually(() => expect(server.apps.map(({ id }) => id)).toContain("late"));
    const second = await connectPusher(server.url, { app: { ...DB, key: "late-key" } });
    await editor.edit("db", { enabled: false });
    expect(await first.socket.closed).toMatchObject({ code: 4003 });
    await editor.remove("late");
    expect(await second.socket.closed).toMatchObject({ code: 4001 });
    await kept.ping();
  });

  test("what the configuration says of an id goes before the database", async () => {
    const url = sqliteFile();
    await (await editorOf(url)).add({ id: APP.id, key: "other-key", secret: "s" });
    const server = await startServer({ database: { url } });
    expect(server.apps.map(({ id, key }) => `${id} ${key}`)).toEqual([`${APP.id} ${APP.key}`]);
  });

  test("are enough: production needs none in its configuration", async () => {
    const url = sqliteFile();
    const server = createServer({ mode: "production", host: "127.0.0.1", port: 0, database: { url }, ...SILENT });
    await expect(server.start()).rejects.toThrow("no app is configured");
    await (await editorOf(url)).add({ id: "db", key: "db-key", secret: "s" });
    await server.start();
    atEnd(() => server.stop());
    expect(server.apps.map(({ id }) => id)).toEqual(["db"]);
  });
});

test("a server whose database is away starts with the apps it has, and takes up the others when it is back", async () => {
  const database = await startPostgres();
  await (await editorOf(database.url)).add({ id: "db", key: "db-key", secret: "s" });
  await database.kill();
  const server = await startServer({ database: { url: database.url, migrate: true } });
  expect(server.apps.map(({ id }) => id)).toEqual([APP.id]);
  await database.start();
  await eventually(() => expect(server.apps.map(({ id }) => id)).toEqual([APP.id, "db"]), { withinMs: 20_000 });
}, 60_000);

test("a database that is not ours is not changed unasked", async () => {
  const { url } = await startPostgres();
  const server = createServer({ apps: [APP], host: "127.0.0.1", port: 0, database: { url }, ...SILENT });
  await expect(server.start()).rejects.toThrow("run `fanfare migrate` first");
}, 60_000);

test("statistics are written at the latest when the server stops", async () => {
  const url = sqliteFile();
  const server = await startServer({ database: { url } });
  const client = await connectPusher(server.url);
  await client.ping();
  await server.toChannel("room").push({ event: "e", data: 1 });
  const stranger = await dialNative(server.url, { token: "nonsense" });
  await stranger.closed;
  await server.stop();
  const database = await openDatabase(url);
  atEnd(() => database.close());
  const store = new StatisticsStore(database, "any");
  const [point] = await store.series({ app: APP.id, span: "day", fromMs: 0, toMs: Date.now() });
  expect(point).toMatchObject({ peakConnections: 1, apiMessages: 1, authFailures: 1 });
  expect(point?.messagesIn).toBeGreaterThanOrEqual(1);
  expect(point?.bytesOut).toBeGreaterThan(0);
});

test("nodes of a cluster that each keep webhooks in a file of their own are warned", async () => {
  const away = { engine: "redis", redis: { url: "redis://127.0.0.1:1" } } as const;
  const hooked = { ...APP, webhooks: [{ url: "https://a.example/" }] };
  const alone = await startProcess({ config: { apps: [hooked] } });
  const plain = await startProcess({ config: { apps: [APP], ...away } });
  const warned = await startProcess({ config: { apps: [hooked], ...away } });
  expect(warned.stderr).toContain("each node has a database of its own");
  expect(alone.stderr + plain.stderr).not.toContain("database of its own");
});

test("/metrics answers neighbours and those with the token, and no client behind a proxy", async () => {
  const server = await startServer({ metrics: { token: "let-me", soketiNames: true } });
  const client = await connectPusher(server.url);
  await client.subscribe("room");
  const ask = (headers: Record<string, string> = {}) => fetch(`${server.url}/metrics`, { headers });
  const answer = await ask();
  expect(answer.headers.get("content-type")).toStartWith("text/plain");
  const text = await answer.text();
  expect(text).toContain(`fanfare_connections{app="${APP.id}"} 1`);
  expect(text).toContain(`fanfare_subscriptions{app="${APP.id}"} 1`);
  expect(text).toContain(`fanfare_channels{app="${APP.id}",kind="public"} 1`);
  expect(text).toContain("fanfare_engine_up 1");
  expect(text).toContain(`soketi_connected{app_id="${APP.id}",port="${server.port}"} 1`);
  expect((await ask({ "X-Forwarded-For": "203.0.113.1" })).status).toBe(403);
  const hidden = { "X-Forwarded-For": "203.0.113.1", Authorization: "Bearer let-me" };
  expect((await ask(hidden)).status).toBe(200);
  expect((await ask({ ...hidden, Authorization: "Bearer let-us" })).status).toBe(403);
  expect((await fetch(`${server.url}/metrics`, { method: "POST" })).status).toBe(405);
});

test("a database that hangs hides the backlog of webhooks from the metrics, and nothing else", async () => {
  const database = await startPostgres();
  const server = await startServer({ database: { url: database.url, migrate: true } });
  const scrape = async () => (await fetch(`${server.url}/metrics`)).text();
  expect(await scrape()).toContain("fanfare_webhooks_oldest_seconds 0");
  database.signal("SIGSTOP");
  // Before the server itself gives the database up.
  const scraped = await Promise.race([scrape(), Bun.sleep(8_000)]);
  database.signal("SIGCONT");
  expect(scraped).toContain("fanfare_engine_up 1");
  expect(scraped).not.toMatch(/^fanfare_webhooks_(oldest|pending)/m);
  await eventually(async () => expect(await scrape()).toContain("fanfare_webhooks_oldest_seconds 0"));
}, 60_000);

test("a receiver that takes its time does not cost the last statistics", async () => {
  const slow = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Promise<Response>(() => {}) });
  atEnd(() => slow.stop(true));
  const url = sqliteFile();
  const webhooks = [{ url: `http://127.0.0.1:${slow.port}/` }];
  const config = { apps: [{ ...APP, webhooks }], webhooks: { allowPrivate: true, timeoutS: 60 }, database: { url } };
  const server = await startProcess({ config });
  const client = await connectPusher(server.url);
  await client.subscribe("room");
  await eventually(() => expect(slow.pendingRequests).toBe(1));
  await server.stop();
  const database = await openDatabase(url);
  atEnd(() => database.close());
  const store = new StatisticsStore(database, "any");
  const series = await store.series({ app: APP.id, span: "day", fromMs: 0, toMs: Date.now() });
  expect(series).toMatchObject([{ peakConnections: 1 }]);
}, 60_000);

test("kill -9 between the fact and its delivery loses no webhook (scenario 45)", async () => {
  const told: string[] = [];
  let isUp = false;
  const receiver = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      if (!isUp) return new Response(null, { status: 503 });
      const body = await request.text();
      const headers = request.headers.toJSON();
      const hook = new Pusher({ appId: APP.id, key: APP.key, secret: APP.secret, host: "x" });
      if (hook.webhook({ headers, rawBody: body }).isValid()) told.push(JSON.parse(body).events[0].channel);
      return new Response();
    },
  });
  atEnd(() => receiver.stop(true));
  const cwd = temporaryFolder();
  const config = {
    apps: [{ ...APP, webhooks: [{ url: `http://127.0.0.1:${receiver.port}/` }] }],
    webhooks: { allowPrivate: true, timeoutS: 2 },
    database: { url: `sqlite:${join(cwd, "kept.db")}` },
  };
  const first = await startProcess({ cwd, config });
  const client = await connectPusher(first.url);
  for (let n = 0; n < 100; n++) await client.subscribe(`room-${n}`);
  // The last ones may still be on their way to the file, which takes a moment.
  const database = await openDatabase(config.database.url);
  const queue = new WebhookQueue(database, "observer", 1_000);
  await eventually(async () => expect((await queue.backlog()).waiting).toBe(100));
  await database.close();
  await first.kill();
  isUp = true;
  await startProcess({ cwd, config });
  await eventually(() => expect(new Set(told).size).toBe(100), { withinMs: 40_000 });
}, 90_000);
