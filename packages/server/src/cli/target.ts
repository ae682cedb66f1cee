/** Which server and which app `listen` and `publish` talk to: what was named, else what is configured here. */

import type { Command } from "commander";
import { demoAppFile, readDemoApp } from "../config/demo-app.ts";
import { type Config, loadConfig } from "../config/load.ts";
import { isUnixSocketPath } from "../config/schema/fields.ts";
import type { App } from "../domain/app.ts";
import { controlPath } from "../server/lifecycle/control-socket.ts";
import type { Status } from "../server/lifecycle/status.ts";
import { isEverywhere } from "./banner.ts";
import { askServer } from "./daemon/ask.ts";
import { CliError } from "./errors.ts";

export interface Target {
  /** http: or https:, with the path prefix and without a slash at its end. */
  readonly url: string;
  /** Where API calls go: another port where the configuration gives them one. */
  readonly apiUrl: string;
  readonly id?: string;
  readonly key?: string;
  readonly secret?: string;
}

export interface TargetOptions {
  readonly url?: string;
  readonly app?: string;
  readonly key?: string;
  readonly secret?: string;
  readonly config?: string;
}

/** A server that is busy may take a while to say where it is. */
const STATUS_MS = 3_000;

type Credentials = Pick<Target, "id" | "key" | "secret">;

export function addTargetOptions(command: Command): Command {
  return command
    .option("--url <url>", "the server (default: the one that runs or is configured here, else http://127.0.0.1:9501)")
    .option("--app <id or key>", "the app, by its id or its key (default: the first one configured, else the demo app)")
    .option("--key <key>", "the app's key")
    .option("--secret <secret>", "the app's secret")
    .option("-c, --config <file>", "take the app from this configuration file");
}

/** Reads the local configuration only where something was left unsaid. */
export async function targetOf(options: TargetOptions): Promise<Target> {
  const { app, key, secret } = options;
  const url = options.url === undefined ? undefined : serverUrl(options.url);
  if (url !== undefined && app !== undefined && key !== undefined && secret !== undefined) {
    return { url, apiUrl: url, id: app, key, secret };
  }
  const { config } = await loadConfig({
    env: process.env,
    cwd: process.cwd(),
    ...(options.config === undefined ? {} : { file: options.config }),
  });
  const found = pick(await localApps(config), app ?? key);
  const place = url === undefined ? await placeHere(config) : { url, apiUrl: url };
  return { ...place, ...merged(found, options) };
}

/** Of the server that runs in this folder, whatever its port; else of the one that is configured here. */
async function placeHere(config: Config): Promise<Pick<Target, "url" | "apiUrl">> {
  const status = await askServer<Status>(controlPath(config.stateDir), "GET", "/status", STATUS_MS).catch(
    () => undefined,
  );
  // Of a Unix socket the configuration knows which part of it is the path of the server's own addresses.
  if (status && !status.url.startsWith("unix:")) return status;
  return { url: localUrl(config), apiUrl: localApiUrl(config) };
}

/** What is said on the command line goes before what was found; an app that is not configured here is taken as named. */
function merged(found: Credentials | undefined, { app, key, secret }: TargetOptions): Credentials {
  const named = app === undefined || found !== undefined ? {} : { id: app, key: app };
  return { ...named, ...found, ...(key === undefined ? {} : { key }), ...(secret === undefined ? {} : { secret }) };
}

function pick(apps: readonly Credentials[], name: string | undefined): Credentials | undefined {
  return name === undefined ? apps[0] : apps.find(({ id, key }) => id === name || key === name);
}

async function localApps(config: Config): Promise<readonly Credentials[]> {
  if (config.apps.length > 0) return config.apps.map(credentialsOf);
  const demo = await readDemoApp(demoAppFile(config.stateDir));
  return demo === undefined ? [] : [demo];
}

function credentialsOf({ id, key, secrets }: App): Credentials {
  return { id, key, secret: secrets[0] };
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

export function localUrl({ host, port, path, tls }: Pick<Config, "host" | "port" | "path" | "tls">): string {
  if (isUnixSocketPath(host)) return `http+unix://${host}:${path}`;
  const place = isEverywhere(host) ? "127.0.0.1" : host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `${tls === undefined ? "http" : "https"}://${place}:${port === 0 ? 9501 : port}${path}`;
}

function localApiUrl(config: Config): string {
  const { host, tls } = config;
  return tls?.api ? localUrl({ ...config, host: tls.api.host ?? host, port: tls.api.port }) : localUrl(config);
}

/** What to do when no app is known. */
export function noApp(needed: string): CliError {
  return new CliError(
    `no app to use: name one with ${needed}, or run this where \`fanfare serve\` has been started once or an app is configured`,
  );
}
