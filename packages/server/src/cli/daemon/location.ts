/** Which server of this machine is meant, the one that keeps its state where the configuration here says, and how to ask it. */

import { join, resolve } from "node:path";
import { ConfigError } from "../../config/config-error.ts";
import { codeOf, messageOf } from "../../domain/thrown.ts";
import { controlPath } from "../../server/lifecycle/control-socket.ts";
import type { Status } from "../../server/lifecycle/status.ts";
import { loadHere } from "../config-flags.ts";
import { CliError } from "../errors.ts";
import { type Answer, call } from "../http.ts";
import { fieldOf, parseJson } from "../json.ts";
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

export async function locationOf(options: LocationOptions): Promise<ServerLocation> {
  const { stateDir, pidFile } = await foldersOf(options);
  return {
    stateDir: resolve(stateDir),
    control: controlPath(stateDir),
    pidFile: pidFilePath({ stateDir, ...(pidFile !== undefined && { pidFile }) }),
  };
}

/** A configuration that has an error by now must not keep the user from stopping the server. */
async function foldersOf({ config: file, stateDir, pidFile }: LocationOptions) {
  if (stateDir !== undefined) return { stateDir, pidFile };
  try {
    const { config } = await loadHere({ file });
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

const TIMEOUT_MS = 120_000;

/** Undefined where nothing listens. Throws CliError with the server's own error, or why it cannot be reached. */
export async function askServer<T extends object>(
  control: string,
  method: "GET" | "POST",
  path: string,
  timeoutMs = TIMEOUT_MS,
): Promise<T | undefined> {
  let answer: Answer;
  try {
    answer = await call(`http://fanfare${path}`, { unix: control, method, timeoutMs });
  } catch (error) {
    if (NOT_LISTENING.includes(codeOf(error))) return undefined;
    throw unreachable(control, error);
  }
  const body = parseJson(answer.text);
  if (typeof body !== "object" || body === null)
    throw new CliError(`${control} answers, but not as a Fanfare server does`);
  if (!answer.ok) throw new CliError(String(fieldOf(body, "error") ?? `the server refused (${answer.status})`));
  return body as T;
}

/** The same, for commands that need a server: throws CliError where none runs. */
export async function askRunning<T extends object>(
  { control }: ServerLocation,
  method: "GET" | "POST",
  path: string,
  timeoutMs?: number,
): Promise<T> {
  const answer = await askServer<T>(control, method, path, timeoutMs);
  if (answer !== undefined) return answer;
  throw new CliError(
    `no server is running here (nothing answers at ${control}): start one with \`fanfare serve\`, or name another with --state-dir`,
  );
}

const NOT_LISTENING = ["ENOENT", "ECONNREFUSED", "FailedToOpenSocket", "ENOTDIR"];

function unreachable(control: string, error: unknown): CliError {
  if (["EACCES", "EPERM"].includes(codeOf(error))) {
    return new CliError(
      `${control} may not be opened by this user: run this as the user that the server runs as, or as root`,
    );
  }
  if (error instanceof Error && error.name === "TimeoutError") {
    return new CliError(`the server behind ${control} does not answer`);
  }
  return new CliError(`cannot reach the server by ${control}: ${messageOf(error)}`);
}

/** Where what a background process prints goes: what it should not have to say. */
export function outputPath(stateDir: string): string {
  return join(resolve(stateDir), "fanfare.out");
}

export function logPath(stateDir: string): string {
  return join(stateDir, "fanfare.log");
}
