/** What to say to a command that does not exist. */

import type { Command } from "commander";
import { nearest } from "../config/problem.ts";
import { CliError } from "./failure.ts";

export function unknownCommand(name: string, program: Command): CliError {
  const known = program.commands.map((command) => command.name());
  const meant = nearest(name, known);
  const hint = meant === undefined ? `use one of ${known.join(", ")}` : `did you mean ${meant}?`;
  return new CliError(`unknown command ${JSON.stringify(name)}: ${hint}`);
}
