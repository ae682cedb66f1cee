/** `fanfare dashboard`: prints the address of the dashboard once more, with the key where one opens it. */

import type { Command } from "commander";
import { askServer } from "../daemon/ask.ts";
import { addLocationOptions, type LocationOptions, locationOf, notRunning } from "../daemon/location.ts";
import { CliError } from "../errors.ts";

export function addDashboard(program: Command): void {
  const command = program.command("dashboard").description("print the dashboard's address, with the key to it");
  addLocationOptions(command)
    .addHelpText("after", "\nExample:\n  $ fanfare dashboard")
    .action(async () => {
      const place = await locationOf(command.opts<LocationOptions>());
      const answer = await askServer<{ url?: string }>(place.control, "GET", "/dashboard");
      if (!answer) throw notRunning(place);
      if (answer.url === undefined) throw new CliError("this server has no dashboard: `dashboard.enabled` is false");
      console.log(answer.url);
    });
}
