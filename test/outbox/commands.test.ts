/** `fanfare outbox`: makes the table, lists what was set aside, and has it tried again. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { sql } from "kysely";
import { folderWith, run } from "../cli/run.ts";
import { external } from "../support/external.ts";
import { startMariaDb } from "../support/mariadb.ts";
import { startPostgres } from "../support/postgres.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { startOutbox } from "./databases.ts";

setDefaultTimeout(120_000);

const [postgres, mariadb] = await Promise.all([startPostgres(), startMariaDb()]);

test("what it prints makes the table, by the database's own command line, and again", async () => {
  const client = external("mariadb");
  const schema = async (dialect: string, ...more: string[]) => {
    const { code, stdout } = await run(["outbox", "schema", "--dialect", dialect, ...more]);
    expect(code).toBe(0);
    return new Blob([stdout]);
  };
  const feed = async (command: readonly string[], script: Blob) => {
    const { exited, stderr } = Bun.spawn([...command], { stdin: script, stdout: "ignore", stderr: "pipe" });
    expect([await exited, await new Response(stderr).text()]).toEqual([0, expect.not.stringContaining("ERROR")]);
  };
  const { port, pathname } = new URL(mariadb.url);
  const mysql = [client, "--no-defaults", "-h127.0.0.1", `-P${port}`, "-uroot", pathname.slice(1)];
  const psql = [external("psql"), "-q", "-v", "ON_ERROR_STOP=1", postgres.url];
  for (let n = 0; n < 2; n++) {
    await feed(mysql, await schema("mysql"));
    await feed(psql, await schema("postgres", "--notify"));
  }
  await feed(mysql, new Blob(["call fanfare_publish('a', 'b', 'c'); select 1/count(*) from fanfare_publications;"]));
  await feed(psql, new Blob(["begin; select fanfare_publish('a', 'b', 'c', app => 'shop'); commit;"]));
});

test("failed rows are listed with their reasons and tried again, by number in one source or all", async () => {
  const [one, other] = [await startOutbox(postgres.url), await startOutbox(sqliteFile())];
  const sources = [one, other].map(({ config }, at) => ({ ...config, name: at === 0 ? "one" : "other" }));
  const cwd = await folderWith({ outbox: sources });
  expect((await run(["outbox", "failed"], { cwd })).stdout).toBe("there are none\n");
  for (const outbox of [one, other]) {
    await outbox.insert({ channel: "room", data: "1" });
    const [row] = await outbox.source.next(1, 10);
    if (row) await outbox.source.setAside(row, "channel_invalid: \u001b[31m no");
  }
  const listed = await run(["outbox", "failed", "--source", "one"], { cwd });
  expect(listed.stdout).toMatch(/^one\t1\t20\S+\t\troom\tmessage\tchannel_invalid: \\u001b\[31m no\n$/);
  expect(JSON.parse((await run(["outbox", "failed", "--json"], { cwd })).stdout)).toHaveLength(2);
  const unclear = await run(["outbox", "retry", "1"], { cwd });
  expect([unclear.code, unclear.stderr]).toEqual([1, expect.stringContaining("--source: one, other")]);
  expect((await run(["outbox", "retry", "1", "--source", "one"], { cwd })).stdout).toStartWith("1 row waits again");
  expect((await run(["outbox", "retry", "--all"], { cwd })).stdout).toStartWith("1 row waits again");
  expect((await run(["outbox", "failed"], { cwd })).stdout).toBe("there are none\n");
});

test("mistakes are said: no outbox, none of that name, a database that is away, and two of one name", async () => {
  const says = async (args: readonly string[], outbox: readonly object[]) => {
    const { code, stderr } = await run(["outbox", ...args], { cwd: await folderWith({ outbox }) });
    return [code, stderr];
  };
  const away = { url: "postgres://x:secret@127.0.0.1:1/shop", name: "shop" };
  expect(await says(["migrate"], [])).toEqual([1, expect.stringContaining("no outbox is configured")]);
  expect(await says(["migrate", "--source", "b"], [away])).toEqual([1, expect.stringContaining("there are shop")]);
  const [code, text] = await says(["migrate"], [away]);
  expect([code, text]).toEqual([1, expect.stringContaining("the outbox shop cannot be used (postgres://x:***@")]);
  expect(await says(["failed"], [away, away])).toEqual([1, expect.stringContaining("a `name` of its own")]);
  const notify = { ...away, url: "mysql://127.0.0.1/shop", notify: true };
  expect(await says(["failed"], [notify])).toEqual([1, expect.stringContaining("only PostgreSQL can notify")]);
});

test("doctor says whether a reader may do what it has to, and what was set aside", async () => {
  const outbox = await startOutbox(postgres.url);
  await sql`create role reader login`.execute(outbox.db);
  await sql`grant select, delete on ${sql.table(outbox.config.table)} to reader`.execute(outbox.db);
  const sources = [
    { ...outbox.config, name: "owner" },
    { ...outbox.config, name: "reader", url: outbox.config.url.replace("fanfare@", "reader@") },
    { ...outbox.config, name: "missing", table: "missing" },
  ];
  const cwd = await folderWith({ outbox: sources });
  const found = async () => {
    const { stdout } = await run(["doctor", "--json"], { cwd });
    const all: readonly { check: string; level: string; says: string }[] = JSON.parse(stdout);
    return all.filter(({ check }) => check === "outbox").map(({ level, says }) => [level, says]);
  };
  expect(await found()).toEqual([
    ["ok", expect.stringContaining("can be read and changed")],
    ["problem", expect.stringContaining("permission denied")],
    ["problem", expect.stringContaining("does not exist")],
  ]);
  await sql`grant update (failed_at, error) on ${sql.table(outbox.config.table)} to reader`.execute(outbox.db);
  await outbox.insert({ channel: "room", data: "1" });
  const [row] = await outbox.source.next(1, 10);
  if (row) await outbox.source.setAside(row, "no");
  const says = "1 row of";
  expect((await found()).slice(0, 2)).toEqual([
    ["warning", expect.stringContaining(says)],
    ["warning", expect.stringContaining(says)],
  ]);
});
