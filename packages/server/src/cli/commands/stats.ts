/** `fanfare stats`: how many connections, which channels, and how many are in each. */

import { kindOf, traitsOf } from "../../domain/channel.ts";
import type { Stats } from "../../server/lifecycle/status.ts";
import { askRunning, type LocationOptions, locationOf } from "../daemon/location.ts";
import { CliError } from "../errors.ts";
import { problemIn } from "../http.ts";
import { fieldOf, parseJson } from "../json.ts";
import { grouped, printable, type Report } from "../output.ts";
import { callApi, type TargetOptions, targetOf } from "../target.ts";

type StatsOptions = TargetOptions & LocationOptions;

/** Without `connections` where the server does not say. */
type AnyStats = Omit<Stats, "connections"> & { readonly connections?: number };

export async function stats(options: StatsOptions): Promise<Report> {
  const found = options.url === undefined ? await statsHere(options) : await statsOf(options);
  return { json: found, text: statsText(found) };
}

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

async function statsHere(options: StatsOptions): Promise<Stats> {
  const app = options.app ?? options.key;
  const query = app === undefined ? "" : `?${new URLSearchParams({ app })}`;
  return askRunning<Stats>(await locationOf(options), "GET", `/stats${query}`);
}

/** By the signed API, which knows one app and says of connections only what Fanfare and Reverb say. */
async function statsOf(options: StatsOptions): Promise<AnyStats> {
  const target = await targetOf(options);
  const [channels, counted] = await Promise.all([
    callApi(target, "/channels", { query: "info=subscription_count" }),
    callApi(target, "/connections"),
  ]);
  if (!channels.ok) throw new CliError(`${target.url} refused to tell: ${problemIn(channels)} (${channels.status})`);
  const connections = numberIn(parseJson(counted.text), "connections");
  const id = target.id ?? "";
  const app = { id, name: id, connections: connections ?? 0, channels: channelsIn(parseJson(channels.text)) };
  return { ...(connections !== undefined && { connections }), apps: [app] };
}

function channelsIn(answer: unknown): Stats["apps"][number]["channels"] {
  const counted = Object.entries(fieldOf(answer, "channels") ?? {}).map(([name, counts]: [string, unknown]) => {
    return { name, type: kindOf(traitsOf(name)), subscribers: numberIn(counts, "subscription_count") ?? 0 };
  });
  return counted.sort((one, other) => other.subscribers - one.subscribers || (one.name < other.name ? -1 : 1));
}

function numberIn(value: unknown, key: string): number | undefined {
  const number = fieldOf(value, key);
  return typeof number === "number" ? number : undefined;
}
