/** What people give to commands: numbers, and files by their names. */

import { readFile } from "node:fs/promises";
import { errorReason } from "../config/config-error.ts";
import { CliError } from "./errors.ts";
import { printable } from "./output.ts";

export function secondsIn(flag: string, written: string): number {
  const seconds = Number(written);
  if (written.trim() !== "" && seconds >= 0 && seconds < 1e6) return seconds;
  throw new CliError(`${flag} has to be a number of seconds, but is ${JSON.stringify(written)}`);
}

export function wholeNumber(what: string, written: string, least = 1): number {
  if (/^\d{1,15}$/.test(written) && Number(written) >= least) return Number(written);
  throw new CliError(`${what} has to be a whole number from ${least} up, but is ${printable(JSON.stringify(written))}`);
}

/** What is meant of a list: these, or undefined for all of it. */
export function chosenNumbers(what: string, written: readonly string[], isAll = false): number[] | undefined {
  if (isAll ? written.length > 0 : written.length === 0) throw new CliError("say which: their numbers, or --all");
  return isAll ? undefined : written.map((id) => wholeNumber(`the number of a ${what}`, id));
}

export function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch((error: unknown) => {
    throw new CliError(`cannot read ${file}: ${errorReason(error)}`);
  });
}
