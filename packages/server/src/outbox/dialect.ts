/** What differs between the databases in asking for rows: how a row is named for good, and how old it is. */

import { type RawBuilder, sql } from "kysely";
import type { DatabaseKind } from "../database/open.ts";

export interface OutboxDialect {
  /**
   * The row's number and when it was made, to the microsecond, as a text that is the same whoever asks. The number alone is given
   * again where a table is emptied.
   */
  readonly identity: RawBuilder<string>;
  /** In seconds, by the database's clock. */
  readonly age: RawBuilder<number | string>;
  readonly bytes: RawBuilder<number>;
  readonly data: RawBuilder<string>;
  readonly now: RawBuilder<unknown>;
  /** As ISO 8601 has it. */
  readonly failedAt: RawBuilder<string>;
}

const CREATED_AT = sql.ref("created_at");

export const DIALECTS: Readonly<Record<DatabaseKind, OutboxDialect>> = {
  postgres: {
    identity: sql`id::text || ' ' || to_char(${CREATED_AT} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')`,
    age: sql`extract(epoch from clock_timestamp() - ${CREATED_AT})::float8`,
    bytes: sql`octet_length(data)`,
    data: sql`data`,
    now: sql`clock_timestamp()`,
    failedAt: sql`to_char(failed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`,
  },
  mysql: {
    identity: sql`concat(id, ' ', date_format(${CREATED_AT}, '%Y-%m-%dT%H:%i:%s.%f'))`,
    age: sql`timestampdiff(microsecond, ${CREATED_AT}, utc_timestamp(6)) / 1000000`,
    bytes: sql`octet_length(data)`,
    data: sql`data`,
    now: sql`utc_timestamp(6)`,
    failedAt: sql`date_format(failed_at, '%Y-%m-%dT%H:%i:%sZ')`,
  },
  sqlite: {
    identity: sql`id || ' ' || ${CREATED_AT}`,
    age: sql`(julianday('now') - julianday(${CREATED_AT})) * 86400`,
    // A column of SQLite's may hold bytes or a number, whatever its type.
    bytes: sql`length(cast(data as blob))`,
    data: sql`cast(data as text)`,
    now: sql`strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`,
    failedAt: sql`failed_at`,
  },
};
