/** The command line as a process, without the launcher in front of it, which other tests cover. */

import { join } from "node:path";
import { type CliOptions, runCli, spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const program = [process.execPath, join(import.meta.dir, "../../packages/server/src/cli/main.ts")] as const;

export function run(args: readonly string[], options: CliOptions = {}) {
  return runCli(args, { program, ...options });
}

export function start(args: readonly string[], options: CliOptions = {}) {
  return spawnCli(args, { program, ...options });
}

/** A new folder with a configuration file in it. */
export async function folderWith(config: unknown): Promise<string> {
  const cwd = temporaryFolder();
  await Bun.write(join(cwd, "fanfare.config.json"), JSON.stringify(config));
  return cwd;
}
