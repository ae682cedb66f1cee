/** Where a server is reached, as URLs. */

import { isUnixSocketPath } from "../config/schema/fields.ts";
import type { Config } from "../config/schema/schema.ts";

interface Address {
  readonly hostname: string;
  readonly port: number;
}

export function urlOf({ hostname, port }: Address, { tls }: Config): string {
  if (isUnixSocketPath(hostname)) return `unix:${hostname}`;
  const host = hostname === "0.0.0.0" || hostname === "::" ? "127.0.0.1" : hostname;
  return `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** With the key that signs one in, where there is one. */
export function dashboardUrl(url: string, { dashboard, path }: Config, key: string | undefined): string {
  return `${url}${path}${dashboard.path}/${key === undefined ? "" : `?key=${key}`}`;
}
