/** `fanfare stop` and `fanfare restart`: has the server stop, waits until its clients have left it, and starts it again as it was started. */

import { codeOf } from "../../domain/thrown.ts";
import type { Status } from "../../server/lifecycle/status.ts";
import { secondsIn } from "../arguments.ts";
import { startInBackground } from "../daemon/background.ts";
import {
  askServer,
  findServer,
  type LocalServer,
  type LocationOptions,
  locationOf,
  outputPath,
  type ServerLocation,
} from "../daemon/location.ts";
import { ownCommand, runOwn } from "../daemon/own-process.ts";
import { isAlive, sendSignal } from "../daemon/processes.ts";
import { CliError } from "../errors.ts";
import { grouped } from "../output.ts";

interface StopOptions extends LocationOptions {
  readonly timeout?: string;
  readonly force?: true;
}

const CHECK_EVERY_MS = 50;
const REPORT_EVERY_MS = 1_000;
/** Beyond what the server itself allows for. */
const MARGIN_S = 10;
/** Where it cannot be asked. */
const USUAL_STOP_S = 5;
/** No process survives it for longer. */
const KILL_TIMEOUT_S = 10;

export async function stop(options: StopOptions): Promise<string> {
  const location = await locationOf(options);
  const server = await findServer(location);
  return server ? await stopServer(server, location, options) : "no server is running here";
}

/** Resolves with how it went. Throws CliError where it is still there. */
async function stopServer(
  { pid, status }: LocalServer,
  location: ServerLocation,
  { timeout, force }: StopOptions,
): Promise<string> {
  const timeoutS =
    (timeout === undefined ? undefined : secondsIn("--timeout", timeout)) ?? (status?.stopS ?? USUAL_STOP_S) + MARGIN_S;
  const startedMs = performance.now();
  const stopped = () => `stopped (process ${pid}, ${((performance.now() - startedMs) / 1000).toFixed(1)} s)`;
  // A second signal would end it at once, without a close reason for its clients.
  if (!status?.stopping && !signal(pid, "SIGTERM")) return stopped();
  if (await isGone(pid, location, timeoutS)) return stopped();
  if (!force) {
    throw new CliError(
      `process ${pid} is still running after ${timeoutS} s: wait longer with --timeout, or kill it with --force`,
    );
  }
  signal(pid, "SIGKILL");
  if (await isGone(pid, location, KILL_TIMEOUT_S)) {
    return `killed (process ${pid}): it was still running after ${timeoutS} s`;
  }
  throw new CliError(`process ${pid} cannot even be killed`);
}

/** Says on the standard error how many clients are left, once a second. */
async function isGone(pid: number, { control }: ServerLocation, timeoutS: number): Promise<boolean> {
  const endMs = performance.now() + timeoutS * 1000;
  let reportedMs = performance.now();
  while (isAlive(pid)) {
    if (performance.now() >= endMs) return false;
    if (performance.now() - reportedMs >= REPORT_EVERY_MS) {
      reportedMs = performance.now();
      const status = await askServer<Status>(control, "GET", "/status", REPORT_EVERY_MS).catch(() => undefined);
      if (status?.pid === pid) process.stderr.write(`waiting for ${grouped(status.connections)} connections\n`);
    }
    await Bun.sleep(CHECK_EVERY_MS);
  }
  return true;
}

function signal(pid: number, name: "SIGTERM" | "SIGKILL"): boolean {
  try {
    return sendSignal(pid, name);
  } catch (error) {
    if (codeOf(error) !== "EPERM") throw error;
    throw new CliError(`process ${pid} belongs to another user: run this as that user, or as root`);
  }
}

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
