/** Commands that ask the running server for one thing: `fanfare reload`, `drain`, `rebalance` and `dashboard`. */

import type { ClusterShares } from "../../domain/ports.ts";
import type { Reloaded } from "../../server/lifecycle/reload.ts";
import type { Status } from "../../server/lifecycle/status.ts";
import { askRunning, type LocationOptions, locationOf } from "../daemon/location.ts";
import { CliError } from "../errors.ts";
import { grouped, type Report, table } from "../output.ts";

/** Swapping the workers takes as long as their clients take to leave. */
const SWAP_TIMEOUT_MS = 24 * 3_600_000;

/** Has it read its configuration again, and says what changed. */
export async function reload({ workers, ...options }: LocationOptions & { readonly workers?: true }): Promise<Report> {
  const location = await locationOf(options);
  if (workers) {
    const status = await askRunning<Status>(location, "GET", "/status");
    // A single process cannot be swapped for another under its port.
    if (status.workers <= 1) throw new CliError(NO_WORKERS);
  }
  const path = workers ? "/reload?workers" : "/reload";
  const reloaded = await askRunning<Reloaded>(location, "POST", path, workers && SWAP_TIMEOUT_MS);
  return { json: reloaded, text: reloadedText(reloaded) };
}

const NO_WORKERS = "nothing is reloaded: this server has no workers to swap; for new code type `fanfare restart`";

function reloadedText({ applied, needsRestart, apps, closed }: Reloaded): string {
  const lists = {
    "apps added": apps.added,
    "apps removed": apps.removed,
    "apps changed": apps.changed,
    "in effect": applied.filter((path) => path !== "apps"),
    "needs a restart": needsRestart,
    "connections closed": closed > 0 ? [grouped(closed)] : [],
  };
  const rows = Object.entries(lists).map(([label, values]) => [label, values.join(", ")] as const);
  const changed = table(
    rows.filter(([, value]) => value !== ""),
    { width: 20 },
  );
  return ["reloaded", ...(changed.length > 0 ? changed : ["  nothing was changed"])].join("\n");
}

/** Has it send its clients to other nodes, until that is ended. */
export async function drain({ end, ...options }: LocationOptions & { readonly end?: true }): Promise<string> {
  const path = end ? "/drain?end" : "/drain";
  const { draining, stopping, connections } = await askRunning<Status>(await locationOf(options), "POST", path);
  if (stopping) return "stopping: it drains, and then ends";
  if (!draining) return "takes clients";
  return `draining: ${grouped(connections)} connections; take clients again with \`fanfare drain --end\``;
}

/** Has the nodes that have more connections than their even share ask some to come back, to the others. */
export async function rebalance(options: LocationOptions): Promise<Report> {
  const shares = await askRunning<ClusterShares>(await locationOf(options), "POST", "/rebalance");
  return { json: shares, text: sharesText(shares) };
}

function sharesText({ nodes, missing, connections, movable, surplus, isEven }: ClusterShares): string {
  const here = `${grouped(connections)} connections on ${grouped(nodes)} ${nodes === 1 ? "node" : "nodes"}`;
  const silent = missing > 0 ? `; ${grouped(missing)} did not answer` : "";
  if (isEven) return `even already: ${here}${silent}`;
  const movables = `${grouped(movable)} of them can come back elsewhere without missing anything`;
  return `asks ${grouped(surplus)} to reconnect, little by little: ${here}, ${movables}${silent}`;
}

/** The address of the dashboard, with the key where one opens it. */
export async function dashboard(options: LocationOptions): Promise<string> {
  const { url } = await askRunning<{ readonly url?: string }>(await locationOf(options), "GET", "/dashboard");
  if (url === undefined) throw new CliError("this server has no dashboard: `dashboard.enabled` is false");
  return url;
}
