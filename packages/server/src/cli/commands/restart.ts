/** `fanfare restart`: stops the server in the background and starts it again as it was started. */

import { startInBackground } from "../daemon/background.ts";
import { findServer, type LocationOptions, locationOf, outputPath } from "../daemon/location.ts";
import { ownCommand, runOwn } from "../daemon/own-process.ts";
import { CliError } from "../errors.ts";
import { type StopOptions, stopServer } from "./stop.ts";

/** Switches of `serve`, which `config check` does not know. */
const OF_SERVE: readonly string[] = ["-d", "--daemon", "--debug"];

/** One that does not run is started, as `fanfare serve --daemon` with these options would start it. */
export async function restart(options: StopOptions): Promise<string> {
  const location = await locationOf(options);
  const server = await findServer(location);
  if (server && !server.status?.daemon) {
    const why = server.status ? "was not started with --daemon" : "does not answer on its control socket";
    throw new CliError(`process ${server.pid} ${why}: what started it has to restart it, systemd for example`);
  }
  const args = server?.status?.args ?? ["serve", "--daemon", ...flagsOf(options)];
  const cwd = server?.status?.cwd ?? process.cwd();
  // A configuration that would keep it from starting is reported while the old one still runs.
  await checkConfig(args, cwd);
  if (server) console.log(await stopServer(server, location, options));
  return startInBackground({ args, cwd, output: outputPath(location.stateDir) });
}

function flagsOf({ config, stateDir, pidFile }: LocationOptions): string[] {
  const flags = { "--config": config, "--state-dir": stateDir, "--pid-file": pidFile };
  return Object.entries(flags).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]));
}

async function checkConfig(args: readonly string[], cwd: string): Promise<void> {
  const flags = (args[0] === "serve" ? args.slice(1) : args).filter((word) => !OF_SERVE.includes(word));
  const { stderr, exitCode } = await runOwn(ownCommand(["config", "check", ...flags]), { cwd });
  if (exitCode !== 0) throw new CliError(stderr.trim().replaceAll(/^fanfare: /gm, ""));
}
