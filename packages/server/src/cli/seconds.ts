/** Numbers of seconds as people give them to commands. */

import { CliError } from "./errors.ts";

export function secondsIn(flag: string, written: string): number {
  const seconds = Number(written);
  if (written.trim() !== "" && seconds >= 0 && seconds < 1e6) return seconds;
  throw new CliError(`${flag} has to be a number of seconds, but is ${JSON.stringify(written)}`);
}
