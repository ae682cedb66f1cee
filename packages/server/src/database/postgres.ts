/** PostgreSQL through `pg`. A connection on which a question was not answered in time is given up: another takes its place. */

import { PostgresDialect } from "kysely";
import { Pool, type PoolClient, types } from "pg";
import { type PoolLimits, withQuery } from "./connection-pool.ts";

export function postgresDialect(
  url: string,
  { connections: most, connectTimeoutMs: connectMs, queryTimeoutMs: queryMs }: PoolLimits,
): PostgresDialect {
  const getTypeParser: typeof types.getTypeParser = (type, format) =>
    type === types.builtins.INT8 ? Number : types.getTypeParser(type, format);
  const pool = new Pool({
    connectionString: url,
    max: most,
    connectionTimeoutMillis: connectMs,
    query_timeout: queryMs,
    types: { getTypeParser },
  });
  // A connection that breaks is replaced at the next query; the query it breaks in is told by its promise.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return new PostgresDialect({
    pool: {
      connect: async () => givenUp(await pool.connect()),
      end: () => pool.end(),
    },
  });
}

/** `pg` would hand it out again, and whoever asked it next would wait behind the question that nobody answers. */
function givenUp(client: PoolClient): PoolClient {
  return withQuery(client, async (sql, parameters) => {
    try {
      return await client.query(sql, parameters);
    } catch (error) {
      if (error instanceof Error && error.message === "Query read timeout") void client.end().catch(() => {});
      throw error;
    }
  });
}
