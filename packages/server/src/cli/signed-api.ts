/** Calls of the HTTP API, signed as the Pusher protocol has it. */

import { createHash, createHmac } from "node:crypto";
import { noApp } from "./apps.ts";
import { type Answer, type Call, call, httpUrl, unreachable } from "./http.ts";
import type { Target } from "./target.ts";

interface ApiRequest {
  readonly method: "GET" | "POST";
  /** As the client sends it. */
  readonly path: string;
  readonly body: string;
  /** Further parameters, in order and after `body_md5` by the alphabet. */
  readonly query?: string;
  readonly key: string;
  readonly secret: string;
  readonly timestampS: number;
}

/** The query that proves who calls. Pusher protocol, HTTP API: keys in order, values as they are, the signature last. */
export function signedQuery({ method, path, body, query: more, key, secret, timestampS }: ApiRequest): string {
  const md5 = body === "" ? "" : `&body_md5=${createHash("md5").update(body).digest("hex")}`;
  const query = `auth_key=${key}&auth_timestamp=${timestampS}&auth_version=1.0${md5}${more ? `&${more}` : ""}`;
  const signature = createHmac("sha256", secret).update(`${method}\n${path}\n${query}`).digest("hex");
  return `${query}&auth_signature=${signature}`;
}

/** `path` is the one below the app's. Throws CliError where no app is known, or the server cannot be reached. */
export async function callApi(
  { apiUrl, id, key, secret }: Target,
  path: string,
  { query = "", ...options }: Call & { readonly query?: string } = {},
): Promise<Answer> {
  if (id === undefined || key === undefined || secret === undefined) throw noApp("--app, --key and --secret");
  const { method = "GET", body = "" } = options;
  const full = `${apiUrl}/apps/${id}${path}`;
  const signing = { method, path: new URL(httpUrl(full)).pathname, body, query, key, secret };
  const signed = signedQuery({ ...signing, timestampS: Math.floor(Date.now() / 1000) });
  return call(`${full}?${signed}`, options).catch((error: unknown) => {
    throw unreachable(apiUrl, error);
  });
}
