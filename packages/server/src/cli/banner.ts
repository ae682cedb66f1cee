/** What the server says when it has started: where it is, how to reach it, how to stop it. */

import type { Config } from "../config/load.ts";
import { isUnixSocketPath } from "../config/schema/fields.ts";

export interface BannerInfo {
  readonly name: string;
  readonly version: string;
  readonly config: Config;
  /** The port it really listens on. */
  readonly port: number;
  readonly maxConnections: number;
  /** In the background there is no Ctrl+C. */
  readonly isDaemon?: boolean;
  /** Where the demo app is kept; absent when the apps were configured. */
  readonly demoFile?: string;
  /** Opens the dashboard. */
  readonly dashboardKey?: string | undefined;
  /** The machine's addresses in the local network. */
  readonly addresses: readonly string[];
}

export function banner(started: BannerInfo): string {
  const { name, version, config, port, maxConnections } = started;
  const rows: Row[] = [
    ["Host", config.host],
    ...(isUnixSocketPath(config.host) ? [] : [["Port", String(port)] as const]),
    ["Workers", String(config.workers)],
    ["Max connections", String(maxConnections)],
    ...appRows(started),
    undefined,
    ...addressRows(started),
    undefined,
  ];
  const lines = rows.map((row) => (row === undefined ? "" : `  ${row[0].padEnd(WIDTH)}${row[1]}`.trimEnd()));
  const last = started.isDaemon ? [] : ["Press Ctrl+C to stop"];
  return [`${name} ${version}`, "", ...lines, ...last].join("\n");
}

type Row = readonly [label: string, value: string] | undefined;

const WIDTH = 17;

/** The secret is shown only of the demo app: it was made a moment ago, and this is how one learns of it. */
function appRows({ config, demoFile }: BannerInfo): Row[] {
  const [first] = config.apps;
  if (first === undefined) return [];
  if (demoFile === undefined) return config.apps.map((app) => ["App key", app.key]);
  return [
    ["App key", first.key],
    ["App id", first.id],
    ["App secret", first.secrets[0]],
    ["Kept in", demoFile],
  ];
}

function addressRows({ config, port, addresses, dashboardKey }: BannerInfo): Row[] {
  const secure = config.tls !== undefined;
  if (isUnixSocketPath(config.host)) return [["Socket", `unix:${config.host}`]];
  const hosts = isEverywhere(config.host) ? ["localhost", ...addresses] : [config.host];
  const places = hosts.map(
    (host) => `${bracketed(host)}${port === (secure ? 443 : 80) ? "" : `:${port}`}${config.path}`,
  );
  const [here = ""] = places;
  const page = config.mode === "development" ? "Open" : "Health";
  const path = config.mode === "development" ? "/" : "/health";
  const web = places.map(
    (place, index): Row => [index === 0 ? page : "", `http${secure ? "s" : ""}://${place}${path}`],
  );
  const socket = `ws${secure ? "s" : ""}://${here}`;
  const { enabled, path: below } = config.dashboard;
  const door = dashboardKey === undefined ? "" : `/?key=${dashboardKey}`;
  const panel: Row[] = enabled ? [["Dashboard", `http${secure ? "s" : ""}://${here}${below}${door}`]] : [];
  return [...web, ...panel, ["WebSocket", `${socket}/app/${config.apps[0]?.key ?? "KEY"}`], ["", `${socket}/`]];
}

export function isEverywhere(host: string): boolean {
  return host === "0.0.0.0" || host === "::" || host === "[::]";
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
