/** Starts `fanfare serve` in the background, and stays until it listens or has failed. */

import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { errorReason } from "../../config/config-file.ts";
import { CliError } from "../errors.ts";
import { NO_ENV_FILE, originalEnvironment } from "./own-process.ts";

/** Tells the background process that it is one. Taken out of its environment at once. */
const MARK = "_FANFARE_BACKGROUND";
/** The pipe by which it says how it went. */
const REPORT_FD = 3;
const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

/** What it says, on one line. */
interface Report {
  readonly banner?: string;
  readonly error?: string;
}

export interface BackgroundOptions {
  /** As they were written; a background process starts no other. */
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Where what it prints goes: its log has a file of its own, so that is next to nothing. */
  readonly output: string;
}

/** Resolves with its banner. Throws CliError with what it says went wrong. */
export async function startInBackground({ args, output, cwd = process.cwd() }: BackgroundOptions): Promise<string> {
  const out = openOutput(output);
  // Detached is a session of its own: no terminal, and no signal that is meant for this one.
  const child = spawn(process.execPath, [NO_ENV_FILE, MAIN, ...args], {
    detached: true,
    cwd,
    env: { ...originalEnvironment(), [MARK]: "1" },
    stdio: ["ignore", out, out, "pipe"],
  });
  closeSync(out);
  const giveUp = () => void child.kill("SIGTERM");
  process.once("SIGINT", giveUp);
  process.once("SIGTERM", giveUp);
  const failed = new Promise<never>((_resolve, reject) => child.once("error", reject));
  const pipe = child.stdio[REPORT_FD] as Readable;
  const { banner, error } = reportIn(await Promise.race([textOf(pipe), failed]));
  process.off("SIGINT", giveUp);
  process.off("SIGTERM", giveUp);
  if (banner !== undefined) {
    child.unref();
    return `${banner}\nRunning in the background as process ${child.pid}: stop it with \`fanfare stop\``;
  }
  throw new CliError(error ?? `the server ended before it listened: ${lastLine(output)}`);
}

/** For the background process: how to say how it went, once. Undefined in any other. */
export function backgroundReport(): ((report: Report) => void) | undefined {
  if (process.env[MARK] === undefined) return undefined;
  delete process.env[MARK];
  return (report) => {
    try {
      writeSync(REPORT_FD, `${JSON.stringify(report)}\n`);
      closeSync(REPORT_FD);
    } catch {
      // Whoever started it did not stay to hear it.
    }
  };
}

function openOutput(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return openSync(path, "a", 0o600);
  } catch (error) {
    throw new CliError(`cannot write ${path}: ${errorReason(error)}; name another folder with --state-dir`);
  }
}

/** Ends when the background process closes its side, be it by dying. */
async function textOf(pipe: Readable): Promise<string> {
  let text = "";
  for await (const chunk of pipe) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  return text;
}

function reportIn(text: string): Report {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function lastLine(path: string): string {
  return (
    readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .at(-1)
      ?.replace(/^fanfare: /, "") || `see ${path}`
  );
}
