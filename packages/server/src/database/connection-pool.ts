/** What the pools of connections to PostgreSQL and MySQL have in common. */

/** Of the connections to a server: how many, and how long one waits for them and for their answers. */
export interface PoolLimits {
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly queryTimeoutMs: number;
}

/** The connection, with another `query`. */
export function withQuery<Connection extends object>(
  connection: Connection,
  query: (sql: string, parameters: unknown[], ...more: never[]) => unknown,
): Connection {
  return new Proxy(connection, {
    get(target, name) {
      if (name === "query") return query;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
