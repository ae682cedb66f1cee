/** Outboxes in real databases, and applications that write to them in transactions. */

import { Database as SqliteFile } from "bun:sqlite";
import { type Kysely, sql } from "kysely";
import { type Database, type DatabaseKind, openDatabase } from "../../packages/server/src/database/open.ts";
import { OutboxSource } from "../../packages/server/src/outbox/source.ts";
import { atEnd } from "../support/at-end.ts";

let made = 0;

/** A new table of its own in that database, and one who writes to it. Ends with the test. */
export async function startOutbox(url: string, { notify = false } = {}): Promise<Outbox> {
  if (url.startsWith("sqlite:")) new SqliteFile(url.slice("sqlite:".length), { create: true }).close();
  const table = `outbox_${++made}`;
  const settings = { url, table, name: table, notify };
  const source = await OutboxSource.open(settings, 10_000);
  atEnd(() => source.close());
  await source.migrate();
  await source.migrate();
  const database = await openDatabase(url, { busyMs: 10_000, isForeign: true });
  atEnd(() => database.close());
  return new Outbox(database, source, { url, table, notify, pollMs: 20 });
}

export interface Row {
  readonly app?: string | null;
  readonly channel?: string;
  readonly user_id?: string;
  readonly event?: string;
  readonly data: string;
  readonly except_connection?: string;
  readonly id?: number;
}

export class Outbox {
  readonly kind: DatabaseKind;
  readonly source: OutboxSource;
  /** As the configuration has it. */
  readonly config: { readonly url: string; readonly table: string; readonly notify: boolean; readonly pollMs: number };
  readonly db: Kysely<Record<string, Record<string, unknown>>>;

  constructor(database: Database, source: OutboxSource, config: Outbox["config"]) {
    this.kind = database.kind;
    this.source = source;
    this.config = config;
    this.db = database.query as unknown as Outbox["db"];
  }

  async insert(row: Row, db: Kysely<Record<string, Record<string, unknown>>> = this.db): Promise<void> {
    await db
      .insertInto(this.config.table)
      .values({ ...row })
      .execute();
  }

  /** By the function that keeps the order, where the database needs one. */
  async publish(channel: string, data: string, db: Outbox["db"] = this.db): Promise<void> {
    if (this.kind === "sqlite") return this.insert({ channel, data }, db);
    if (this.kind === "postgres") await sql`select fanfare_publish(${channel}, 'message', ${data})`.execute(db);
    else await sql`call fanfare_publish(${channel}, 'message', ${data})`.execute(db);
  }

  /** How many rows there are, waiting or set aside. */
  async count(): Promise<number> {
    const { rows } = await sql<{
      readonly n: number;
    }>`select count(*) as n from ${sql.table(this.config.table)}`.execute(this.db);
    return Number(rows[0]?.n);
  }

  /** Numbers begin anew. */
  async truncate(): Promise<void> {
    const name = this.config.table;
    if (this.kind === "postgres") await sql`truncate ${sql.table(name)} restart identity`.execute(this.db);
    if (this.kind === "mysql") await sql`truncate table ${sql.table(name)}`.execute(this.db);
    if (this.kind !== "sqlite") return;
    await sql`delete from ${sql.table(name)}`.execute(this.db);
    await sql`delete from sqlite_sequence where name = ${name}`.execute(this.db);
  }
}
