/** Starts `fanfare serve` in the background, and stays until it listens or has failed. */

import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { errorReason } from "../../config/config-error.ts";
import { CliError } from "../errors.ts";
import { fieldOf, parseJson } from "../json.ts";
import { originalEnvironment, ownCommand } from "./own-process.ts";

/** Says to the background process that it is one. Taken out of its environment at once. */
const DAEMON = "_FANFARE_BACKGROUND";
/** The pipe by which it says how it went: one line of JSON. */
const REPORT_FD = 3;

interface StartReport {
  readonly banner?: string;
  readonly error?: string;
}

interface BackgroundOptions {
  /** As they were written; a background process starts no other. */
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Where what it prints goes: its log has a file of its own, so that is next to nothing. */
  readonly output: string;
}

/** Resolves with its banner. Throws CliError with what it says went wrong. */
export async function startInBackground({ args, output, cwd = process.cwd() }: BackgroundOptions): Promise<string> {
  const out = openOutput(output);
  const [program, ...words] = ownCommand(args);
  // Detached is a session of its own: no terminal, and no signal that is meant for this one.
  const child = spawn(program, words, {
    detached: true,
    cwd,
    env: { ...originalEnvironment(), [DAEMON]: "1" },
    stdio: ["ignore", out, out, "pipe"],
  });
  closeSync(out);
  const giveUp = () => void child.kill("SIGTERM");
  process.once("SIGINT", giveUp);
  process.once("SIGTERM", giveUp);
  const failed = new Promise<never>((_resolve, reject) => child.once("error", reject));
  const report = parseJson(await Promise.race([lineOf(child.stdio[REPORT_FD] as Readable), failed]));
  process.off("SIGINT", giveUp);
  process.off("SIGTERM", giveUp);
  const banner = fieldOf(report, "banner");
  if (banner === undefined) {
    throw new CliError(String(fieldOf(report, "error") ?? `the server ended before it listened: ${lastLine(output)}`));
  }
  child.unref();
  return `${banner}\nRunning in the background as process ${child.pid}: stop it with \`fanfare stop\``;
}

/** For the background process: how to say how it went, once. Undefined in any other. */
export function backgroundReport(): ((report: StartReport) => void) | undefined {
  if (process.env[DAEMON] === undefined) return undefined;
  delete process.env[DAEMON];
  return (report) => {
    try {
      writeSync(REPORT_FD, `${JSON.stringify(report)}\n`);
      closeSync(REPORT_FD);
    } catch {
      // The process that started it did not wait.
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
async function lineOf(pipe: Readable): Promise<string> {
  let text = "";
  for await (const chunk of pipe) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  return text;
}

function lastLine(path: string): string {
  const line = readFileSync(path, "utf8").trim().split("\n").at(-1);
  return line?.replace(/^fanfare: /, "") || `see ${path}`;
}
