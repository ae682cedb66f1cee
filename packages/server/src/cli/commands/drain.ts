/** `fanfare drain`: has the running server send its clients to other nodes, until that is ended. */

import type { Command } from "commander";
import type { Status } from "../../server/lifecycle/status.ts";
import { askServer } from "../daemon/ask.ts";
import { addLocationOptions, type LocationOptions, locationOf, notRunning } from "../daemon/location.ts";

export function addDrain(program: Command): void {
  const command = program
    .command("drain")
    .description(
      "let the running server send its clients to other nodes, those that come as well, and go on without them",
    );
  addLocationOptions(command)
    .option("--end", "let it take clients again")
    .addHelpText("after", "\nIt lasts until it is ended, or the server stops.\n\nExample:\n  $ fanfare drain")
    .action(async () => {
      const { end, ...options } = command.opts<LocationOptions & { end?: true }>();
      const place = await locationOf(options);
      const status = await askServer<Status>(place.control, "POST", end ? "/drain?end" : "/drain");
      if (!status) throw notRunning(place);
      console.log(drainText(status));
    });
}

function drainText({ draining, stopping, connections }: Status): string {
  if (stopping) return "stopping: it drains, and then ends";
  if (!draining) return "takes clients";
  return `draining: ${connections.toLocaleString("en")} connections; take clients again with \`fanfare drain --end\``;
}
