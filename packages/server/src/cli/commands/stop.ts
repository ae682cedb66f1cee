/** `fanfare stop`: tells the server to stop, and waits until its clients have left it. */

import type { Command } from "commander";
import type { Status } from "../../server/lifecycle/status.ts";
import { askServer } from "../daemon/ask.ts";
import {
  addLocationOptions,
  findServer,
  type LocalServer,
  type LocationOptions,
  locationOf,
  type ServerLocation,
} from "../daemon/location.ts";
import { codeOf, isAlive, sendSignal } from "../daemon/processes.ts";
import { CliError } from "../errors.ts";

export interface StopOptions {
  readonly timeout?: string;
  readonly force?: true;
}

const LOOK_EVERY_MS = 50;
const TELL_EVERY_MS = 1_000;
/** Beyond what the server itself allows for. */
const MARGIN_S = 10;
/** Where it cannot be asked. */
const USUAL_STOP_S = 5;
/** Nobody survives it for longer. */
const KILL_PATIENCE_S = 10;

export function addStop(program: Command): void {
  const command = program.command("stop").description("stop the server that runs here, and wait until it is gone");
  addStopOptions(addLocationOptions(command))
    .addHelpText("after", "\nExample:\n  $ fanfare stop --timeout 30 --force")
    .action(async () => {
      const options = command.opts<StopOptions & LocationOptions>();
      const place = await locationOf(options);
      const found = await findServer(place);
      console.log(found ? await stopServer(found, place, options) : "no server is running here");
    });
}

export function addStopOptions(command: Command): Command {
  return command
    .option(
      "--timeout <seconds>",
      "give up waiting after so long (default: as long as its clients have to leave, and 10 s)",
    )
    .option("--force", "kill it when the time is up; clients that are left lose their connection without a word");
}

/** Resolves with how it went. Throws CliError where it is still there. */
export async function stopServer(found: LocalServer, place: ServerLocation, options: StopOptions): Promise<string> {
  const { pid } = found;
  const timeoutS = secondsOf(options.timeout) ?? (found.status?.stopS ?? USUAL_STOP_S) + MARGIN_S;
  const startedMs = performance.now();
  // A second signal would end it at once, and its clients would hear no farewell.
  if (!found.status?.stopping && !signal(pid, "SIGTERM")) return gone(pid, startedMs);
  if (await isGone(pid, place, timeoutS)) return gone(pid, startedMs);
  if (!options.force) {
    throw new CliError(
      `process ${pid} is still running after ${timeoutS} s: wait longer with --timeout, or kill it with --force`,
    );
  }
  signal(pid, "SIGKILL");
  if (await isGone(pid, place, KILL_PATIENCE_S))
    return `killed (process ${pid}): it was still running after ${timeoutS} s`;
  throw new CliError(`process ${pid} cannot even be killed`);
}

function gone(pid: number, startedMs: number): string {
  return `stopped (process ${pid}, ${((performance.now() - startedMs) / 1000).toFixed(1)} s)`;
}

/** Says on the standard error how many clients are left, once a second. */
async function isGone(pid: number, { control }: ServerLocation, timeoutS: number): Promise<boolean> {
  const endMs = performance.now() + timeoutS * 1000;
  let toldMs = performance.now();
  while (isAlive(pid)) {
    if (performance.now() >= endMs) return false;
    if (performance.now() - toldMs >= TELL_EVERY_MS) {
      toldMs = performance.now();
      const status = await askServer<Status>(control, "GET", "/status", TELL_EVERY_MS).catch(() => undefined);
      if (status?.pid === pid)
        process.stderr.write(`waiting for ${status.connections.toLocaleString("en")} connections\n`);
    }
    await Bun.sleep(LOOK_EVERY_MS);
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

function secondsOf(written: string | undefined): number | undefined {
  if (written === undefined) return undefined;
  const seconds = Number(written);
  if (written.trim() !== "" && seconds >= 0 && seconds < 1e6) return seconds;
  throw new CliError(`--timeout has to be a number of seconds, but is ${JSON.stringify(written)}`);
}
