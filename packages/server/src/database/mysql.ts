/** MySQL and MariaDB through `mysql2`. A connection on which a question was not answered in time is given up: another takes its place. */

import { MysqlDialect } from "kysely";
import { createPool, type PoolConnection, type QueryError } from "mysql2";
import { type PoolLimits, withQuery } from "./connection-pool.ts";

/**
 * As PostgreSQL has it. By MySQL's own, whoever looks for a row that is not there keeps others from writing any near it, and
 * two nodes that do so before they write wait for each other until one of them fails.
 */
const ISOLATION = "set session transaction isolation level read committed";

export function mysqlDialect(
  url: string,
  { connections: most, connectTimeoutMs: connectMs, queryTimeoutMs: queryMs }: PoolLimits,
): MysqlDialect {
  const uri = url.replace(/^mariadb:/, "mysql:");
  const pool = createPool({ uri, connectionLimit: most, connectTimeout: connectMs });
  // Goes before whatever the connection is asked next, and breaks with it.
  pool.on("connection", (connection) => connection.query(ISOLATION, () => {}));
  return new MysqlDialect({
    pool: {
      getConnection: (callback) =>
        pool.getConnection((error, connection) => callback(error, connection && givenUp(connection, queryMs))),
      end: (callback) => pool.end(callback),
    },
  });
}

type Answer = (error: QueryError | null, result: unknown) => void;

function givenUp(connection: PoolConnection, timeout: number): PoolConnection {
  return withQuery(connection, (sql, values, answer: Answer) =>
    connection.query({ sql, values, timeout }, (error, result) => {
      if (error?.code === "PROTOCOL_SEQUENCE_TIMEOUT") connection.destroy();
      answer(error, result);
    }),
  );
}
