/** The environment for processes that this one starts. */

import { readFileSync } from "node:fs";

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
