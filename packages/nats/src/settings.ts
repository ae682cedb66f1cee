/** What the NATS engine has to be told: the options of a program, and what they mean for one start of a server. */

import { type EngineContext, readSettingFile } from "fanfare/engine";

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

/** The same as the `nats` section of a server's configuration. */
export interface NatsOptions {
  /**
   * Servers of NATS, with JetStream: `host:port`, `nats://host:port` or `tls://host:port`. The others of a cluster are learnt from the
   * first that answers. `["127.0.0.1:4222"]` by default.
   */
  readonly servers?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Where NATS asks for a token instead of a user. */
  readonly token?: string | undefined;
  /** Seed of an NKey (`SU…`), where NATS asks for one instead of a user. */
  readonly nkeySeed?: string | undefined;
  /** Path of a `.creds` file of a user with a JWT, read at the start. */
  readonly credsFile?: string | undefined;
  /** Use TLS even where NATS does not insist on it. `false` by default. */
  readonly tls?: boolean | undefined;
  /** Path of the certificate authority of NATS's certificate (PEM), where the system does not know it. */
  readonly caFile?: string | undefined;
  /** Name of the stream, and the beginning of every subject. `"fanfare"` by default. */
  readonly prefix?: string | undefined;
  /** Servers of a NATS cluster that each keep the stream. `"auto"` by default: three in a cluster of three or more, else one. */
  readonly replicas?: "auto" | 1 | 3 | 5 | undefined;
  /** Time a connection may take, in seconds. 2 by default. */
  readonly connectTimeoutS?: number | undefined;
  /** Time an answer may take, in seconds. 1.5 by default. */
  readonly requestTimeoutS?: number | undefined;
  /** Longest pause between attempts to connect, in seconds. 0.5 by default. */
  readonly reconnectMaxS?: number | undefined;
}

/** What every engine is told by its server. */
type Shared = Pick<EngineContext, "publishWaitMs" | "publishWaitBytes" | "nodeTimeoutMs">;

const MIN_PAUSE_MS = 50;

/** Throws an Error where a file cannot be read, or where more than one option says who this is. */
export function settingsFrom(options: NatsOptions, shared: Shared): NatsSettings {
  const { servers, prefix, replicas, connectTimeoutS, requestTimeoutS, reconnectMaxS, tls, caFile } = options;
  const { publishWaitMs, publishWaitBytes, nodeTimeoutMs } = shared;
  const reconnectMaxMs = reconnectMaxS === undefined ? DEFAULTS.reconnectMaxMs : reconnectMaxS * 1000;
  const credentials = credentialsFrom(options);
  const ca = caFile === undefined ? undefined : readSettingFile("nats.caFile", caFile);
  return {
    servers: servers ?? DEFAULTS.servers,
    ...(credentials && { credentials }),
    ...((tls || ca !== undefined) && { tls: ca === undefined ? {} : { ca } }),
    prefix: prefix ?? DEFAULTS.prefix,
    replicas: replicas ?? DEFAULTS.replicas,
    connectTimeoutMs: connectTimeoutS === undefined ? DEFAULTS.connectTimeoutMs : connectTimeoutS * 1000,
    requestTimeoutMs: requestTimeoutS === undefined ? DEFAULTS.requestTimeoutMs : requestTimeoutS * 1000,
    reconnectMinMs: Math.min(MIN_PAUSE_MS, reconnectMaxMs),
    reconnectMaxMs,
    ...{ publishWaitMs, publishWaitBytes, nodeTimeoutMs },
  };
}

function credentialsFrom({ user, password, token, nkeySeed, credsFile }: NatsOptions): Credentials | undefined {
  const ways = { user, token, nkeySeed, credsFile };
  const given = Object.entries(ways).flatMap(([name, value]) => (value === undefined ? [] : [`\`nats.${name}\``]));
  if (given.length > 1) throw new Error(`${given.join(" and ")} say who this is in two ways; keep one of them.`);
  if (user !== undefined) return { type: "password", user, password: password ?? "" };
  if (token !== undefined) return { type: "token", token };
  if (nkeySeed !== undefined) return { type: "nkey", seed: nkeySeed };
  return credsFile === undefined ? undefined : { type: "creds", creds: readSettingFile("nats.credsFile", credsFile) };
}
