/**
 * One table in an application's database: what waits in it, in order, and what is taken out of it. Rows are read without a
 * cursor and are gone when they are deleted: a transaction that began earlier and commits later leaves a smaller number behind
 * any cursor, and it would be lost.
 */

import { type Kysely, type RawBuilder, sql } from "kysely";
import { type Database, openDatabase } from "../database/open.ts";
import { DIALECTS, type OutboxDialect } from "./dialect.ts";

export interface SourceSettings {
  readonly url: string;
  readonly name: string;
  readonly table: string;
  readonly notify: boolean;
}

/** A row that waits. */
export interface OutboxRow {
  readonly id: number;
  /** Of this row and of no other, also where numbers are given again. */
  readonly identity: string;
  readonly app: string | null;
  readonly channel: string | null;
  readonly event: string;
  /** Null where it is longer than was asked for. */
  readonly data: string | null;
  readonly bytes: number;
  readonly exceptConnection: string | null;
  readonly userId: string | null;
  /** In seconds. */
  readonly ageS: number;
}

/** A row that was set aside. */
export interface FailedRow extends Pick<OutboxRow, "id" | "app" | "channel" | "userId" | "event"> {
  readonly failedAt: string;
  readonly error: string;
}

/** A file that another process writes to: it is asked again soon. */
const BUSY_MS = 20;
const ERROR_CHARACTERS = 1_000;

export class OutboxSource {
  readonly name: string;
  /** For people: where it is, without a password. */
  readonly place: string;
  readonly #settings: SourceSettings;
  readonly #database: Database;
  readonly #dialect: OutboxDialect;

  static async open(settings: SourceSettings, busyMs = BUSY_MS): Promise<OutboxSource> {
    return new OutboxSource(settings, await openDatabase(settings.url, { busyMs, isForeign: true }));
  }

  private constructor(settings: SourceSettings, database: Database) {
    this.#settings = settings;
    this.#database = database;
    this.#dialect = DIALECTS[database.kind];
    this.name = settings.name;
    this.place = database.name;
  }

  /** Another text after anything was committed. Undefined where that is not known without a question. */
  get revision(): string | undefined {
    return this.#database.revision();
  }

  /** Makes the table and its function where they are not there. */
  async migrate(): Promise<void> {
    for (const statement of this.#dialect.statements(this.#settings)) await sql.raw(statement).execute(this.#db);
  }

  /** The first that wait. Data of more than so many bytes is left where it is. */
  async next(limit: number, mostBytes: number): Promise<readonly OutboxRow[]> {
    const { identity, texts, age, bytes, data } = this.#dialect;
    const { rows } = await sql<OutboxRow>`
      select id, ${identity} as ${sql.ref("identity")}, ${texts},
        case when ${bytes} <= ${sql.lit(mostBytes)} then ${data} end as data, ${bytes} as bytes, ${age} as ${sql.ref("ageS")}
      from ${this.#table} where failed_at is null order by id limit ${sql.lit(limit)}`.execute(this.#db);
    return rows.map((row) => ({ ...row, id: Number(row.id), ageS: Number(row.ageS) }));
  }

  /** They are published. What has taken the number of one of them meanwhile stays. */
  async remove(rows: readonly OutboxRow[]): Promise<void> {
    if (rows.length === 0) return;
    await sql`delete from ${this.#table} where ${this.#are(rows)}`.execute(this.#db);
  }

  /** It can never be published as it is. */
  async setAside(row: OutboxRow, error: string): Promise<void> {
    await sql`update ${this.#table} set failed_at = ${this.#dialect.now}, error = ${error.slice(0, ERROR_CHARACTERS)}
      where ${this.#are([row])}`.execute(this.#db);
  }

  /** Does all that a reader does, to no row. Throws what the database says. */
  async checkAccess(): Promise<void> {
    await this.next(1, 0);
    await sql`update ${this.#table} set failed_at = null, error = null where id < 0`.execute(this.#db);
    await sql`delete from ${this.#table} where id < 0`.execute(this.#db);
  }

  /** Those that were set aside, the latest first. */
  async failed(limit: number): Promise<readonly FailedRow[]> {
    const { rows } = await sql<FailedRow>`
      select id, app, channel, user_id as ${sql.ref("userId")}, event,
        ${this.#dialect.failedAt} as ${sql.ref("failedAt")}, error
      from ${this.#table} where failed_at is not null order by failed_at desc, id desc limit ${sql.lit(limit)}`.execute(
      this.#db,
    );
    return rows.map((row) => ({ ...row, id: Number(row.id), error: row.error ?? "" }));
  }

  /** They wait again: these, or all of them. How many there were. */
  async retry(ids?: readonly number[]): Promise<number> {
    const which = ids ? sql`and id in (${listed(ids)})` : sql``;
    const { numAffectedRows } = await sql`
      update ${this.#table} set failed_at = null, error = null where failed_at is not null ${which}`.execute(this.#db);
    return Number(numAffectedRows ?? 0);
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #are(rows: readonly OutboxRow[]): RawBuilder<boolean> {
    // All digits of a number that the application gave: its own may be too large for one of JavaScript's.
    const ids = sql.join(rows.map(({ id, identity }) => sql.raw(/^-?\d+/.exec(identity)?.[0] ?? String(id))));
    return sql`id in (${ids}) and ${this.#dialect.identity} in (${listed(rows.map(({ identity }) => identity))})`;
  }

  get #db(): Kysely<unknown> {
    return this.#database.query as unknown as Kysely<unknown>;
  }

  get #table(): RawBuilder<unknown> {
    return sql.table(this.#settings.table);
  }
}

function listed(values: readonly (string | number)[]): RawBuilder<unknown> {
  return sql.join(values.map((value) => sql.val(value)));
}
