/** Reads a file that was named on the command line. */

import { readFile } from "node:fs/promises";
import { errorReason } from "../config/config-error.ts";
import { CliError } from "./errors.ts";

export function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch((error: unknown) => {
    throw new CliError(`cannot read ${file}: ${errorReason(error)}`);
  });
}
