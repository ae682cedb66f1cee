/** Whether an HTTP API request was signed by the app: key, time, body and signature. Pusher protocol, "HTTP API". */

import type { App } from "../../domain/app.ts";
import { CommandError } from "../../domain/error.ts";
import type { SignedCall } from "../../domain/ports.ts";
import { isSignedBy, type Sign } from "../../hub/signature.ts";

export interface SignedRequest {
  readonly method: string;
  /** The paths the client may have signed: as it came in, and as it was before a proxy took a prefix off. */
  readonly paths: Iterable<string>;
  readonly query: Iterable<readonly [string, string]>;
  readonly body: Uint8Array;
}

/** The hot one: Node's HMAC is a stream, and takes twice the time and a seventh more of the whole call. */
const sign: Sign = (secret, text) => new Bun.CryptoHasher("sha256", secret).update(text).digest("hex");

/** Throws CommandError with a sentence that says which part is wrong. */
export function verifyRequest(app: App, request: SignedRequest, nowMs: number, windowS: number): SignedCall {
  const query = flatten(request.query);
  if (query.get("auth_key") !== app.key) refuse("auth_key is missing or is not this app's key.");
  if (query.get("auth_version") !== "1.0") refuse("auth_version has to be 1.0.");
  const timestampS = checkTime(query.get("auth_timestamp"), nowMs, windowS);
  checkBody(query.get("body_md5"), request.body);
  const signature = query.get("auth_signature") ?? "";
  let text: string | undefined;
  for (const path of request.paths) {
    const signed = stringToSign(request.method, path, query);
    if (isSignedBy(app, signed, signature, sign)) return { signature, timestampS };
    text ??= signed;
  }
  return refuse(
    `auth_signature is not the HMAC SHA256 hex digest of ${JSON.stringify(text)} made with this app's secret.`,
  );
}

/** The paths that the client may have signed for one that came in: behind a proxy that takes the prefix off, the one with it. */
export function* signedPaths(pathname: string, prefix: string): Generator<string> {
  // Nearly always the one that came in, so that the others are not even made.
  yield pathname;
  const bare = pathname.replace(/^.*?(?=\/apps\/[^/]+\/.)/, "");
  const rest = new Set([pathname, bare, prefix + bare].flatMap(spellings));
  rest.delete(pathname);
  yield* rest;
}

/** Libraries sign a path as it is sent, or as it was before it was escaped. */
function spellings(path: string): string[] {
  if (!path.includes("%")) return [path];
  try {
    return [path, decodeURIComponent(path)];
  } catch {
    return [path];
  }
}

/** The string that is signed: method, path and the sorted parameters, values not escaped. */
export function stringToSign(method: string, path: string, query: ReadonlyMap<string, string>): string {
  let text = "";
  for (const key of [...query.keys()].sort()) {
    if (key !== "auth_signature") text += `${text === "" ? "" : "&"}${key}=${query.get(key)}`;
  }
  return `${method.toUpperCase()}\n${path}\n${text}`;
}

/** The parameters of a URL. Where nothing in them is escaped, as in what libraries sign, they are cut out at a third of the time. */
export function queryPairs(url: URL): SignedRequest["query"] {
  const { search } = url;
  if (/[%+]/.test(search)) return url.searchParams;
  const pairs: [string, string][] = [];
  for (const part of search.slice(1).split("&")) {
    const end = part.indexOf("=");
    if (part !== "") pairs.push(end < 0 ? [part, ""] : [part.slice(0, end), part.slice(end + 1)]);
  }
  return pairs;
}

/** Keys in lower case, as they are signed. A parameter given twice could be read as either, so it counts as neither. */
function flatten(params: SignedRequest["query"]): Map<string, string> {
  const query = new Map<string, string>();
  for (const [name, value] of params) {
    const key = name.toLowerCase();
    if (query.has(key)) refuse(`The parameter ${key} is given twice.`);
    if (key !== name && key.startsWith("auth_")) refuse(`The parameter ${key} is written in lower case.`);
    query.set(key, value);
  }
  return query;
}

function checkTime(text: string | undefined, nowMs: number, windowS: number): number {
  const seconds = text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(seconds)) refuse("auth_timestamp is missing or is not a Unix time in seconds.");
  const nowS = Math.floor(nowMs / 1000);
  if (Math.abs(nowS - seconds) <= windowS) return seconds;
  return refuse(
    `auth_timestamp ${seconds} is more than ${windowS} seconds away from the server's clock, which says ${nowS}.`,
  );
}

function checkBody(digest: string | undefined, body: Uint8Array): void {
  if (digest === undefined && body.length === 0) return;
  const expected = Bun.MD5.hash(body, "hex");
  if (digest !== expected) refuse("body_md5 is missing or is not the MD5 hex digest of the body.");
}

function refuse(message: string): never {
  throw new CommandError("signature_invalid", message);
}
