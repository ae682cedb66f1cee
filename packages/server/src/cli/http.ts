/** Calls of a server, over TCP or a Unix socket: its address, the call, and what to say when there is no answer. */

import type { Config } from "../config/load.ts";
import { isUnixSocketPath } from "../config/schema/fields.ts";
import { codeOf } from "../domain/thrown.ts";
import { isEverywhere } from "../server/system/machine.ts";
import { CliError } from "./errors.ts";
import { fieldOf, parseJson } from "./json.ts";

export interface Call {
  readonly method?: "GET" | "POST";
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly tls?: { readonly cert?: string; readonly key?: string; readonly rejectUnauthorized?: false };
  readonly redirect?: "manual";
  /** The socket to call in place of the host. */
  readonly unix?: string;
}

export interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const TIMEOUT_MS = 15_000;
const HEALTH_TIMEOUT_MS = 5_000;

/** Throws what `fetch` throws. `http+unix:///run/fanfare.sock:/ws` is the path /ws of the server at that Unix socket. */
export async function call(
  url: string,
  { timeoutMs = TIMEOUT_MS, headers: sent, ...more }: Call = {},
): Promise<Answer> {
  const response = await openRequest(url, {
    ...more,
    headers: { ...(more.body !== undefined && { "content-type": "application/json" }), ...sent },
    signal: AbortSignal.timeout(timeoutMs),
  });
  const { ok, status, headers } = response;
  return { ok, status, headers, text: await response.text() };
}

/** The same for a response that is read as it comes. */
export function openRequest(url: string, init: BunFetchRequestInit): Promise<Response> {
  return fetch(httpUrl(url), { ...unixOf(url), ...init });
}

/** Without the socket in it. */
export function httpUrl(url: string): string {
  return url.replace(UNIX_SOCKET, "http://localhost");
}

const UNIX_SOCKET = /^http\+unix:\/\/([^:]+):/;

function unixOf(url: string): { readonly unix?: string } {
  const [, unix] = UNIX_SOCKET.exec(url) ?? [];
  return unix === undefined ? {} : { unix };
}

/** What `GET /health` answers at this address. Throws what `fetch` throws. */
export function callHealth(url: string, options: Call = {}): Promise<Answer> {
  return call(`${url}/health`, { timeoutMs: HEALTH_TIMEOUT_MS, ...options });
}

/** Whether it is a Fanfare that answered so. */
export function isHealth({ text }: Answer): boolean {
  return typeof fieldOf(parseJson(text), "status") === "string";
}

/** Why the server refused, as a sentence: servers answer in plain text, or in JSON with an `error` or a `message`. */
export function problemIn({ text }: Answer): string {
  const body = parseJson(text);
  const said = [fieldOf(body, "error"), fieldOf(body, "message")].find((value) => typeof value === "string");
  return (
    String(said ?? text)
      .replaceAll(/\s+/g, " ")
      .trim()
      .slice(0, 300) || "it gives no reason"
  );
}

/** `error` is what `fetch` threw, where there is one. */
export function unreachable(url: string, error?: unknown): CliError {
  const problem = certificateProblem(error);
  if (problem !== undefined) return new CliError(`the certificate of ${url} is refused here: ${problem}`);
  const timedOut = error instanceof Error && error.name === "TimeoutError";
  const what = timedOut ? `${url} does not answer` : `cannot reach ${url}`;
  return new CliError(`${what}: start the server with \`fanfare serve\`, or name another with --url`);
}

/** A WebSocket does not say why it failed: an ordinary request to the same place does. */
export async function unreachableSocket(url: string): Promise<CliError> {
  const error: unknown = await callHealth(url.replace(/^ws/, "http")).catch((failure: unknown) => failure);
  return unreachable(url, certificateProblem(error) === undefined ? undefined : error);
}

const UNKNOWN_AUTHORITY =
  "its authority is not known; trust it with NODE_EXTRA_CA_CERTS=FILE, or have the server send its whole chain";

const CERTIFICATE_PROBLEMS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "it is for another name; name the server as the certificate does with --url",
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
};

function certificateProblem(error: unknown): string | undefined {
  return CERTIFICATE_PROBLEMS[codeOf(error)];
}

/** Accepts ws:// and wss:// as well, as one copies them from the banner. */
export function serverUrl(written: string): string {
  const url = URL.parse(written.replace(/^ws(s?):/i, "http$1:"));
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new CliError(
      `--url has to start with http://, https://, ws:// or wss://, such as http://127.0.0.1:9501, but is ${JSON.stringify(written)}`,
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** Where a server with these settings is called from this machine. */
export function localUrl({ host, port, path, tls }: Pick<Config, "host" | "port" | "path" | "tls">): string {
  if (isUnixSocketPath(host)) return `http+unix://${host}:${path}`;
  const name = isEverywhere(host) ? "127.0.0.1" : bracketed(host);
  return `${tls === undefined ? "http" : "https"}://${name}:${port === 0 ? 9501 : port}${path}`;
}

/** As it stands in a URL. */
export function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
