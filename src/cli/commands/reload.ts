/** `fanfare reload`: has the running server read its configuration again, and says what came of it. */

import type { Command } from "commander";
import type { Reloaded } from "../../server/reload.ts";
import { ask } from "../daemon/ask.ts";
import { addPlaceOptions, notRunning, type PlaceOptions, placeOf } from "../daemon/whereabouts.ts";

export function addReload(program: Command): void {
  const command = program
    .command("reload")
    .description("let the running server read its configuration, certificates and log files again");
  addPlaceOptions(command)
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ fanfare reload")
    .action(async () => {
      const options = command.opts<PlaceOptions & { json?: true }>();
      const place = await placeOf(options);
      const reloaded = await ask<Reloaded>(place.control, "POST", "/reload");
      if (!reloaded) throw notRunning(place);
      console.log(options.json ? JSON.stringify(reloaded, undefined, 2) : reloadedText(reloaded));
    });
}

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
