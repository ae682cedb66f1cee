/** `fanfare restart`: stops the server in the background and starts it again as it was started. */

import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { startInBackground } from "../daemon/background.ts";
import { addLocationOptions, findServer, type LocationOptions, locationOf, outputPath } from "../daemon/location.ts";
import { NO_ENV_FILE, originalEnvironment } from "../daemon/own-process.ts";
import { CliError } from "../errors.ts";
import { addStopOptions, type StopOptions, stopServer } from "./stop.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

export function addRestart(program: Command): void {
  const command = program
    .command("restart")
    .description("stop the server that runs in the background, and start it again with the same arguments");
  addStopOptions(addLocationOptions(command))
    .addHelpText("after", "\nExample:\n  $ fanfare restart")
    .action(async () => restart(command.opts<StopOptions & LocationOptions>()));
}

/** One that does not run is started, as `fanfare serve --daemon` with these options would start it. */
async function restart(options: StopOptions & LocationOptions): Promise<void> {
  const place = await locationOf(options);
  const found = await findServer(place);
  if (found && !found.status?.daemon) {
    const why = found.status ? "was not started with --daemon" : "does not answer on its control socket";
    throw new CliError(`process ${found.pid} ${why}: whoever started it has to restart it, systemd for example`);
  }
  const args = found?.status?.args ?? ["serve", "--daemon", ...placeFlags(options)];
  const cwd = found?.status?.cwd ?? process.cwd();
  // A configuration that would keep it from starting is told of while the old one still runs.
  await check(args, cwd);
  if (found) console.log(await stopServer(found, place, options));
  console.log(await startInBackground({ args, cwd, output: outputPath(place.stateDir) }));
}

function placeFlags({ config, stateDir, pidFile }: LocationOptions): string[] {
  return [
    ...(config === undefined ? [] : ["--config", config]),
    ...(stateDir === undefined ? [] : ["--state-dir", stateDir]),
    ...(pidFile === undefined ? [] : ["--pid-file", pidFile]),
  ];
}

async function check(args: readonly string[], cwd: string): Promise<void> {
  const flags = (args[0] === "serve" ? args.slice(1) : args).filter((word) => !OF_SERVE.includes(word));
  const checking = Bun.spawn([process.execPath, NO_ENV_FILE, MAIN, "config", "check", ...flags], {
    cwd,
    env: originalEnvironment(),
    stdout: "ignore",
    stderr: "pipe",
  });
  const [problems, code] = await Promise.all([new Response(checking.stderr).text(), checking.exited]);
  if (code !== 0) throw new CliError(problems.trim().replaceAll(/^fanfare: /gm, ""));
}

/** Its own switches, which `config check` does not know. */
const OF_SERVE: readonly string[] = ["-d", "--daemon", "--debug"];
