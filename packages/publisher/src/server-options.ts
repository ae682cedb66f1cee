/** Where the server is, and as which app it is called. */

import { ApiClient } from "./api-client.ts";
import { Signer } from "./signer.ts";

export interface ServerOptions {
  /** The server's address: `https://ws.example.com`, with its path prefix if it has one. `wss:` is taken for `https:`. */
  readonly url: string;
  readonly appId: string;
  readonly key: string;
  /** Of several, the first signs, and all of them verify: while secrets are rotated, the new one and the old. */
  readonly secret: string | readonly string[];
  /** In place of the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** How long one attempt may take, in milliseconds. Default 10 000. */
  readonly timeoutMs?: number;
  /** How often a call is repeated after a network error, a timeout, 429 or 5xx. Default 5; 0 for never. */
  readonly retries?: number;
}

export interface ServerAccess {
  readonly api: ApiClient;
  /** One of each secret; the first signs. */
  readonly signers: readonly [Signer, ...Signer[]];
}

const TIMEOUT_MS = 10_000;
const RETRIES = 5;
/** A timer of more fires at once. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** Throws a TypeError, which names the function that was called, if an option is missing or has no use. */
export function accessTo(options: ServerOptions, caller: string): ServerAccess {
  const { url, appId, key, secret, timeoutMs = TIMEOUT_MS, retries = RETRIES } = options;
  const secrets = typeof secret === "string" ? [secret] : [...(secret ?? [])];
  const [first = "", ...others] = secrets;
  for (const [name, value] of Object.entries({ appId, key, secret: secrets.includes("") ? "" : first }))
    if (typeof value !== "string" || value === "") throw new TypeError(`${caller}: ${name} is missing.`);
  if (!(timeoutMs > 0 && timeoutMs <= LONGEST_TIMER_MS))
    throw new TypeError(`${caller}: timeoutMs is a number above 0, at most ${LONGEST_TIMER_MS}.`);
  if (!Number.isInteger(retries) || retries < 0) throw new TypeError(`${caller}: retries is 0 or more.`);
  const signer = new Signer(first);
  // Called as a plain function: browsers' and workers' fetch refuses to be a method of something else.
  const send: typeof fetch = options.fetch ?? fetch;
  const api = new ApiClient({ baseUrl: baseUrlOf(url, caller), appId, key, signer, timeoutMs, retries, fetch: send });
  return { api, signers: [signer, ...others.map((each) => new Signer(each))] };
}

function baseUrlOf(text: string, caller: string): URL {
  const httpText = String(text).replace(/^ws/, "http");
  if (/^https?:/.test(httpText) && URL.canParse(httpText)) return new URL(httpText);
  throw new TypeError(`${caller}: url is not the address of a server: ${text}`);
}
