/** How the tables came to be what they are. A migration that was released is never changed; the next one is added below. */

import { type Kysely, type Migration, sql } from "kysely";
import type { DatabaseKind } from "./open.ts";

/** Long enough for every id, key and name that the configuration allows, short enough for an index of MySQL's. */
const NAME = "varchar(255)";

/** An SHA-1 in hexadecimal: names that are too long together for an index. */
const DIGEST = "char(40)";

export function migrationsFor(kind: DatabaseKind): Record<string, Migration> {
  return { "2026-11-first": first(kind), "2026-12-series": series(kind) };
}

function series(kind: DatabaseKind): Migration {
  return {
    async up(db) {
      await newTable(db, "fanfare_series", kind)
        .addColumn("app", NAME, (column) => column.notNull())
        .addColumn("node", "varchar(64)", (column) => column.notNull())
        .addColumn("span", "varchar(16)", (column) => column.notNull())
        .addColumn("at", "bigint", (column) => column.notNull())
        .addColumn("measure", "varchar(32)", (column) => column.notNull())
        .addColumn("label", "varchar(128)", (column) => column.notNull())
        .addColumn("value", "bigint", (column) => column.notNull())
        .addPrimaryKeyConstraint("fanfare_series_key", ["app", "node", "span", "at", "measure", "label"])
        .execute();
      await addIndex(db, kind, "fanfare_series", "fanfare_series_by_age", ["span", "at"]);
    },
  };
}

function first(kind: DatabaseKind): Migration {
  // MySQL's `text` ends at 64 KB.
  const text = kind === "mysql" ? sql`longtext` : sql`text`;
  return {
    async up(db) {
      await createApps(db, kind, text);
      await createStatistics(db, kind);
      await createOutbox(db, kind, text);
      await createAudit(db, kind, text);
    },
  };
}

type Db = Kysely<unknown>;
type Text = ReturnType<typeof sql>;

async function createApps(db: Db, kind: DatabaseKind, text: Text): Promise<void> {
  await newTable(db, "fanfare_apps", kind)
    .addColumn("id", NAME, (column) => column.primaryKey())
    .addColumn("key", NAME, (column) => column.notNull().unique())
    .addColumn("name", NAME, (column) => column.notNull())
    .addColumn("secrets", text, (column) => column.notNull())
    .addColumn("enabled", "smallint", (column) => column.notNull())
    .addColumn("settings", text, (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("updated_at", "bigint", (column) => column.notNull())
    .execute();
}

async function createStatistics(db: Db, kind: DatabaseKind): Promise<void> {
  let table = newTable(db, "fanfare_statistics", kind)
    .addColumn("app", NAME, (column) => column.notNull())
    .addColumn("node", "varchar(64)", (column) => column.notNull())
    .addColumn("span", "varchar(16)", (column) => column.notNull())
    .addColumn("at", "bigint", (column) => column.notNull());
  const counts = ["peak_connections", "connections", "messages_in", "messages_out", "api_messages", "bytes_in"];
  for (const name of [...counts, "bytes_out", "subscribe_failures", "auth_failures"]) {
    table = table.addColumn(name, "bigint", (column) => column.notNull().defaultTo(0));
  }
  await table.addPrimaryKeyConstraint("fanfare_statistics_key", ["app", "node", "span", "at"]).execute();
  await addIndex(db, kind, "fanfare_statistics", "fanfare_statistics_by_age", ["span", "at"]);
}

async function createOutbox(db: Db, kind: DatabaseKind, text: Text): Promise<void> {
  await withId(db, "fanfare_outbox", kind)
    .addColumn("app", NAME, (column) => column.notNull())
    .addColumn("channel", text, (column) => column.notNull())
    .addColumn("target", text, (column) => column.notNull())
    .addColumn("receiver", DIGEST, (column) => column.notNull())
    .addColumn("lane", DIGEST, (column) => column.notNull())
    .addColumn("undo", DIGEST)
    .addColumn("event", text, (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("turn_at", "bigint", (column) => column.notNull())
    .addColumn("due_at", "bigint", (column) => column.notNull())
    .addColumn("attempts", "integer", (column) => column.notNull())
    .addColumn("state", "varchar(16)", (column) => column.notNull())
    .addColumn("claimed_by", "varchar(64)")
    .addColumn("claimed_until", "bigint", (column) => column.notNull())
    .addColumn("last_error", text)
    .execute();
  await addIndex(db, kind, "fanfare_outbox", "fanfare_outbox_states", ["state", "id"]);
  await addIndex(db, kind, "fanfare_outbox", "fanfare_outbox_receivers", ["state", "receiver", "turn_at", "id"]);
  await addIndex(db, kind, "fanfare_outbox", "fanfare_outbox_undo", ["undo"]);
}

async function createAudit(db: Db, kind: DatabaseKind, text: Text): Promise<void> {
  await withId(db, "fanfare_audit", kind)
    .addColumn("at", "bigint", (column) => column.notNull())
    .addColumn("who", NAME, (column) => column.notNull())
    .addColumn("what", NAME, (column) => column.notNull())
    .addColumn("detail", text, (column) => column.notNull())
    .execute();
  await addIndex(db, kind, "fanfare_audit", "fanfare_audit_by_age", ["at"]);
}

/** A table with a number that grows with each row and is never given again. */
function withId(db: Db, name: string, kind: DatabaseKind) {
  const table = newTable(db, name, kind);
  if (kind === "postgres") return table.addColumn("id", "bigserial", (column) => column.primaryKey());
  // SQLite numbers rows by itself only where the type is exactly this.
  if (kind === "sqlite") return table.addColumn("id", "integer", (column) => column.primaryKey().autoIncrement());
  return table.addColumn("id", "bigint", (column) => column.primaryKey().autoIncrement());
}

/** Only PostgreSQL undoes what was made before something failed: elsewhere the next attempt finds a part of it there. */
async function addIndex(db: Db, kind: DatabaseKind, table: string, name: string, columns: string[]): Promise<void> {
  const index = db.schema.createIndex(name).on(table).columns(columns);
  if (kind !== "mysql") return index.ifNotExists().execute();
  const { rows } = await sql`
    select 1 from information_schema.statistics
    where table_schema = database() and table_name = ${table} and index_name = ${name} limit 1`.execute(db);
  if (rows.length === 0) await index.execute();
}

function newTable(db: Db, name: string, kind: DatabaseKind) {
  const table = db.schema.createTable(name).ifNotExists();
  // MySQL goes by the server's settings otherwise: three bytes to a character, and `A` the same as `a`.
  return kind === "mysql" ? table.modifyEnd(sql`character set utf8mb4 collate utf8mb4_bin`) : table;
}
