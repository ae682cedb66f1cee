/** Which server of this machine is meant: the one that keeps its state where the configuration here says. */

import { join, resolve } from "node:path";
import type { Command } from "commander";
import { ConfigError, loadConfig } from "../../config/load.ts";
import { controlPath } from "../../server/lifecycle/control-socket.ts";
import type { Status } from "../../server/lifecycle/status.ts";
import { CliError } from "../errors.ts";
import { askServer } from "./ask.ts";
import { pidFilePath, readPidFile } from "./pid-file.ts";

export interface LocationOptions {
  readonly config?: string;
  readonly stateDir?: string;
  readonly pidFile?: string;
}

export interface ServerLocation {
  /** From the root on. */
  readonly stateDir: string;
  readonly control: string;
  readonly pidFile: string;
}

/** A server that runs, and what it says of itself where it can be asked. */
export interface LocalServer {
  readonly pid: number;
  readonly status: Status | undefined;
}

export function addLocationOptions(command: Command): Command {
  return command
    .option("-c, --config <file>", "find the server by this configuration file")
    .option("--state-dir <folder>", "the server's stateDir (default: what is configured here, else .fanfare)")
    .option(
      "--pid-file <file>",
      "the server's pid file (default: what is configured here, else fanfare.pid in stateDir)",
    );
}

export async function locationOf(options: LocationOptions): Promise<ServerLocation> {
  const { stateDir, pidFile } = await foldersOf(options);
  return {
    stateDir: resolve(stateDir),
    control: controlPath(stateDir),
    pidFile: pidFilePath({ stateDir, ...(pidFile !== undefined && { pidFile }) }),
  };
}

/** A configuration that has an error by now must not keep anybody from stopping the server. */
async function foldersOf({ config: file, stateDir, pidFile }: LocationOptions) {
  if (stateDir !== undefined) return { stateDir, pidFile };
  try {
    const { config } = await loadConfig({ env: process.env, cwd: process.cwd(), ...(file !== undefined && { file }) });
    return { stateDir: config.stateDir, pidFile: pidFile ?? config.pidFile };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const folder = process.env.FANFARE_STATE_DIR || ".fanfare";
    process.stderr.write(
      `fanfare: the configuration has errors (fanfare config check); looking for the server in ${folder}\n`,
    );
    return { stateDir: folder, pidFile: pidFile ?? process.env.FANFARE_PID_FILE };
  }
}

/** Undefined where none runs. Throws CliError where one may, and this user cannot tell. */
export async function findServer({
  control,
  pidFile,
}: Omit<ServerLocation, "stateDir">): Promise<LocalServer | undefined> {
  const status = await askServer<Status>(control, "GET", "/status");
  if (status !== undefined) return { pid: status.pid, status };
  const pid = readPidFile(pidFile);
  return pid === undefined ? undefined : { pid, status: undefined };
}

/** For commands that need one that answers. */
export function notRunning({ control }: ServerLocation): CliError {
  return new CliError(
    `no server is running here (nothing answers at ${control}): start one with \`fanfare serve\`, or name another with --state-dir`,
  );
}

/** Where what a background process prints goes: what it should not have to say. */
export function outputPath(stateDir: string): string {
  return join(resolve(stateDir), "fanfare.out");
}

export function logPath(stateDir: string): string {
  return join(stateDir, "fanfare.log");
}
