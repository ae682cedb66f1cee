/** `fanfare dashboard`: prints the address of the dashboard once more, with the key where one opens it. */

import type { Command } from "commander";
import { ask } from "../daemon/ask.ts";
import { addPlaceOptions, notRunning, type PlaceOptions, placeOf } from "../daemon/whereabouts.ts";
import { CliError } from "../failure.ts";

export function addDashboard(program: Command): void {
  const command = program.command("dashboard").description("print the dashboard's address, with the key to it");
  addPlaceOptions(command)
    .addHelpText("after", "\nExample:\n  $ fanfare dashboard")
    .action(async () => {
      const place = await placeOf(command.opts<PlaceOptions>());
      const answer = await ask<{ url?: string }>(place.control, "GET", "/dashboard");
      if (!answer) throw notRunning(place);
      if (answer.url === undefined) throw new CliError("this server has no dashboard: `dashboard.enabled` is false");
      console.log(answer.url);
    });
}
