/** The recovery window of an app: all its channels keep what was published last, without a rule, within a number of bytes. */

import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../packages/server/src/config/load.ts";
import type { Server } from "../../packages/server/src/index.ts";
import { connectNative } from "../support/native-client.ts";
import { runCli } from "../support/process.ts";
import { connectPusher, RECOVER, signedFetch } from "../support/pusher-client.ts";
import { APP, type AppInput, startServer } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const start = (app: Partial<AppInput> = {}) =>
  startServer({}, { recovery: { enabled: true }, anonymous: true, ...app });
const recovering = ({ url }: Server) => connectPusher(url, { query: RECOVER });
const push = (server: Server, channel: string, data: unknown) => server.toChannel(channel).push({ event: "e", data });

describe("an app with a recovery window", () => {
  test("gives clients of both protocols what they missed, in channels of every kind", async () => {
    const server = await start();
    const [pusher, native] = [await recovering(server), await connectNative(server.url)];
    const member = { data: { user_id: "1" } };
    const channels = ["orders", "private-orders", "presence-orders", "private-encrypted-orders"];
    const stood = new Map<string, unknown>();
    for (const channel of channels) stood.set(channel, (await pusher.subscribed(channel, member)).position);
    const { position } = await native.subscribe("orders");
    await pusher.close();
    for (const channel of channels) await push(server, channel, channel);
    const back = await recovering(server);
    for (const channel of channels) {
      const answer = await back.subscribed(channel, { ...member, past: { position: stood.get(channel) } });
      expect(answer.recovered).toBe(true);
      expect((await back.nextIn(channel)).data).toBe(channel);
    }
    const again = await connectNative(server.url);
    expect(await again.subscribe("orders", { position })).toMatchObject({ recovered: true });
    expect(await again.next("e")).toMatchObject({ data: "orders", position: { offset: 1 } });
  });

  test("changes nothing for clients that do not recover", async () => {
    const server = await start();
    const plain = await connectPusher(server.url);
    await push(server, "orders", 1);
    expect(await plain.subscribed("orders")).toEqual({
      event: "pusher_internal:subscription_succeeded",
      channel: "orders",
      data: "{}",
    });
    await push(server, "orders", 2);
    expect(await plain.nextIn("orders")).toEqual({ event: "e", channel: "orders", data: "2" });
  });

  test("leaves cache channels, and those that a rule excepts or gives a history, as they are", async () => {
    const server = await start({
      channels: [
        { match: "cursors.*", recovery: false },
        { match: "long.*", history: { size: 3, ttlS: 3_600 } },
      ],
    });
    for (const channel of ["cursors.1", "long.1", "cache-a", "short"]) {
      for (let n = 1; n <= 5; n++) await push(server, channel, n);
    }
    const client = await recovering(server);
    for (const channel of ["cursors.1", "cache-a"])
      expect(await client.subscribed(channel)).not.toHaveProperty("position");
    expect(await client.nextIn("cache-a")).toEqual({ event: "e", channel: "cache-a", data: "5" });
    const kept = async (channel: string) => (await server.history(channel)).events.length;
    expect([await kept("long.1"), await kept("short"), await kept("cursors.1")]).toEqual([3, 5, 0]);
  });

  test("keeps no more than its bytes, however many channels there are, and says of what is gone that it is lost", async () => {
    const server = await start({ recovery: { enabled: true, bytes: 100_000 } });
    const first = await recovering(server);
    const { position } = await first.subscribed("channel-0");
    for (let n = 0; n < 1_000; n++) await push(server, `channel-${n}`, "x".repeat(1_000));
    const pages = await Promise.all(Array.from({ length: 1_000 }, (_, n) => server.history(`channel-${n}`)));
    const kept = pages.filter(({ events }) => events.length > 0);
    // Each takes 1 kB, and 1 kB more for itself and its channel.
    expect(kept.length).toBeGreaterThan(40);
    expect(kept.length).toBeLessThanOrEqual(50);
    expect(pages.slice(-kept.length)).toEqual(kept);
    const back = await recovering(server);
    expect(await back.subscribed("channel-0", { past: { position } })).toMatchObject({ recovered: false });
  });

  test("is switched on while clients are there", async () => {
    const server = await start({ recovery: { enabled: false } });
    const client = await recovering(server);
    expect(await client.subscribed("orders")).not.toHaveProperty("position");
    await push(server, "orders", 1);
    expect(await client.nextIn("orders")).not.toHaveProperty("position");
    const apps = [{ ...APP, anonymous: true, recovery: { enabled: true } }];
    await server.reload({ host: "127.0.0.1", port: 0, drainTimeoutS: 1, log: { level: "silent" }, apps });
    await push(server, "orders", 2);
    expect(await client.nextIn("orders")).toMatchObject({ data: "2", position: { offset: 1 } });
  });
});

test("it is off by default, and set for all apps or one, by a file and by the environment", async () => {
  const cwd = temporaryFolder();
  const app = { id: "a", key: "k", secret: "s" };
  const apps = JSON.stringify([app, { ...app, id: "b", key: "l", recovery: { enabled: false, size: 7 } }]);
  const off = await loadConfig({ cwd, env: { FANFARE_APPS: apps } });
  expect(off.config.apps.map(({ recovery }) => recovery.enabled)).toEqual([false, false]);
  const on = await loadConfig({
    cwd,
    env: { FANFARE_APPS: apps, FANFARE_DEFAULTS_RECOVERY_ENABLED: "true", FANFARE_DEFAULTS_RECOVERY_BYTES: "5000000" },
  });
  expect(on.config.apps.map(({ recovery }) => recovery)).toEqual([
    { enabled: true, size: 100, ttlS: 300, bytes: 5_000_000 },
    { enabled: false, size: 7, ttlS: 300, bytes: 5_000_000 },
  ]);
});

test("an app of the database has it as well", async () => {
  const url = sqliteFile();
  const run = (...args: string[]) => runCli(["apps", ...args, "--database-url", url]);
  const settings = (recovery: object) => ["--settings", JSON.stringify({ recovery })];
  const added = await run("add", "--id", "shop", ...settings({ enabled: true, ttlS: 60 }));
  const [, key = "", secret = ""] = /app key +(\S+)\s+app secret +(\S+)/.exec(added.stdout) ?? [];
  expect((await run("edit", "shop", ...settings({ ttlS: -1 }))).code).not.toBe(0);
  const server = await startServer({ database: { url } });
  const shop = { id: "shop", key, secret };
  const call = (method: string, path: string, body?: object) =>
    signedFetch(server.url, shop, method, path, body && { body });
  await call("POST", "/events", { name: "e", data: "1", channel: "orders" });
  const page = await (await call("GET", "/channels/orders/history")).json();
  expect(page).toMatchObject({ events: [{ data: "1" }], keeps: { size: 100, ttl: 60 } });
}, 60_000);
