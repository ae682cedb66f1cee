/** `fanfare stats`: how many connections, which channels, and how many are in each. */

import type { Command } from "commander";
import { kindOf, traitsOf } from "../../domain/channel.ts";
import type { Stats } from "../../server/lifecycle/status.ts";
import { askServer } from "../daemon/ask.ts";
import { type LocationOptions, locationOf, notRunning } from "../daemon/location.ts";
import { CliError } from "../errors.ts";
import { fetchTarget, unreachable } from "../http.ts";
import { printable } from "../output.ts";
import { addTargetOptions, noApp, type TargetOptions, targetOf } from "../target.ts";
import { signedQuery } from "./publish.ts";

interface StatsOptions extends TargetOptions, LocationOptions {
  readonly json?: true;
}

export function addStats(program: Command): void {
  const command = program.command("stats").description("print connections and channels of a running server");
  addTargetOptions(command)
    .option("--state-dir <folder>", "the stateDir of the server that runs here, without --url")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ fanfare stats\n  $ fanfare stats --url https://ws.example.com --app my-app")
    .action(async () => {
      const options = command.opts<StatsOptions>();
      const stats = options.url === undefined ? await statsHere(options) : await statsOf(options);
      console.log(options.json ? JSON.stringify(stats, undefined, 2) : statsText(stats));
    });
}

/** Without `connections` where the server does not tell them. */
type AnyStats = Omit<Stats, "connections"> & { readonly connections?: number };

/** The form is A28's; of several apps each line says which. */
export function statsText({ connections, apps }: AnyStats): string {
  const lines = apps.flatMap((app) => {
    const where = apps.length > 1 ? ` in ${printable(app.id)}` : "";
    return app.channels.map(({ name, type, subscribers }) => {
      return `  ${printable(name)} (${type}): ${grouped(subscribers)} subscribers${where}`;
    });
  });
  return [
    "WebSocket Server Statistics",
    `Total Connections: ${connections === undefined ? "unknown" : grouped(connections)}`,
    `Total Channels: ${grouped(lines.length)}`,
    "Active Channels:",
    ...lines,
  ].join("\n");
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

async function statsHere(options: StatsOptions): Promise<AnyStats> {
  const place = await locationOf(options);
  const app = options.app ?? options.key;
  const query = app === undefined ? "" : `?${new URLSearchParams({ app })}`;
  const stats = await askServer<Stats>(place.control, "GET", `/stats${query}`);
  if (!stats) throw notRunning(place);
  return stats;
}

/** By the signed API, which knows one app and says of connections only what Fanfare and Reverb say. */
async function statsOf(options: StatsOptions): Promise<AnyStats> {
  const { url, id, key, secret } = await targetOf(options);
  if (id === undefined || key === undefined || secret === undefined) throw noApp("--app, --key and --secret");
  const get = (path: string, query?: string) => call({ url, path: `/apps/${id}${path}`, key, secret, query });
  const [channels, connections] = await Promise.all([get("/channels", "info=subscription_count"), get("/connections")]);
  if (!channels.ok) throw new CliError(`${url} refused to tell: ${channels.text.slice(0, 300)} (${channels.status})`);
  const told = numberIn(connections.text, "connections");
  const app = { id, name: id, connections: told ?? 0, channels: channelsIn(channels.text) };
  return { ...(told !== undefined && { connections: told }), apps: [app] };
}

interface Call {
  readonly url: string;
  readonly path: string;
  readonly key: string;
  readonly secret: string;
  readonly query?: string | undefined;
}

async function call({ url, path, key, secret, query }: Call) {
  const { base, ...by } = fetchTarget(url);
  const { origin, pathname } = new URL(base);
  const full = `${pathname.replace(/\/$/, "")}${path}`;
  const timestampS = Math.floor(Date.now() / 1000);
  const signed = signedQuery({ method: "GET", path: full, body: "", key, secret, timestampS, ...(query && { query }) });
  const response = await fetch(`${origin}${full}?${signed}`, { signal: AbortSignal.timeout(15_000), ...by }).catch(
    (error) => {
      throw unreachable(url, error);
    },
  );
  return { ok: response.ok, status: response.status, text: await response.text() };
}

function channelsIn(text: string): Stats["apps"][number]["channels"] {
  const channels = valueIn(text, "channels");
  const entries = typeof channels === "object" && channels !== null ? Object.entries(channels) : [];
  const counted = entries.map(([name, counts]: [string, unknown]) => {
    const subscribers = numberIn(JSON.stringify(counts), "subscription_count") ?? 0;
    return { name, type: kindOf(traitsOf(name)), subscribers };
  });
  return counted.sort((one, other) => other.subscribers - one.subscribers || (one.name < other.name ? -1 : 1));
}

function numberIn(text: string, key: string): number | undefined {
  const value = valueIn(text, key);
  return typeof value === "number" ? value : undefined;
}

function valueIn(text: string, key: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined;
  } catch {
    return undefined;
  }
}
