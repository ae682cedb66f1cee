/** The tables on each database that may hold them: SQLite, PostgreSQL and MariaDB, the real ones. */

import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { sql } from "kysely";
import { migrate, pendingMigrations } from "../../packages/server/src/database/migrate.ts";
import { type Database, openDatabase } from "../../packages/server/src/database/open.ts";
import { atEnd } from "../support/at-end.ts";
import { startMariaDb } from "../support/mariadb.ts";
import { startPostgres } from "../support/postgres.ts";
import { sqliteFile } from "../support/sqlite.ts";

const [postgres, mariadb] = await Promise.all([startPostgres(), startMariaDb()]);
const DATABASES = [
  ["SQLite", sqliteFile()],
  ["PostgreSQL", postgres.url],
  ["MariaDB", mariadb.url],
] as const;

async function open(url: string): Promise<Database> {
  const database = await openDatabase(url);
  atEnd(() => database.close());
  return database;
}

describe.each(DATABASES)("%s", (_, url) => {
  test("several nodes migrate at once, one does it, and all find it done", async () => {
    const nodes = await Promise.all([open(url), open(url), open(url)]);
    const [first] = nodes;
    expect(first && (await pendingMigrations(first))).toEqual(["2026-11-first", "2026-12-series"]);
    const done = await Promise.all(nodes.map(migrate));
    expect(done.flatMap(({ done }) => done)).toEqual(["2026-11-first", "2026-12-series"]);
    expect(first && (await pendingMigrations(first))).toEqual([]);
  });

  test("what is written is read as it was: text of any script and size, times, switches", async () => {
    const { query } = await open(url);
    const settings = JSON.stringify({ text: "ünï-𝄞-`'\"\\", long: "x".repeat(100_000) });
    const at = 1_795_000_000_123;
    const app = { id: "a", key: "k", name: "Ähm", secrets: '["s"]', enabled: 1, settings };
    await query
      .insertInto("fanfare_apps")
      .values({ ...app, created_at: at, updated_at: at })
      .execute();
    const row = await query.selectFrom("fanfare_apps").selectAll().where("key", "=", "k").executeTakeFirstOrThrow();
    expect(row).toMatchObject(app);
    expect(Number(row.created_at)).toBe(at);
    await query.deleteFrom("fanfare_apps").execute();
  });

  test("keys that differ in case only are two", async () => {
    const { query } = await open(url);
    const app = { name: "n", secrets: "[]", enabled: 1, settings: "{}", created_at: 1, updated_at: 1 };
    await query
      .insertInto("fanfare_apps")
      .values({ ...app, id: "x", key: "Key" })
      .execute();
    await query
      .insertInto("fanfare_apps")
      .values({ ...app, id: "X", key: "key" })
      .execute();
    expect(await query.selectFrom("fanfare_apps").select("id").where("key", "=", "key").execute()).toEqual([
      { id: "X" },
    ]);
    await query.deleteFrom("fanfare_apps").execute();
  });

  test("the outbox numbers its rows in the order in which they came", async () => {
    const { query } = await open(url);
    const lane = { app: "a", channel: "c", target: "t", receiver: "r", lane: "l" };
    const row = { ...lane, event: "{}", created_at: 1, turn_at: 1, due_at: 1, attempts: 0 };
    for (let n = 0; n < 3; n++) {
      await query
        .insertInto("fanfare_outbox")
        .values({ ...row, state: "waiting", claimed_until: 0 })
        .execute();
    }
    const ids = (await query.selectFrom("fanfare_outbox").select("id").orderBy("id").execute()).map(({ id }) =>
      Number(id),
    );
    expect(ids).toHaveLength(3);
    expect(ids.toSorted((a, b) => a - b)).toEqual(ids);
    await query.deleteFrom("fanfare_outbox").execute();
  });

  test("a transaction that fails leaves nothing", async () => {
    const { query } = await open(url);
    const entry = { at: 1, who: "w", what: "x", detail: "{}" };
    const failing = query.transaction().execute(async (inside) => {
      await inside.insertInto("fanfare_audit").values(entry).execute();
      throw new Error("undone");
    });
    await expect(failing).rejects.toThrow("undone");
    expect(await query.selectFrom("fanfare_audit").selectAll().execute()).toEqual([]);
  });
});

describe.each([
  ["SQLite", () => sqliteFile()],
  ["MariaDB", () => mariadb.url.replace(/test$/, "half")],
] as const)("%s, which undoes no table", (kind, url) => {
  test("a migration that failed half-way is finished by the next", async () => {
    if (kind === "MariaDB") await sql`create database half`.execute((await open(mariadb.url)).query);
    const database = await open(url());
    await sql`create view fanfare_outbox as select 1 as x`.execute(database.query);
    await expect(migrate(database)).rejects.toThrow();
    await sql`drop view fanfare_outbox`.execute(database.query);
    await migrate(database);
    expect(await pendingMigrations(database)).toEqual([]);
    expect(await database.query.selectFrom("fanfare_outbox").selectAll().execute()).toEqual([]);
  });
});

describe.each([
  ["PostgreSQL", postgres, sql<{ id: number }>`select pg_backend_pid() as id`],
  ["MariaDB", mariadb, sql<{ id: number }>`select connection_id() as id`],
] as const)("%s that hangs", (_, server, connection) => {
  test("is not waited for, and its connections are not used again", async () => {
    const database = await openDatabase(server.url, { queryMs: 1_000 });
    const id = async () => (await connection.execute(database.query)).rows[0]?.id;
    const before = await id();
    server.signal("SIGSTOP");
    // A server of many threads may answer for a moment yet.
    await Bun.sleep(200);
    const asking = id();
    const failed = asking.then(
      () => "answered",
      () => "given up",
    );
    expect(await failed.finally(() => server.signal("SIGCONT"))).toBe("given up");
    expect(await id()).not.toBe(before);
    await database.close();
  }, 20_000);
});

test("two nodes on MariaDB that look for what is not there before they write do not stand in each other's way", async () => {
  const nodes = await Promise.all([open(mariadb.url), open(mariadb.url)]);
  const row = { app: "a", channel: "c", target: "t", receiver: "r", lane: "l", event: "{}", claimed_until: 0 };
  const letter = { ...row, created_at: 1, turn_at: 1, due_at: 1, attempts: 0, state: "waiting" };
  const writing = nodes.map(async ({ query }, node) => {
    for (let n = 0; n < 150; n++) {
      await query.transaction().execute(async (inside) => {
        await inside.deleteFrom("fanfare_outbox").where("undo", "=", `${node} ${n}`).execute();
        await inside.insertInto("fanfare_outbox").values(letter).execute();
      });
    }
  });
  expect((await Promise.allSettled(writing)).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
}, 30_000);

test("a file of ours is made with its folder, which others may not read", async () => {
  const url = sqliteFile().replace("test.db", "deep/er/test.db");
  await migrate(await open(url));
  const file = url.slice("sqlite:".length);
  expect(statSync(file).size).toBeGreaterThan(0);
  for (const one of [file, `${file}-wal`]) expect(statSync(one).mode & 0o077).toBe(0);
  expect(statSync(file.replace("/test.db", "")).mode & 0o077).toBe(0);
});

test("an address that is none is refused without its password", async () => {
  expect(openDatabase("oracle://me:hidden@host/db")).rejects.toThrow("oracle://me:***@host/db is no database address");
});

test("a database's name does not tell its password", async () => {
  expect((await open("postgres://me:hidden@127.0.0.1:1/db")).name).toBe("postgres://me:***@127.0.0.1:1/db");
});
