/** How many webhook events wait and have failed, of each receiver, however many there are. */

import { expect, test } from "bun:test";
import { sql } from "kysely";
import { migrate } from "../../packages/server/src/database/migrate.ts";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import { WebhookQueue } from "../../packages/server/src/observers/webhooks/webhook-queue.ts";
import { atEnd } from "../support/at-end.ts";
import { sqliteFile } from "../support/sqlite.ts";

test("what waits is counted, though a hundred thousand that failed came before it", async () => {
  const database = await openDatabase(sqliteFile());
  atEnd(() => database.close());
  await migrate(database);
  const queue = new WebhookQueue(database, "node", 1_000);
  const event = { app: "shop", channel: "c", event: "{}", delayMs: 0 };
  await queue.write([{ ...event, target: "http://dead/" }], Date.now());
  await database.query.updateTable("fanfare_outbox").set({ state: "failed" }).execute();
  const columns = sql.raw(
    "app, channel, target, receiver, lane, undo, event, created_at, turn_at, due_at, attempts, state, claimed_by, claimed_until",
  );
  // Seventeen times as many again.
  for (let times = 0; times < 17; times++)
    await sql`insert into fanfare_outbox (${columns}) select ${columns} from fanfare_outbox`.execute(database.query);
  const waiting = { ...event, target: "http://slow/" };
  await queue.write([waiting, waiting, waiting], Date.now());
  const backlogs = await queue.backlogs();
  expect(backlogs).toContainEqual({ app: "shop", target: "http://slow/", state: "waiting", count: 3 });
  expect(backlogs).toContainEqual({ app: "shop", target: "http://dead/", state: "failed", count: 100_000 });
});
