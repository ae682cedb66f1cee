/** Addresses of servers: as a person writes them, as a configuration has them. */

import type { Config } from "../config/load.ts";
import { isUnixSocketPath } from "../config/schema/fields.ts";
import { isEverywhere } from "../server/system/machine.ts";
import { CliError } from "./errors.ts";

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
