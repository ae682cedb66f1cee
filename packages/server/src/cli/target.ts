/** Which server and which app a command talks to (what was named, else what runs or is configured here), and signed calls of its HTTP API. */

import { createHash, createHmac } from "node:crypto";
import type { Config } from "../config/load.ts";
import type { App } from "../domain/app.ts";
import { controlPath } from "../server/lifecycle/control-socket.ts";
import type { Status } from "../server/lifecycle/status.ts";
import { type AppOptions, findApp, knownApps, noApp } from "./apps.ts";
import { askServer } from "./daemon/location.ts";
import { type Answer, type Call, call, httpUrl, localUrl, serverUrl, unreachable } from "./http.ts";

export interface Target {
  /** http: or https:, with the path prefix and without a slash at its end. */
  readonly url: string;
  /** Where API calls go: another port where the configuration gives them one. */
  readonly apiUrl: string;
  readonly id: string | undefined;
  readonly key: string | undefined;
  readonly secret: string | undefined;
  /** How the app's tokens are signed, where it is configured here and says so. */
  readonly tokenRules?: App["token"];
}

export interface TargetOptions extends AppOptions {
  readonly url?: string;
}

/** A server that is busy may take a while to say where it is. */
const STATUS_TIMEOUT_MS = 3_000;

/** Reads the local configuration only where something was left unsaid; an app that is not in it is taken as named. */
export async function targetOf(options: TargetOptions): Promise<Target> {
  const { app, key, secret } = options;
  const url = options.url === undefined ? undefined : serverUrl(options.url);
  if (url !== undefined && app !== undefined && key !== undefined && secret !== undefined) {
    return { url, apiUrl: url, id: app, key, secret };
  }
  const { config, apps } = await knownApps(options);
  const found = findApp(apps, app ?? key);
  const address = url === undefined ? await addressHere(config) : { url, apiUrl: url };
  return {
    ...address,
    id: found?.id ?? app,
    key: key ?? found?.key ?? app,
    secret: secret ?? found?.secrets[0],
    ...(found?.token && { tokenRules: found.token }),
  };
}

/** Of the server that runs in this folder, whatever its port; else of the one that is configured here. */
async function addressHere(config: Config): Promise<Pick<Target, "url" | "apiUrl">> {
  const control = controlPath(config.stateDir);
  const status = await askServer<Status>(control, "GET", "/status", STATUS_TIMEOUT_MS).catch(() => undefined);
  // Of a Unix socket the configuration knows which part of it is the path of the server's own addresses.
  if (status && !status.url.startsWith("unix:")) return status;
  const { host, tls } = config;
  const url = localUrl(config);
  return { url, apiUrl: tls?.api ? localUrl({ ...config, host: tls.api.host ?? host, port: tls.api.port }) : url };
}

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
