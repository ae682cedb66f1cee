/** The environment of this process, and for those that it starts. */

import { readFileSync } from "node:fs";

/** Keeps Bun from reading `.env` by rules of its own. */
export const NO_ENV_FILE = "--no-env-file";

/** Where Bun was started without that, takes away what it read. */
export function dropBunsEnvFile(): void {
  if (process.execArgv.some((argument) => argument === NO_ENV_FILE || argument.startsWith("--env-file"))) return;
  const original = originalEnvironment();
  for (const name of Object.keys(process.env)) if (!(name in original)) delete process.env[name];
}

/** As this process was given it, without what was read from `.env`: that may say something else by now. */
export function originalEnvironment(): Record<string, string | undefined> {
  try {
    const pairs = readFileSync("/proc/self/environ", "utf8").split("\0").filter(Boolean);
    return Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
    );
  } catch {
    return { ...process.env };
  }
}
