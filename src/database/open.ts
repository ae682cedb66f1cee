/** A database by its address: SQLite in a file of our own, or PostgreSQL, MySQL and MariaDB on a server. */

import { Kysely, MysqlDialect, PostgresDialect } from "kysely";
import type { Tables } from "./schema.ts";
import { sqliteDialect } from "./sqlite.ts";

export type DatabaseKind = "sqlite" | "postgres" | "mysql";

export interface Database {
  readonly kind: DatabaseKind;
  readonly query: Kysely<Tables>;
  /** For people: the address without its password. */
  readonly name: string;
  close(): Promise<void>;
}

/** A server's own writes come again, so that a locked file never holds up its messages for long. */
const BUSY_MS = 20;
const POOL = 10;
const CONNECT_MS = 5_000;
/** A database that takes longer for one of our questions is taken for one that is away. */
const QUERY_MS = 15_000;

/**
 * `sqlite:FILE`, `postgres://…`, `mysql://…` or `mariadb://…`. Connects when it is first asked, so a database that is down
 * is found out by the query. `busyMs` is how long a write waits for another process that holds the file. Throws Error where the address is none of these.
 */
export async function openDatabase(url: string, busyMs = BUSY_MS): Promise<Database> {
  const kind = kindOf(url);
  const query = new Kysely<Tables>({ dialect: await dialectOf(kind, url, busyMs) });
  return { kind, query, name: nameOf(url), close: () => query.destroy() };
}

export function kindOf(url: string): DatabaseKind {
  if (url.startsWith("sqlite:")) return "sqlite";
  if (/^postgres(ql)?:\/\//.test(url)) return "postgres";
  if (/^(mysql|mariadb):\/\//.test(url)) return "mysql";
  throw new Error(`${nameOf(url)} is no database address: it has to begin with sqlite:, postgres:// or mysql://`);
}

/** The drivers are loaded only by those who use them. */
async function dialectOf(kind: DatabaseKind, url: string, busyMs: number) {
  switch (kind) {
    case "sqlite":
      return sqliteDialect(url.slice("sqlite:".length), busyMs);
    case "postgres": {
      const { Pool, types } = await import("pg");
      const getTypeParser: typeof types.getTypeParser = (type, format) =>
        type === types.builtins.INT8 ? Number : types.getTypeParser(type, format);
      const connection = {
        connectionString: url,
        max: POOL,
        connectionTimeoutMillis: CONNECT_MS,
        query_timeout: QUERY_MS,
      };
      const pool = new Pool({ ...connection, types: { getTypeParser } });
      // A connection that breaks is replaced at the next query; the query it breaks in is told by its promise.
      pool.on("error", () => {});
      pool.on("connect", (client) => client.on("error", () => {}));
      return new PostgresDialect({ pool });
    }
    case "mysql": {
      const { createPool } = await import("mysql2");
      const uri = url.replace(/^mariadb:/, "mysql:");
      return new MysqlDialect({ pool: createPool({ uri, connectionLimit: POOL, connectTimeout: CONNECT_MS }) });
    }
  }
}

function nameOf(url: string): string {
  const parsed = URL.parse(url);
  if (!parsed || parsed.protocol === "sqlite:") return url;
  if (parsed.password) parsed.password = "***";
  return parsed.href;
}
