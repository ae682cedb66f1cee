/** What is asked of a server that holds a database. */

/** Of the connections to a server: how many, and how long one waits for them and for their answers. */
export interface PoolLimits {
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly queryTimeoutMs: number;
}
