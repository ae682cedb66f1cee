/** What differs between the databases: the statements that make an outbox, and how its rows are asked for. */

import { type RawBuilder, sql } from "kysely";
import type { DatabaseKind } from "../database/open.ts";

interface OutboxShape {
  /** Perhaps with its schema: `shop.fanfare_publications`. */
  readonly table: string;
  /** PostgreSQL tells of each insert. */
  readonly notify: boolean;
}

export interface OutboxDialect {
  /** Make the table, and where the database has such a thing, the function that keeps the order. Each may be run again. */
  readonly statements: (shape: OutboxShape) => readonly string[];
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
    statements: postgres,
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
    statements: mysql,
    identity: sql`concat(id, ' ', date_format(${CREATED_AT}, '%Y-%m-%dT%H:%i:%s.%f'))`,
    texts: TEXTS_AS_THEY_ARE,
    age: sql`timestampdiff(microsecond, ${CREATED_AT}, utc_timestamp(6)) / 1000000`,
    bytes: sql`octet_length(data)`,
    data: sql`data`,
    now: sql`utc_timestamp(6)`,
    failedAt: sql`date_format(failed_at, '%Y-%m-%dT%H:%i:%sZ')`,
  },
  sqlite: {
    statements: sqlite,
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

/** Locks in MySQL's table of them: channels that share one wait for each other for nothing, which is rare. */
const LOCKS = 256;
/** Names the advisory locks of this function among those of other programs. */
const LOCK_CLASS = 7261;

/** The statements for the database's own command line. */
export function outboxScript(kind: DatabaseKind, shape: OutboxShape): string {
  const statements = DIALECTS[kind].statements(shape).map((statement) => {
    const hasBody = kind === "mysql" && statement.startsWith("create procedure");
    return hasBody ? `delimiter //\n${statement} //\ndelimiter ;` : `${statement};`;
  });
  return `${statements.join("\n\n")}\n`;
}

/** What PostgreSQL's notifications of inserts are called. */
export function notificationName(table: string): string {
  return table.replace(/^.*\./, "");
}

function postgres({ table, notify }: OutboxShape): string[] {
  const name = quoted(table, '"');
  const beside = (other: string) => quoted(siblingOf(table, other), '"');
  const statements = [
    `create table if not exists ${name} (
  id bigserial primary key,
  app text,
  channel text,
  event text not null default 'message',
  data text not null,
  except_connection text,
  user_id text,
  created_at timestamptz not null default clock_timestamp(),
  failed_at timestamptz,
  error text,
  check ((channel is null) <> (user_id is null))
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)`,
    `create index if not exists ${quoted(`${notificationName(table)}_waiting`, '"')} on ${name} (id) where failed_at is null`,
    `create or replace function ${beside("fanfare_publish")}(
  channel text, event text, data text, app text default null, except_connection text default null
) returns bigint language plpgsql as $$
declare
  number bigint;
begin
  perform pg_advisory_xact_lock(${LOCK_CLASS}, hashtext(channel));
  insert into ${name} (app, channel, event, data, except_connection)
  values (app, channel, event, data, except_connection) returning id into number;
  return number;
end $$`,
  ];
  if (!notify) return statements;
  return [
    ...statements,
    `create or replace function ${beside("fanfare_notify")}() returns trigger language plpgsql as $$
begin
  perform pg_notify('${notificationName(table)}', '');
  return null;
end $$`,
    `drop trigger if exists fanfare_notify on ${name}`,
    `create trigger fanfare_notify after insert on ${name} for each statement execute function ${beside("fanfare_notify")}()`,
  ];
}

function mysql({ table }: OutboxShape): string[] {
  const name = quoted(table, "`");
  const locks = quoted(siblingOf(table, "fanfare_publication_locks"), "`");
  const publish = quoted(siblingOf(table, "fanfare_publish"), "`");
  const slots = Array.from({ length: LOCKS }, (_, slot) => `(${slot})`).join(", ");
  return [
    `create table if not exists ${name} (
  id bigint not null auto_increment primary key,
  app varchar(255),
  channel varchar(512),
  event varchar(512) not null default 'message',
  data longtext not null,
  except_connection varchar(255),
  user_id varchar(255),
  created_at datetime(6) not null default (utc_timestamp(6)),
  failed_at datetime(6),
  error text,
  key fanfare_waiting (failed_at, id),
  check ((channel is null) <> (user_id is null))
) engine = InnoDB character set utf8mb4 collate utf8mb4_bin`,
    `create table if not exists ${locks} (slot smallint primary key) engine = InnoDB`,
    `insert ignore into ${locks} values ${slots}`,
    `drop procedure if exists ${publish}`,
    // One statement, so that it holds without a transaction around it, too.
    `create procedure ${publish}(in to_channel varchar(512), in event_name varchar(512), in payload longtext)
begin
  insert into ${name} (channel, event, data)
  select to_channel, event_name, payload from ${locks} where slot = crc32(to_channel) % ${LOCKS} for update;
end`,
  ];
}

/** It has one writer at a time, so rows are in order by themselves; and numbers that are never given again. */
function sqlite({ table }: OutboxShape): string[] {
  const name = quoted(table, '"');
  return [
    `create table if not exists ${name} (
  id integer primary key autoincrement,
  app text,
  channel text,
  event text not null default 'message',
  data text not null,
  except_connection text,
  user_id text,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  failed_at text,
  error text,
  check ((channel is null) <> (user_id is null))
)`,
    `create index if not exists ${quoted(`${table}_waiting`, '"')} on ${quoted(notificationName(table), '"')} (id) where failed_at is null`,
  ];
}

/** In the same schema. */
function siblingOf(table: string, name: string): string {
  return [...table.split(".").slice(0, -1), name].join(".");
}

function quoted(name: string, quote: string): string {
  return name
    .split(".")
    .map((part) => `${quote}${part}${quote}`)
    .join(".");
}
