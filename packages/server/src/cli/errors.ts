/** Tells a person what went wrong: one line for each problem, no stack unless debugging was asked for. */

import { CommanderError } from "commander";
import { ConfigError } from "../config/load.ts";

/** Something that the user can put right. The message says what to do. */
export class CliError extends Error {
  override readonly name = "CliError";
}

/** Prints the failure and gives the exit code. */
export function report(
  error: unknown,
  env: Readonly<Record<string, string | undefined>>,
  write: (text: string) => void,
) {
  if (error instanceof CommanderError) return error.exitCode;
  const message = error instanceof Error ? error.message : String(error);
  const expected = error instanceof CliError || error instanceof ConfigError;
  const lines = expected ? message.split("\n") : [message.split("\n", 1)[0]];
  for (const line of lines) write(`fanfare: ${line}\n`);
  if (/^(debug|trace)$/.test(env.FANFARE_LOG_LEVEL ?? "") && error instanceof Error) write(`${error.stack}\n`);
  return 1;
}
