/** The settings of the Redis engine. */

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A path from the root on is the Unix socket of a server on this machine, which has no port. */
export function isUnixSocket({ host }: Address): boolean {
  return host.startsWith("/");
}

export function addressText(address: Address): string {
  return isUnixSocket(address) ? address.host : `${address.host}:${address.port}`;
}

/** Where Redis is. */
export type Topology =
  | { readonly type: "server"; readonly at: Address }
  | {
      readonly type: "sentinel";
      readonly sentinels: readonly Address[];
      readonly master: string;
      readonly password?: string;
    }
  | { readonly type: "cluster"; readonly seeds: readonly Address[] };

export interface RedisSettings {
  readonly topology: Topology;
  readonly username?: string;
  readonly password?: string;
  /** Always 0 in a cluster. */
  readonly db: number;
  /** PEM of further certificate authorities to trust, or nothing beyond the system's; without it, no TLS. */
  readonly tls?: { readonly ca?: string };
  /** Begins every key and every subject. */
  readonly prefix: string;
  /** Time for a connection and its greeting. */
  readonly connectTimeoutMs: number;
  /** Time for the answer to a command; a connection on which one takes longer is given up. */
  readonly commandTimeoutMs: number;
  /** The pause between attempts to connect grows from the first to the second, less a random part. */
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  /** How long, and how much in total, publications wait for Redis. */
  readonly publishWaitMs: number;
  readonly publishWaitBytes: number;
  /** Silence after which a node counts as dead. */
  readonly nodeTimeoutMs: number;
  /** How long what a node has stays if no node ever takes it back. Living nodes renew what they have. Default: a day. */
  readonly leaseMs?: number;
}

/** For settings that are not given. */
export const DEFAULTS = {
  db: 0,
  prefix: "fanfare",
  connectTimeoutMs: 2_000,
  commandTimeoutMs: 1_500,
  reconnectMinMs: 50,
  reconnectMaxMs: 500,
  publishWaitMs: 5_000,
  publishWaitBytes: 64 * 1024 * 1024,
  nodeTimeoutMs: 6_000,
} as const;
