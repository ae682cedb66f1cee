/** What the server prints when it has started: where it is, how to reach it, how to stop it. */

import type { Config } from "../config/load.ts";
import { isUnixSocketPath } from "../config/schema/fields.ts";
import { isEverywhere } from "../server/system/machine.ts";
import { bracketed } from "./http.ts";
import { type Row, table } from "./output.ts";

export interface BannerInfo {
  readonly name: string;
  readonly version: string;
  readonly config: Config;
  /** The port it really listens on. */
  readonly port: number;
  readonly maxConnections: number;
  /** In the background there is no Ctrl+C. */
  readonly isDaemon?: boolean;
  /** The file of the demo app; absent when the apps were configured. */
  readonly demoFile?: string | undefined;
  /** Opens the dashboard. */
  readonly dashboardKey?: string | undefined;
  /** The machine's addresses in the local network. */
  readonly addresses: readonly string[];
}

export function banner(info: BannerInfo): string {
  const { name, version, config, port, maxConnections, isDaemon } = info;
  const own: readonly Row[] = [
    ["Host", config.host],
    ...(isUnixSocketPath(config.host) ? [] : [["Port", String(port)] as const]),
    ["Workers", String(config.workers)],
    ["Max connections", String(maxConnections)],
    ...appRows(info),
  ];
  const lines = [...table(own, LAYOUT), "", ...table(addressRows(info), LAYOUT), ""];
  return [`${name} ${version}`, "", ...lines, ...(isDaemon ? [] : ["Press Ctrl+C to stop"])].join("\n");
}

const LAYOUT = { width: 17 };

/** The secret is shown only of the demo app: it was made a moment ago, and this is how one learns of it. */
function appRows({ config, demoFile }: BannerInfo): Row[] {
  const [first] = config.apps;
  if (first === undefined || demoFile === undefined) return config.apps.map((app) => ["App key", app.key]);
  return [
    ["App key", first.key],
    ["App id", first.id],
    ["App secret", first.secrets[0]],
    ["Kept in", demoFile],
  ];
}

function addressRows({ config, port, addresses, dashboardKey }: BannerInfo): Row[] {
  const { host, path, tls, mode, dashboard } = config;
  if (isUnixSocketPath(host)) return [["Socket", `unix:${host}`]];
  const s = tls === undefined ? "" : "s";
  const hosts = isEverywhere(host) ? ["localhost", ...addresses] : [host];
  const shownPort = port === (tls === undefined ? 80 : 443) ? "" : `:${port}`;
  const urls = hosts.map((name) => `${bracketed(name)}${shownPort}${path}`);
  const [first = ""] = urls;
  const [label, page] = mode === "development" ? ["Open", "/"] : ["Health", "/health"];
  const key = dashboardKey === undefined ? "" : `/?key=${dashboardKey}`;
  return [
    ...urls.map((url, index): Row => [index === 0 ? label : "", `http${s}://${url}${page}`]),
    ...(dashboard.enabled ? [["Dashboard", `http${s}://${first}${dashboard.path}${key}`] as const] : []),
    ["WebSocket", `ws${s}://${first}/app/${config.apps[0]?.key ?? "KEY"}`],
    ["", `ws${s}://${first}/`],
  ];
}
