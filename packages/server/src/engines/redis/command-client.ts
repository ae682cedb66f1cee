/**
 * One connection for commands, by Bun's client, which is several times as fast as ioredis (docs/decisions/0006-redis.md). It never
 * reconnects by itself, so nothing happens on it unnoticed.
 */

import { RedisClient } from "bun";
import { codeOf, messageOf } from "../../domain/thrown.ts";
import { NoAnswerError } from "../shared/pending.ts";
import { ReplyError } from "./errors.ts";
import { withConnectTimeout } from "./resolve-address.ts";
import { type Address, addressText, isUnixSocket, type RedisSettings } from "./settings.ts";

/** Carries commands, in the order in which they were sent. */
export interface CommandClient {
  /** The server at the other end: `host:port`. */
  readonly address: string;
  /** Changes with every start of the server's process; "" where the user may not ask. */
  readonly runId: string;
  /** Rejects with what `errorOf` reads. */
  send(command: string, args: readonly string[]): Promise<unknown>;
  /** A ReplyError, or a NoAnswerError when the connection ended first. */
  errorOf(command: string, cause: unknown): Error;
  /** Ends it; what has no answer yet rejects. */
  close(): void;
}

/** `ended` is called once. Rejects with a sentence for people, without secrets. */
export async function openCommandClient(
  settings: RedisSettings,
  at: Address,
  ended: (why: string) => void,
): Promise<CommandClient> {
  const address = addressText(at);
  const client = new RedisClient(urlOf(settings, at), {
    autoReconnect: false,
    enableOfflineQueue: false,
    maxRetries: 0,
    idleTimeout: 0,
    connectionTimeout: settings.connectTimeoutMs,
    ...(settings.tls && {
      tls: { serverName: at.host, ...(settings.tls.ca !== undefined && { ca: settings.tls.ca }) },
    }),
  });
  // Bun reads the list at once, and changes nothing in it.
  const send = (command: string, args: readonly string[]): Promise<unknown> => client.send(command, args as string[]);
  try {
    return await withConnectTimeout(settings.connectTimeoutMs, at, async () => {
      await client.connect();
      if (isUnixSocket(at) && settings.db > 0) await send("SELECT", [String(settings.db)]);
      // A wrong database is refused only to the first command.
      await send("PING", []);
      const runId = await fetchRunId(send);
      client.onclose = () => ended(`Redis at ${address} closed the connection`);
      return { address, runId, send, errorOf, close: () => client.close() };
    });
  } catch (error) {
    client.onclose = null;
    client.close();
    throw new Error(`Redis at ${address}: ${messageOf(error)}`);
  }
}

async function fetchRunId(send: CommandClient["send"]): Promise<string> {
  try {
    return /run_id:(\w+)/.exec(String(await send("INFO", ["server"])))?.[1] ?? "";
  } catch (error) {
    if (!isConnectionError(error)) return "";
    throw error;
  }
}

function errorOf(command: string, cause: unknown): Error {
  return isConnectionError(cause) ? new NoAnswerError(`${command} was not answered`) : new ReplyError(messageOf(cause));
}

function urlOf({ username, password, db, tls }: RedisSettings, at: Address): string {
  const { host, port } = at;
  const login = password === undefined ? "" : `${encodeURIComponent(username ?? "")}:${encodeURIComponent(password)}@`;
  // Without a host, Bun takes no login there; it reads no database from such an address.
  if (isUnixSocket(at)) return `redis+unix://${login}${login && "localhost"}${host}`;
  const name = host.includes(":") ? `[${host}]` : host;
  return `${tls ? "rediss" : "redis"}://${login}${name}:${port}/${db}`;
}

function isConnectionError(error: unknown): boolean {
  const code = codeOf(error);
  return code !== "ERR_REDIS_SERVER_ERROR" && code !== "ERR_REDIS_INVALID_COMMAND";
}
