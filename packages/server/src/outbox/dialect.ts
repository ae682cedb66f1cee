/** What differs between the databases in asking for rows: how a row is named for good, and how old it is. */

import { type RawBuilder, sql } from "kysely";
import type { DatabaseKind } from "../database/open.ts";

export interface OutboxDialect {
  /**
   * The row's number and when it was made, to the microsecond, as a text that is the same whoever asks. The number alone is given
   * again where a table is emptied.
   */
  readonly identity: RawBuilder<string>;
  /** The short columns, by the names that rows have here. */
  readonly texts: RawBuilder<unknown>;
  /** In seconds, by the database's clock. */
  readonly age: RawBuilder<number | string>;
  readonly bytes: RawBuilder<number>;
  readonly data: RawBuilder<string>;
  readonly now: RawBuilder<unknown>;
  /** As ISO 8601 has it. */
  readonly failedAt: RawBuilder<string>;
}

const CREATED_AT = sql.ref("created_at");
const TEXTS = {
  app: "app",
  channel: "channel",
  event: "event",
  except_connection: "exceptConnection",
  user_id: "userId",
};
const textsBy = (read: (column: string) => RawBuilder<unknown>) =>
  sql.join(Object.entries(TEXTS).map(([column, name]) => sql`${read(column)} as ${sql.ref(name)}`));
const TEXTS_AS_THEY_ARE = textsBy((column) => sql.ref(column));

export const DIALECTS: Readonly<Record<DatabaseKind, OutboxDialect>> = {
  postgres: {
    // A time may be infinite: then it has no digits, and no age.
    identity: sql`id::text || ' ' || coalesce(to_char(${CREATED_AT} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), ${CREATED_AT}::text)`,
    texts: TEXTS_AS_THEY_ARE,
    age: sql`case when isfinite(${CREATED_AT}) then extract(epoch from clock_timestamp() - ${CREATED_AT})::float8 else 0 end`,
    bytes: sql`octet_length(data)`,
    data: sql`data`,
    now: sql`clock_timestamp()`,
    failedAt: sql`to_char(failed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`,
  },
  mysql: {
    identity: sql`concat(id, ' ', date_format(${CREATED_AT}, '%Y-%m-%dT%H:%i:%s.%f'))`,
    texts: TEXTS_AS_THEY_ARE,
    age: sql`timestampdiff(microsecond, ${CREATED_AT}, utc_timestamp(6)) / 1000000`,
    bytes: sql`octet_length(data)`,
    data: sql`data`,
    now: sql`utc_timestamp(6)`,
    failedAt: sql`date_format(failed_at, '%Y-%m-%dT%H:%i:%sZ')`,
  },
  sqlite: {
    // A column of SQLite's may hold bytes or a number, whatever its type.
    identity: sql`id || ' ' || quote(${CREATED_AT})`,
    texts: textsBy((column) => sql`cast(${sql.ref(column)} as text)`),
    age: sql`(julianday('now') - julianday(${CREATED_AT})) * 86400`,
    bytes: sql`length(cast(data as blob))`,
    data: sql`cast(data as text)`,
    now: sql`strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`,
    failedAt: sql`failed_at`,
  },
};
