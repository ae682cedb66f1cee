/** Where a running server gets its settings from when it reloads: where it got them from at its start. */

import { fileURLToPath } from "node:url";
import { ConfigError, type ConfigInput, type Sources } from "../../config/load.ts";
import { fieldOf, parseJson } from "../json.ts";
import { originalEnvironment, ownCommand, runOwn } from "./own-process.ts";

const READER = fileURLToPath(import.meta.resolve("#read-config"));
const TIMEOUT_MS = 30_000;

/** What it gives throws ConfigError. */
export function configSource(
  sources: Pick<Sources, "flags" | "file">,
  served: (config: ConfigInput) => ConfigInput,
): () => Promise<ConfigInput> {
  const env = originalEnvironment();
  const cwd = process.cwd();
  return async () => {
    const stdin = new Blob([JSON.stringify(sources)]);
    const { stdout, stderr, exitCode } = await runOwn(ownCommand([], READER), { cwd, env, stdin, timeout: TIMEOUT_MS });
    const answer = parseJson(lastLine(stdout));
    const problems = fieldOf(answer, "problems");
    if (Array.isArray(problems)) throw new ConfigError(problems);
    const config = fieldOf(answer, "config");
    if (config) return served(config as ConfigInput);
    throw new ConfigError(
      `the configuration could not be read: ${lastLine(stderr) || `its reader ended with ${exitCode}`}`,
    );
  };
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
