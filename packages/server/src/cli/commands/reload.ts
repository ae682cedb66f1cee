/** `fanfare reload`: has the running server read its configuration again, and says what came of it. */

import type { Command } from "commander";
import type { Reloaded } from "../../server/lifecycle/reload.ts";
import type { Status } from "../../server/lifecycle/status.ts";
import { askServer } from "../daemon/ask.ts";
import {
  addLocationOptions,
  type LocationOptions,
  locationOf,
  notRunning,
  type ServerLocation,
} from "../daemon/location.ts";
import { CliError } from "../errors.ts";

export function addReload(program: Command): void {
  const command = program
    .command("reload")
    .description("let the running server read its configuration, certificates and log files again");
  addLocationOptions(command)
    .option(
      "--workers",
      "then swap the workers one by one, so that they run new code: their clients are told to come back",
    )
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ fanfare reload")
    .action(async () => {
      const options = command.opts<LocationOptions & { json?: true; workers?: true }>();
      const place = await locationOf(options);
      if (options.workers) await checkWorkers(place);
      const reloaded = options.workers
        ? await askServer<Reloaded>(place.control, "POST", "/reload?workers", AS_LONG_AS_IT_TAKES_MS)
        : await askServer<Reloaded>(place.control, "POST", "/reload");
      if (!reloaded) throw notRunning(place);
      console.log(options.json ? JSON.stringify(reloaded, undefined, 2) : reloadedText(reloaded));
    });
}

/** A single process cannot be swapped for another under its port. */
async function checkWorkers(place: ServerLocation): Promise<void> {
  const status = await askServer<Status>(place.control, "GET", "/status");
  if (!status) throw notRunning(place);
  if (status.workers > 1) return;
  throw new CliError("nothing is reloaded: this server has no workers to swap; for new code type `fanfare restart`");
}

const AS_LONG_AS_IT_TAKES_MS = 24 * 3_600_000;

export function reloadedText({ applied, needsRestart, apps, closed }: Reloaded): string {
  const settings = applied.filter((path) => path !== "apps");
  const lines = [
    row("apps added", apps.added),
    row("apps removed", apps.removed),
    row("apps changed", apps.changed),
    row("in effect", settings),
    row("needs a restart", needsRestart),
    closed > 0 ? row("connections closed", [closed.toLocaleString("en")]) : "",
  ].filter((line) => line !== "");
  return ["reloaded", ...(lines.length > 0 ? lines : ["  nothing was changed"])].join("\n");
}

const WIDTH = 20;

function row(label: string, values: readonly string[]): string {
  return values.length === 0 ? "" : `  ${label.padEnd(WIDTH)}${values.join(", ")}`;
}
