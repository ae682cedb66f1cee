/** What is old is forgotten, on each database, while messages pass. */

import { describe, expect, test } from "bun:test";
import { deleteAuditEntries } from "../../packages/server/src/admin/audit-log.ts";
import { migrate } from "../../packages/server/src/database/migrate.ts";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import { RetentionJob, type RetentionRule } from "../../packages/server/src/database/retention.ts";
import { noStatistics } from "../../packages/server/src/domain/app-statistics.ts";
import { StatisticsStore } from "../../packages/server/src/observers/statistics/store.ts";
import { type WebhookMessage, WebhookQueue } from "../../packages/server/src/observers/webhooks/webhook-queue.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { startMariaDb } from "../support/mariadb.ts";
import { startPostgres } from "../support/postgres.ts";
import { startServer } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";

const DAY = 24 * 3_600_000;
const NOW = Date.UTC(2026, 10, 21);
/** More than two pages. */
const MANY = 1_100;

const [postgres, mariadb] = await Promise.all([startPostgres(), startMariaDb()]);

async function tables(url: string) {
  const database = await openDatabase(url);
  await migrate(database);
  atEnd(() => database.close());
  const queue = new WebhookQueue(database, "node", 1_000);
  const letter = (n: number): WebhookMessage => {
    return { app: "a", channel: `c-${n}`, target: "http://x/", event: "{}", delayMs: 0 };
  };
  /** Letters that happened long before they died. */
  const bury = async (count: number, atMs: number) => {
    await queue.write(
      Array.from({ length: count }, (_, n) => letter(n)),
      NOW - 300 * DAY,
    );
    while (true) {
      const [receiver] = await queue.receivers(NOW);
      const letters = receiver === undefined ? [] : await queue.messagesInOrder(receiver, 200, NOW);
      if (letters.length === 0) return;
      await queue.claim(letters, NOW);
      await queue.fail(letters, "gone", atMs);
    }
  };
  const note = async (count: number, at: number) => {
    const entry = { at, who: "ada", what: "app.edit", detail: "{}" };
    await database.query
      .insertInto("fanfare_audit")
      .values(Array.from({ length: count }, () => entry))
      .execute();
  };
  const rowsOf = async (table: "fanfare_audit" | "fanfare_outbox" | "fanfare_statistics") => {
    const query = database.query.selectFrom(table).select(({ fn }) => fn.countAll().as("count"));
    return Number((await query.executeTakeFirstOrThrow()).count);
  };
  return { database, queue, bury, note, rowsOf, letter };
}

function cleaningOf(...all: RetentionRule[]) {
  const failures: string[] = [];
  const failed = (_: unknown, during: string) => void failures.push(during);
  const cleaning = new RetentionJob({ rules: all, wallMs: () => NOW, failed });
  atEnd(() => cleaning.close());
  return { cleaning, failures };
}

describe.each([
  ["SQLite", sqliteFile()],
  ["PostgreSQL", postgres.url],
  ["MariaDB", mariadb.url],
] as const)("on %s", (_, url) => {
  test("dead letters and the audit log go by their age, and what is not that old stays", async () => {
    const { database, queue, bury, note, rowsOf, letter } = await tables(url);
    await bury(MANY, NOW - 31 * DAY);
    await bury(2, NOW - 29 * DAY);
    await queue.write([letter(0)], NOW - 300 * DAY);
    await note(MANY, NOW - 366 * DAY);
    await note(3, NOW - 364 * DAY);
    const { cleaning, failures } = cleaningOf(
      { name: "dead letters", keepDays: 30, forget: (before) => queue.forget(before) },
      { name: "audit", keepDays: 365, forget: (before) => deleteAuditEntries(database.query, before) },
    );
    let steps = 0;
    let isOver = false;
    const step = () => {
      steps++;
      if (!isOver) setImmediate(step);
    };
    setImmediate(step);
    await cleaning.run();
    isOver = true;
    expect(steps).toBeGreaterThanOrEqual(6);
    expect(failures).toEqual([]);
    expect(await queue.backlog()).toMatchObject({ waiting: 1, failed: 2 });
    expect(await rowsOf("fanfare_audit")).toBe(3);
    await cleaning.run();
    expect(await rowsOf("fanfare_outbox")).toBe(3);
  });

  test("so do statistics of many apps and nodes", async () => {
    const { database, rowsOf } = await tables(url);
    const numbers = new Map(Array.from({ length: 300 }, (_, n) => [`app-${n}`, noStatistics()]));
    const store = new StatisticsStore(database, "one");
    for (const days of [100, 99, 98, 1]) await store.add(numbers, NOW - days * DAY, 60_000);
    const kept = { name: "statistics", keepDays: 90, forget: (before: number) => store.forget(before, NOW) };
    await cleaningOf(kept).cleaning.run();
    expect(await rowsOf("fanfare_statistics")).toBe(900);
  });
});

test("what cannot be forgotten keeps nothing else, and is said", async () => {
  const { database, note, rowsOf } = await tables(sqliteFile());
  await note(1, 0);
  const { cleaning, failures } = cleaningOf(
    {
      name: "dead letters",
      keepDays: 1,
      // biome-ignore lint/correctness/useYield: it fails before it has forgotten any
      async *forget() {
        throw new Error("locked");
      },
    },
    { name: "audit", keepDays: 1, forget: (before) => deleteAuditEntries(database.query, before) },
  );
  await cleaning.run();
  expect(failures).toEqual(["forgetting old dead letters"]);
  expect(await rowsOf("fanfare_audit")).toBe(0);
});

test("a server forgets by itself, and by its settings", async () => {
  const url = sqliteFile();
  const { bury, note, rowsOf } = await tables(url);
  for (const days of [1, 3]) {
    await bury(1, Date.now() - days * DAY);
    await note(1, Date.now() - days * DAY);
  }
  await startServer({ database: { url }, webhooks: { keepDays: 2 }, audit: { keepDays: 2 } });
  await eventually(async () => {
    expect(await rowsOf("fanfare_outbox")).toBe(1);
    expect(await rowsOf("fanfare_audit")).toBe(1);
  });
});
