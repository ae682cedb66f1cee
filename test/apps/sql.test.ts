/** Apps in a database: found at once, edited while others look, and never in the way of those that are in order. */

import { describe, expect, test } from "bun:test";
import { AppError, SqlApps, type SqlAppsOptions } from "../../packages/server/src/apps/sql.ts";
import { migrate } from "../../packages/server/src/database/migrate.ts";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import { createServer } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { startMariaDb } from "../support/mariadb.ts";
import { startPostgres } from "../support/postgres.ts";
import { sqliteFile } from "../support/sqlite.ts";

const [postgres, mariadb] = await Promise.all([startPostgres(), startMariaDb()]);
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const { defaults } = createServer().config;

type Heard = { readonly ids: readonly string[]; readonly all: readonly string[] }[];

async function appsAt(url: string, options: Partial<SqlAppsOptions> = {}) {
  const database = await openDatabase(url);
  atEnd(() => database.close());
  await migrate(database);
  const heard: Heard = [];
  const failures: string[] = [];
  const apps = new SqlApps({
    database,
    defaults,
    clock,
    pollMs: 50,
    changed: (all, ids) => heard.push({ ids, all: all.map(({ id }) => id) }),
    failed: (error, during) => failures.push(`${during}: ${error}`),
    ...options,
  });
  await apps.start();
  atEnd(() => apps.close());
  return { apps, database, heard, failures };
}

async function empty({ apps, database }: Awaited<ReturnType<typeof appsAt>>): Promise<void> {
  await database.query.deleteFrom("fanfare_apps").execute();
  await apps.refresh();
}

describe.each([
  ["SQLite", sqliteFile()],
  ["PostgreSQL", postgres.url],
  ["MariaDB", mariadb.url],
] as const)("%s", (_, url) => {
  test("edits that are made at once on several nodes are all made", async () => {
    const nodes = await Promise.all([appsAt(url), appsAt(url), appsAt(url)]);
    const [here] = nodes;
    await here?.apps.add({ id: "busy", key: "busy-key", secret: "s1" });
    const [one, two, three] = nodes.map(({ apps }) => apps);
    const rotated = await Promise.all([
      one?.rotate("busy"),
      two?.rotate("busy"),
      three?.edit("busy", { clientEvents: true }).then(() => undefined),
      one?.edit("busy", { requireTls: true }).then(() => undefined),
    ]);
    const made = rotated.filter((secret) => secret !== undefined);
    await here?.apps.refresh();
    expect(here?.apps.byId("busy")).toMatchObject({ clientEvents: true, requireTls: true });
    expect(new Set(here?.apps.byId("busy")?.secrets)).toEqual(new Set(["s1", ...made]));
    if (here) await empty(here);
  });

  test("a name as long as may be is kept whole, and no text gets as far as the database that it would refuse", async () => {
    const here = await appsAt(url);
    const longest = "😀".repeat(255);
    await here.apps.add({ id: "named", name: longest });
    expect(here.apps.byId("named")?.name).toBe(longest);
    for (const name of [`${longest}x`, "a\u0000b", "a\ud800b"]) {
      const told = expect.stringContaining("text of 1 to 255 characters");
      expect(here.apps.add({ name })).rejects.toMatchObject({ name: "ConfigError", message: told });
      expect(here.apps.edit("named", { name })).rejects.toMatchObject({ name: "ConfigError", message: told });
    }
    await here.apps.edit("named", { webhooks: [{ url: `https://a.example/${"x".repeat(70_000)}\u0000` }] });
    expect(here.apps.byId("named")).toMatchObject({ name: longest, webhooks: [{}] });
    await empty(here);
  });

  test("an app that is added is found by id and key, with its own settings over the defaults", async () => {
    const here = await appsAt(url);
    const added = await here.apps.add({
      id: "shop",
      key: "shop-key",
      secret: "s1",
      clientEvents: true,
      limits: { eventDataBytes: 99 },
      channels: [{ match: "chat.*", clientPublish: "any" }],
    });
    expect(added).toMatchObject({ id: "shop", key: "shop-key", secrets: ["s1"], name: "shop", enabled: true });
    expect(here.apps.byKey("shop-key")).toEqual(added);
    expect(here.apps.byId("shop")).toEqual(added);
    expect(added.limits).toEqual({ ...defaults.limits, eventDataBytes: 99 });
    expect(here.apps.byKey("Shop-Key")).toBeUndefined();
    await empty(here);
  });

  test("what is not given is made: id, key and secret", async () => {
    const here = await appsAt(url);
    const [one, two] = [await here.apps.add(), await here.apps.add()];
    expect(one.id).toMatch(/^\d+$/);
    expect(one.key).toMatch(/^[0-9a-f]{20}$/);
    expect(one.secrets[0]).toMatch(/^[0-9a-f]{40}$/);
    expect(two.key).not.toBe(one.key);
    expect(new Set(here.apps.list().map(({ id }) => id))).toEqual(new Set([one.id, two.id]));
    await empty(here);
  });

  test("another node sees additions, edits and removals within a second, each by name", async () => {
    const [here, there] = [await appsAt(url), await appsAt(url)];
    await here.apps.add({ id: "a", key: "ka" });
    await here.apps.add({ id: "b", key: "kb" });
    await eventually(() => expect(there.apps.byKey("kb")).toBeDefined(), { withinMs: 1_000 });
    await here.apps.edit("a", { enabled: false });
    await eventually(() => expect(there.apps.byId("a")?.enabled).toBe(false), { withinMs: 1_000 });
    await here.apps.remove("b");
    await eventually(() => expect(there.apps.byKey("kb")).toBeUndefined(), { withinMs: 1_000 });
    expect(there.apps.byId("a")).toBeDefined();
    expect(there.heard.at(-1)).toEqual({ ids: ["b"], all: ["a"] });
    await empty(here);
  });

  test("an edit changes what it names, null gives a default back, and what is wrong changes nothing", async () => {
    const here = await appsAt(url);
    await here.apps.add({ id: "a", key: "k", secret: "s", clientEvents: true, anonymous: true });
    await here.apps.edit("a", { anonymous: null, name: "Shop" });
    expect(here.apps.byId("a")).toMatchObject({ name: "Shop", clientEvents: true, anonymous: defaults.anonymous });
    const wrong = here.apps.edit("a", { limits: { eventDataBytes: -1 } });
    await expect(wrong).rejects.toThrow("eventDataBytes");
    expect(here.apps.byId("a")).toMatchObject({ name: "Shop", limits: defaults.limits });
    await empty(here);
  });

  test("a rotated secret signs first while the old one still counts, until it is forgotten", async () => {
    const here = await appsAt(url);
    await here.apps.add({ id: "a", key: "k", secret: "old" });
    const fresh = await here.apps.rotate("a");
    expect(here.apps.byId("a")?.secrets).toEqual([fresh, "old"]);
    expect(await here.apps.rotate("a", true)).toBe(fresh);
    expect(here.apps.byId("a")?.secrets).toEqual([fresh]);
    await empty(here);
  });

  test("an id or a key that is taken, and an app that is not there, are refused in a sentence", async () => {
    const here = await appsAt(url);
    await here.apps.add({ id: "a", key: "k" });
    await expect(here.apps.add({ id: "a", key: "other" })).rejects.toThrow(AppError);
    await expect(here.apps.add({ id: "other", key: "k" })).rejects.toThrow('There is an app "a"');
    await expect(here.apps.edit("nobody", {})).rejects.toThrow('There is no app "nobody"');
    await expect(here.apps.rotate("nobody")).rejects.toThrow(AppError);
    await expect(here.apps.remove("nobody")).rejects.toThrow(AppError);
    await expect(here.apps.add({ id: "no spaces" })).rejects.toThrow("letters, digits");
    await empty(here);
  });

  test("a row that somebody spoilt is reported and left out; the others work", async () => {
    const here = await appsAt(url);
    await here.apps.add({ id: "good", key: "kg" });
    const row = { id: "bad", key: "kb", name: "bad", enabled: 1, created_at: 1, updated_at: 1 };
    await here.database.query
      .insertInto("fanfare_apps")
      .values({ ...row, secrets: "not json", settings: "{}" })
      .execute();
    await here.apps.refresh();
    expect(here.apps.list().map(({ id }) => id)).toEqual(["good"]);
    expect(here.failures.join()).toContain('"bad"');
    await empty(here);
  });
});

test("a database that dies keeps nobody out, is reported once, and is read again when it is back", async () => {
  const server = await startPostgres();
  const here = await appsAt(server.url);
  await here.apps.add({ id: "a", key: "k" });
  await server.kill();
  await eventually(() => expect(here.failures).toHaveLength(1), { withinMs: 15_000 });
  expect(here.apps.byKey("k")?.id).toBe("a");
  await expect(here.apps.add({ id: "b" })).rejects.toThrow();
  expect(here.failures).toHaveLength(1);
  await server.start();
  await eventually(async () => void (await here.apps.edit("a", { name: "back" })), { withinMs: 15_000 });
  expect(here.apps.byId("a")?.name).toBe("back");
}, 60_000);
