/** A database by its address: SQLite in a file of our own, or PostgreSQL, MySQL and MariaDB on a server. */

import { Kysely } from "kysely";
import type { Tables } from "./schema.ts";
import { openSqlite } from "./sqlite.ts";

export type DatabaseKind = "sqlite" | "postgres" | "mysql";

export interface Database {
  readonly kind: DatabaseKind;
  readonly query: Kysely<Tables>;
  /** For people: the address without its password. */
  readonly name: string;
  /** Another text after anything was written, by whatever process. Undefined where that is not known without a question. */
  readonly revision: () => string | undefined;
  close(): Promise<void>;
}

/** A server's own writes come again, so that a locked file never holds up its messages for long. */
const BUSY_MS = 20;
const POOL = 10;
const CONNECT_MS = 5_000;
/** A database that takes longer for one of our questions is taken for one that is away. */
const QUERY_MS = 15_000;

export interface OpenOptions {
  /** How long a write waits for another process that holds the file, in milliseconds. */
  readonly busyMs?: number;
  /** How long a database on a server may take to answer one question, in milliseconds. */
  readonly queryMs?: number;
  /** The database is an application's: a file is neither made nor changed in its rights and modes. */
  readonly isForeign?: boolean;
}

/**
 * `sqlite:FILE`, `postgres://…`, `mysql://…` or `mariadb://…`. Connects when it is first asked, so a database that is down
 * is found out by the query. Throws Error where the address is none of these.
 */
export async function openDatabase(url: string, options: OpenOptions = {}): Promise<Database> {
  const kind = kindOf(url);
  const { dialect, revision } = await dialectOf(kind, url, {
    ...{ busyMs: BUSY_MS, queryMs: QUERY_MS, isForeign: false },
    ...options,
  });
  const query = new Kysely<Tables>({ dialect });
  return { kind, query, name: nameOf(url), revision, close: () => query.destroy() };
}

export function kindOf(url: string): DatabaseKind {
  if (url.startsWith("sqlite:")) return "sqlite";
  if (/^postgres(ql)?:\/\//.test(url)) return "postgres";
  if (/^(mysql|mariadb):\/\//.test(url)) return "mysql";
  throw new Error(`${nameOf(url)} is no database address: it has to begin with sqlite:, postgres:// or mysql://`);
}

/** The drivers are loaded only by those who use them. */
async function dialectOf(kind: DatabaseKind, url: string, { busyMs, queryMs, isForeign }: Required<OpenOptions>) {
  if (kind === "sqlite") return openSqlite(url.slice("sqlite:".length), busyMs, isForeign);
  const limits = { connections: POOL, connectTimeoutMs: CONNECT_MS, queryTimeoutMs: queryMs };
  const dialect =
    kind === "postgres"
      ? (await import("./postgres.ts")).postgresDialect(url, limits)
      : (await import("./mysql.ts")).mysqlDialect(url, limits);
  return { dialect, revision: () => undefined };
}

function nameOf(url: string): string {
  const parsed = URL.parse(url);
  if (!parsed || parsed.protocol === "sqlite:") return url;
  if (parsed.password) parsed.password = "***";
  return parsed.href;
}
