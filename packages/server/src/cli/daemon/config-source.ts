/** Where a running server gets its settings from when it is told to reload: where it got them from at its start. */

import { fileURLToPath } from "node:url";
import { ConfigError, type ConfigInput, type Sources } from "../../config/load.ts";
import { NO_ENV_FILE, originalEnvironment } from "./own-process.ts";

const READER = fileURLToPath(new URL("./read-config.ts", import.meta.url));
const PATIENCE_MS = 30_000;

/** JSON has no infinity; the configuration spells it so too. */
export function unlimited(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? "unlimited" : value;
}

/** What it gives throws ConfigError. */
export function configSource(
  sources: Pick<Sources, "flags" | "file">,
  served: (config: ConfigInput) => ConfigInput,
): () => Promise<ConfigInput> {
  const env = originalEnvironment();
  const cwd = process.cwd();
  return async () => {
    const reader = Bun.spawn([process.execPath, NO_ENV_FILE, READER], {
      cwd,
      env,
      stdin: new Blob([JSON.stringify(sources)]),
      stdout: "pipe",
      stderr: "pipe",
      timeout: PATIENCE_MS,
      killSignal: "SIGKILL",
    });
    const [text, errors, code] = await Promise.all([
      new Response(reader.stdout).text(),
      new Response(reader.stderr).text(),
      reader.exited,
    ]);
    const answer = answerIn(text);
    if (answer?.problems) throw new ConfigError(answer.problems);
    if (answer?.config) return served(answer.config);
    const last = errors.trim().split("\n").at(-1) ?? "";
    throw new ConfigError(`the configuration could not be read: ${last || `its reader ended with ${code}`}`);
  };
}

function answerIn(text: string): { readonly config?: ConfigInput; readonly problems?: readonly string[] } | undefined {
  try {
    return JSON.parse(text.trim().split("\n").at(-1) ?? "");
  } catch {
    return undefined;
  }
}
