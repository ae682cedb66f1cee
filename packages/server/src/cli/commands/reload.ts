/** `fanfare reload`: has the running server read its configuration again, and says what changed. */

import type { Reloaded } from "../../server/lifecycle/reload.ts";
import type { Status } from "../../server/lifecycle/status.ts";
import { askRunning, type LocationOptions, locationOf } from "../daemon/location.ts";
import { CliError } from "../errors.ts";
import { grouped, type Report, table } from "../output.ts";

/** Swapping the workers takes as long as their clients take to leave. */
const SWAP_TIMEOUT_MS = 24 * 3_600_000;

export async function reload({ workers, ...options }: LocationOptions & { readonly workers?: true }): Promise<Report> {
  const location = await locationOf(options);
  if (workers) {
    const status = await askRunning<Status>(location, "GET", "/status");
    // A single process cannot be swapped for another under its port.
    if (status.workers <= 1) throw new CliError(NO_WORKERS);
  }
  const reloaded = workers
    ? await askRunning<Reloaded>(location, "POST", "/reload?workers", SWAP_TIMEOUT_MS)
    : await askRunning<Reloaded>(location, "POST", "/reload");
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
