/** What an application commits to its outbox is published once and in order; what it takes back is not. On each database. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import type { OutboxInput } from "../../packages/server/src/config/config-input.ts";
import { engineSettings } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { startMariaDb } from "../support/mariadb.ts";
import { scrape } from "../support/metrics.ts";
import { givenMysql } from "../support/mysql.ts";
import { connectAs, connectNative, type NativeTestClient } from "../support/native-client.ts";
import { startPostgres } from "../support/postgres.ts";
import { startProcess } from "../support/process.ts";
import { APP, startServer } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type Outbox, startOutbox } from "./databases.ts";

setDefaultTimeout(120_000);

const [postgres, mariadb, mysql] = await Promise.all([startPostgres(), startMariaDb(), givenMysql()]);
const DATABASES: readonly (readonly [name: string, url: string])[] = [
  ["PostgreSQL", postgres.url],
  ["MariaDB", mariadb.url],
  ["SQLite", sqliteFile()],
  ...(mysql === undefined ? [] : [["MySQL", mysql] as const]),
];

const PATIENCE = { withinMs: 60_000, everyMs: 20 };

/** A server that reads it for its one app, and a client in these channels. */
function start(outbox: Pick<Outbox, "config">, channels: readonly string[], more: Partial<OutboxInput> = {}) {
  return startFor(outbox, channels, { app: APP.id, ...more });
}

/** The same for the apps that the rows name. */
async function startFor({ config }: Pick<Outbox, "config">, channels: readonly string[], more: Partial<OutboxInput>) {
  const limits = { eventDataBytes: 1_000 };
  const server = await startServer({ outbox: [{ ...config, ...more }] }, { anonymous: true, limits });
  const client = await connectNative(server.url);
  for (const channel of channels) await client.subscribe(channel);
  return { server, client };
}

function heard(client: NativeTestClient, channel: string): unknown[] {
  return client.socket.frames
    .filter((frame) => frame.event === "message" && frame.channel === channel)
    .map(({ data }) => data);
}

describe.each(DATABASES)("%s", (_, url) => {
  test("what is committed is published once and is gone; what is rolled back is not published", async () => {
    const outbox = await startOutbox(url);
    const { client } = await start(outbox, ["a", "b"]);
    await outbox.db.transaction().execute(async (inside) => {
      await outbox.insert({ channel: "a", data: '{"n":1}' }, inside);
      await outbox.insert({ channel: "b", data: "plain text, ü𝄞" }, inside);
    });
    const undone = outbox.db.transaction().execute(async (inside) => {
      await outbox.insert({ channel: "a", data: "2" }, inside);
      throw new Error("rolled back");
    });
    expect(undone).rejects.toThrow("rolled back");
    await undone.catch(() => {});
    await outbox.insert({ channel: "a", data: "3", event: "message" });
    await eventually(() => expect(heard(client, "a")).toEqual([{ n: 1 }, 3]), PATIENCE);
    expect(heard(client, "b")).toEqual(["plain text, ü𝄞"]);
    await eventually(async () => expect(await outbox.count()).toBe(0), PATIENCE);
    expect(heard(client, "a")).toHaveLength(2);
  });

  test("several writers' rows of a channel come in the order of their commits, none twice and none missing", async () => {
    const outbox = await startOutbox(url);
    const channels = ["c-0", "c-1", "c-2"];
    const { client } = await start(outbox, channels, { batch: 7 });
    const each = scaled(2_000, 40);
    const committed = new Map(channels.map((channel) => [channel, [] as number[]]));
    let number = 0;
    const write = async (writer: number) => {
      for (let n = 0; n < each; n++) {
        const channel = channels[(writer + n) % channels.length] ?? "";
        const mine = ++number;
        await outbox.db.transaction().execute(async (inside) => {
          await outbox.publish(channel, String(mine), inside);
          // The lock is held to the commit: who gets it has this one's place in the order.
          committed.get(channel)?.push(mine);
          if (n % 5 === 0) await Bun.sleep(3);
        });
      }
    };
    await Promise.all(Array.from({ length: outbox.kind === "sqlite" ? 1 : 6 }, (_, writer) => write(writer)));
    await eventually(() => {
      for (const channel of channels) expect(heard(client, channel)).toHaveLength(committed.get(channel)?.length ?? -1);
    }, PATIENCE);
    for (const channel of channels) expect(heard(client, channel)).toEqual(committed.get(channel) ?? []);
    await eventually(async () => expect(await outbox.count()).toBe(0), PATIENCE);
  });

  test("a row that can never be published is set aside with the reason, and those behind it are published", async () => {
    const outbox = await startOutbox(url);
    const bad = [
      [{ channel: "not a channel", data: "1" }, /^channel_invalid: /],
      [{ channel: "room", event: "pusher:sham", data: "1" }, /^event_reserved: /],
      [{ channel: "room", data: "x".repeat(2_000) }, /^data_too_large: .*\(1000 bytes, eventDataBytes\): it has 2000/],
      [{ channel: "room", data: "x".repeat(300_000) }, /^data_too_large: the data has 300000 bytes; at most 1000 /],
      [{ channel: "room", data: "1", app: "unknown" }, /^there is no app "unknown"/],
      [{ channel: "room", data: "1", app: null }, /^the row names no app/],
      [{ user_id: "a\u0001b", data: "1" }, /^user_invalid: /],
    ] as const;
    const { client, server } = await startFor(outbox, ["room"], { name: "shop" });
    for (const [row] of bad) await outbox.insert({ app: APP.id, ...row });
    await outbox.insert({ app: APP.id, channel: "room", data: "2" });
    await eventually(() => expect(heard(client, "room")).toEqual([2]), PATIENCE);
    await eventually(async () => expect(await outbox.source.failed(100)).toHaveLength(bad.length), PATIENCE);
    const failed = (await outbox.source.failed(100)).toSorted((a, b) => a.id - b.id);
    for (const [at, [, reason]] of bad.entries()) expect(failed[at]?.error).toMatch(reason);
    expect(failed[0]?.failedAt).toMatch(/^20\d\d-\d\d-\d\dT/);
    await eventually(async () => {
      const samples = await scrape(server.url);
      expect(samples.get("fanfare_outbox_rows_total{outcome=failed,source=shop}")).toBe(bad.length);
      expect(samples.get("fanfare_outbox_rows_total{outcome=published,source=shop}")).toBe(1);
      expect(samples.get("fanfare_outbox_up{source=shop}")).toBe(1);
      expect(samples.get("fanfare_outbox_oldest_seconds{source=shop}")).toBe(0);
    }, PATIENCE);
    // Put right, it is published when it is tried again.
    await outbox.db
      .updateTable(outbox.config.table)
      .set({ channel: "room" })
      .where("id", "=", failed[0]?.id ?? 0)
      .execute();
    expect(await outbox.source.retry([failed[0]?.id ?? 0])).toBe(1);
    await eventually(() => expect(heard(client, "room")).toEqual([2, 1]), PATIENCE);
    expect(await outbox.source.failed(100)).toHaveLength(bad.length - 1);
  });

  test("a table that is emptied gives its numbers again, and what then has them is published, too", async () => {
    const outbox = await startOutbox(url);
    const { client } = await start(outbox, ["room"]);
    for (const round of [1, 2, 3]) {
      await outbox.insert({ channel: "room", data: "same" });
      await eventually(() => expect(heard(client, "room")).toHaveLength(round), PATIENCE);
      await eventually(async () => expect(await outbox.count()).toBe(0), PATIENCE);
      await outbox.truncate();
    }
    // While a row is in the reader's hands: what takes its number is not deleted with it.
    const old = await eventually(async () => {
      await outbox.insert({ channel: "room", data: "old" });
      // The server's reader may be faster.
      const [row] = await outbox.source.next(1, 1_000);
      await eventually(async () => expect(await outbox.count()).toBe(0), PATIENCE);
      await outbox.truncate();
      if (!row) throw new Error("The row was gone before this test had read it.");
      return row;
    }, PATIENCE);
    await outbox.insert({ channel: "not valid", data: "new" });
    await eventually(async () => expect(await outbox.source.failed(1)).toHaveLength(1), PATIENCE);
    expect((await outbox.source.failed(1))[0]?.id).toBe(old.id);
    await outbox.source.remove([old]);
    expect(await outbox.count()).toBe(1);
  });

  test("a number or a time that the application gave by itself keeps no row in the table, and holds none up", async () => {
    const outbox = await startOutbox(url);
    const { client } = await start(outbox, ["a"]);
    const table = sql.table(outbox.config.table);
    const time = { postgres: sql`'infinity'`, mysql: sql`'1000-01-01'`, sqlite: sql`x'ff00'` }[outbox.kind];
    await sql`insert into ${table} (id, created_at, channel, data)
      values (9007199254740993, ${time}, 'a', '1')`.execute(outbox.db);
    await outbox.insert({ channel: "a", data: "2" });
    if (outbox.kind === "sqlite") {
      await sql`insert into ${table} (channel, event, data)
        values (cast('a' as blob), cast('message' as blob), '3')`.execute(outbox.db);
    }
    await eventually(async () => expect(await outbox.count()).toBe(0), PATIENCE);
    expect(heard(client, "a").map(Number).sort()).toEqual(outbox.kind === "sqlite" ? [1, 2, 3] : [1, 2]);
  });

  test("a row for a user reaches the user; one that excepts a connection does not reach it", async () => {
    const outbox = await startOutbox(url);
    const { server, client } = await start(outbox, ["room"]);
    const ada = await connectAs(server.url, "ada");
    await ada.subscribe("room");
    await outbox.insert({ user_id: "ada", event: "greeting", data: '"hello"' });
    await outbox.insert({ channel: "room", data: "1", except_connection: client.id });
    await outbox.insert({ channel: "room", data: "2" });
    expect(await ada.next((frame) => frame.event === "greeting")).toMatchObject({ data: "hello" });
    await eventually(() => expect(heard(client, "room")).toEqual([2]), PATIENCE);
    await eventually(() => expect(heard(ada, "room")).toEqual([1, 2]), PATIENCE);
  });
});

describe.each(DATABASES.slice(0, 2))("%s, which has many writers,", (name, url) => {
  test("loses nothing where a transaction that began earlier commits later", async () => {
    const outbox = await startOutbox(url);
    const { client } = await start(outbox, ["room"]);
    const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>();
    const inserted = Promise.withResolvers<void>();
    const early = outbox.db.transaction().execute(async (inside) => {
      await outbox.insert({ channel: "room", data: "1" }, inside);
      inserted.resolve();
      await mayCommit;
    });
    await inserted.promise;
    await outbox.insert({ channel: "room", data: "2" });
    await eventually(() => expect(heard(client, "room")).toEqual([2]), PATIENCE);
    commit();
    await early;
    await eventually(() => expect(heard(client, "room")).toEqual([2, 1]), PATIENCE);
  });

  test("may be killed: the server goes on, and reads on when it is back", async () => {
    const outbox = await startOutbox(url);
    const { client, server } = await start(outbox, ["room"], { name: "shop" });
    const database = name === "PostgreSQL" ? postgres : mariadb;
    await outbox.insert({ channel: "room", data: "1" });
    await eventually(() => expect(heard(client, "room")).toEqual([1]), PATIENCE);
    await eventually(async () => expect(await outbox.count()).toBe(0), PATIENCE);
    await database.kill();
    await eventually(
      async () => expect((await scrape(server.url)).get("fanfare_outbox_up{source=shop}")).toBe(0),
      PATIENCE,
    );
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    await database.start();
    await eventually(() => outbox.insert({ channel: "room", data: "2" }), PATIENCE);
    await eventually(() => expect(heard(client, "room")).toEqual([1, 2]), PATIENCE);
    await eventually(async () => expect(await outbox.count()).toBe(0), PATIENCE);
  });
});

test("PostgreSQL tells of inserts where that is wanted: no poll is waited for, also after its connections were cut", async () => {
  const outbox = await startOutbox(postgres.url, { notify: true });
  const { client } = await start(outbox, ["room"], { pollMs: 60_000 });
  for (let n = 1; n <= 5; n++) {
    await outbox.insert({ channel: "room", data: String(n) });
    await eventually(() => expect(heard(client, "room")).toHaveLength(n), { withinMs: 30_000, everyMs: 5 });
  }
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'`.execute(outbox.db);
  await outbox.insert({ channel: "room", data: "6" });
  await eventually(() => expect(heard(client, "room")).toEqual([1, 2, 3, 4, 5, 6]), { withinMs: 30_000, everyMs: 5 });
});

test("a file of SQLite's that is not there is not made, and one that is keeps its rights", async () => {
  const missing = join(temporaryFolder(), "missing.db");
  const config = { url: `sqlite:${missing}`, table: "t", notify: false, pollMs: 20 };
  const { server } = await start({ config }, []);
  await eventually(async () => expect((await scrape(server.url)).get("fanfare_outbox_up{source=t}")).toBe(0), PATIENCE);
  expect(existsSync(missing)).toBe(false);
  const outbox = await startOutbox(sqliteFile());
  const file = outbox.config.url.slice("sqlite:".length);
  chmodSync(file, 0o664);
  const { client } = await start(outbox, ["room"]);
  await outbox.insert({ channel: "room", data: "1" });
  await eventually(() => expect(heard(client, "room")).toEqual([1]), PATIENCE);
  expect(statSync(file).mode & 0o777).toBe(0o664);
});

test("where an engine makes it less than exactly once, the log says so at the start", async () => {
  const said = async (engine: "memory" | "redis" | "nats") => {
    const where = engine === "memory" ? {} : await engineSettings(engine);
    const outbox = await startOutbox(sqliteFile());
    const config = { ...where, apps: [APP], outbox: [{ ...outbox.config, app: APP.id }] };
    const server = await startProcess({ config });
    await eventually(() => expect(server.output).toContain("listening"), PATIENCE);
    return /outbox: [^"]*/.exec(server.output)?.[0];
  };
  expect(await said("memory")).toContain("the engine `memory` forgets");
  expect(await said("nats")).toContain("for 5 minutes");
  expect(await said("redis")).toBeUndefined();
});

test("a server without an outbox reads nothing of what reads them", async () => {
  const program = `
    import { createServer } from "${new URL("../../packages/server/src/index.ts", import.meta.url).pathname}";
    const server = createServer({ host: "127.0.0.1", port: 0, log: { level: "silent" }, ...JSON.parse(process.env.MORE) });
    await server.start();
    console.log(JSON.stringify(Object.keys(require.cache).filter((name) => /src.outbox./.test(name))));
    await server.stop();`;
  const read = async (more: object) => {
    const MORE = JSON.stringify({ apps: [APP], ...more });
    const child = Bun.spawn([process.execPath, "-e", program], { env: { ...process.env, MORE }, stderr: "inherit" });
    return JSON.parse(await new Response(child.stdout).text()).length;
  };
  expect(await read({})).toBe(0);
  expect(await read({ outbox: [{ url: sqliteFile() }] })).toBeGreaterThan(0);
});
