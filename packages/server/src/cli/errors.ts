/** What went wrong, for a person: one line for each problem, no stack unless debugging was asked for. */

import { CommanderError } from "commander";
import { ConfigError } from "../config/config-error.ts";
import { messageOf } from "../domain/thrown.ts";

/** Something that the user can put right. The message says what to do. */
export class CliError extends Error {
  override readonly name = "CliError";
}

/** Prints the error and gives the exit code. */
export function report(error: unknown, isDebugging: boolean): number {
  if (error instanceof CommanderError) return error.exitCode;
  const message = messageOf(error);
  const isExpected = error instanceof CliError || error instanceof ConfigError;
  const lines = isExpected ? message.split("\n") : message.split("\n", 1);
  for (const line of lines) process.stderr.write(`fanfare: ${line}\n`);
  if (isDebugging && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return 1;
}
