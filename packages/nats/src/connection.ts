/** Opens connections to NATS, and knows the servers of the cluster that it has heard of. */

import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from "@nats-io/transport-node";
import { asRecord, type Clock, messageOf, NotSentError, type ReconnectingConnection } from "fanfare/engine";
import type { Credentials, NatsSettings } from "./settings.ts";

export interface NatsSession {
  readonly nats: NatsConnection;
  readonly jetstream: JetStreamClient;
  readonly streams: JetStreamManager["streams"];
  /** It works: the next connection may be to any of the servers that it has named by now. */
  discover(): void;
  close(): Promise<void>;
}

export type Connection = ReconnectingConnection<NatsSession>;

/** A connection that only looks alive is found after two of these. */
const PING_INTERVAL_MS = 1_000;
const MAX_PINGS_OUT = 2;

/** Throws NotSentError while there is none. */
export function currentSession({ current }: Connection): NatsSession {
  if (!current) throw new NotSentError("not connected");
  return current;
}

export function lostBecause(why: string): string {
  return `The connection to NATS was lost: ${why}`;
}

/** What opens one connection after the other. */
export function natsConnector(
  clock: Clock,
  settings: NatsSettings,
): (ended: (why: string) => void) => Promise<NatsSession> {
  let discovered: readonly string[] = [];
  return async (ended) => {
    const nats = await connect(optionsOf(settings, discovered)).catch((error: unknown) => {
      const at = settings.servers.join(", ");
      throw new Error(`NATS cannot be reached at ${at}: ${reasonOf(error, settings, clock.wallMs())}`);
    });
    const discover = () => {
      const urls = nats.info?.connect_urls ?? [];
      if (urls.length > 0) discovered = urls;
    };
    watch(nats, (why) => ended(lostBecause(why)));
    const timeout = settings.requestTimeoutMs;
    const { streams } = await jetstreamManager(nats, { checkAPI: false, timeout });
    return {
      nats,
      jetstream: jetstream(nats, { timeout }),
      streams,
      discover,
      close: () => nats.close().catch(() => {}),
    };
  };
}

function watch(nats: NatsConnection, ended: (why: string) => void): void {
  nats.closed().then((error) => ended(error ? messageOf(error) : "the connection ended"));
  const statuses = async () => {
    for await (const { type } of nats.status()) {
      // In lame duck mode it takes no new clients and will close this one soon: better now than during a request.
      if (type !== "ldm") continue;
      ended("the server is about to stop");
      await nats.close();
    }
  };
  statuses().catch(() => {});
}

/** The server does not say why it refuses a user. */
function reasonOf(error: unknown, { credentials }: NatsSettings, wallMs: number): string {
  const problem = credentials?.type === "creds" ? credentialsProblem(credentials.creds, wallMs) : undefined;
  return problem === undefined ? messageOf(error) : `${messageOf(error)}; of the credentials file: ${problem}`;
}

function optionsOf({ servers, credentials, tls, connectTimeoutMs }: NatsSettings, discovered: readonly string[]) {
  return {
    servers: [...new Set([...servers, ...discovered])],
    name: "fanfare",
    timeout: connectTimeoutMs,
    // The client's own way of reconnecting would send what was withdrawn meanwhile.
    reconnect: false,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: MAX_PINGS_OUT,
    ...(credentials && { authenticator: authenticatorOf(credentials) }),
    ...(tls && { tls: tls.ca === undefined ? {} : { ca: tls.ca } }),
  };
}

function authenticatorOf(credentials: Credentials): Authenticator {
  const bytes = (text: string) => new TextEncoder().encode(text);
  switch (credentials.type) {
    case "password":
      return usernamePasswordAuthenticator(credentials.user, credentials.password);
    case "token":
      return tokenAuthenticator(credentials.token);
    case "nkey":
      return nkeyAuthenticator(bytes(credentials.seed));
    case "creds":
      // The client expects neither another system's line ends nor a last line without one.
      return credsAuthenticator(bytes(`${credentials.creds.replaceAll("\r\n", "\n")}\n`));
  }
}

/** Between lines of dashes: the user's JWT, and then the seed of the user's key. */
const SECTIONS = /^-{3,}[^\n]*-{3,}\s*\n\s*(\S+)\s*\n\s*-{3,}[^\n]*-{3,}\s*$/gm;

/** Why the server cannot accept a `.creds` file, as far as one can tell without it; undefined where it may. */
function credentialsProblem(creds: string, wallMs: number): string | undefined {
  const [jwt, seed] = [...creds.matchAll(SECTIONS)].map(([, section = ""]) => section);
  if (jwt === undefined || seed === undefined) return "there is no user's JWT with a seed in it";
  const { exp } = claimsOf(jwt);
  if (typeof exp !== "number" || exp <= 0 || exp * 1000 > wallMs) return undefined;
  return `the user's JWT ended ${new Date(exp * 1000).toISOString()}`;
}

function claimsOf(jwt: string): Readonly<Record<string, unknown>> {
  try {
    return asRecord(JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8")));
  } catch {
    return {};
  }
}
