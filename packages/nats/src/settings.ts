/** What the NATS engine has to be told. */

export type Credentials =
  | { readonly type: "password"; readonly user: string; readonly password: string }
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "nkey"; readonly seed: string }
  /** The text of a `.creds` file. */
  | { readonly type: "creds"; readonly creds: string };

export interface NatsSettings {
  /** `host:port`, `nats://host:port` or `tls://host:port`; the others of a cluster are learnt from the first that answers. */
  readonly servers: readonly string[];
  readonly credentials?: Credentials;
  /** PEM of further certificate authorities to trust, or nothing beyond the system's; without it, no TLS unless the server insists. */
  readonly tls?: { readonly ca?: string };
  /** Begins every subject, and is the stream's name. */
  readonly prefix: string;
  /** Servers that each keep the stream; auto is three in a cluster that has them, else one. */
  readonly replicas: "auto" | 1 | 3 | 5;
  readonly connectTimeoutMs: number;
  /** Time for the answer to a request. */
  readonly requestTimeoutMs: number;
  /** The pause between attempts to connect grows from the first to the second, less a random part. */
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  /** How long, and how much in total, publications wait for NATS. */
  readonly publishWaitMs: number;
  readonly publishWaitBytes: number;
  /** Silence after which a node counts as dead. */
  readonly nodeTimeoutMs: number;
}

/** What holds unless it is said otherwise. */
export const DEFAULTS = {
  servers: ["127.0.0.1:4222"],
  prefix: "fanfare",
  replicas: "auto",
  connectTimeoutMs: 2_000,
  requestTimeoutMs: 1_500,
  reconnectMinMs: 50,
  reconnectMaxMs: 500,
  publishWaitMs: 5_000,
  publishWaitBytes: 64 * 1024 * 1024,
  nodeTimeoutMs: 6_000,
} as const satisfies NatsSettings;
