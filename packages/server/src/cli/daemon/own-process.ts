/** How to start this program again, and the environment it was given. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Keeps Bun from reading `.env` by rules of its own. */
const NO_ENV_FILE = "--no-env-file";
const MAIN = fileURLToPath(import.meta.resolve("#main"));

/** The command line of this program, or another file of it. */
export function ownCommand(args: readonly string[], file = MAIN): [string, ...string[]] {
  return [process.execPath, NO_ENV_FILE, file, ...args];
}

interface RunOptions {
  readonly cwd: string;
  readonly env?: Record<string, string | undefined>;
  readonly stdin?: Blob;
  /** In milliseconds; it is killed then. */
  readonly timeout?: number;
}

/** Runs it to its end. */
export async function runOwn(command: string[], options: RunOptions) {
  const defaults = { env: originalEnvironment(), killSignal: "SIGKILL" } as const;
  const child = Bun.spawn(command, { ...defaults, ...options, stdout: "pipe", stderr: "pipe" });
  const output = [new Response(child.stdout).text(), new Response(child.stderr).text()] as const;
  const [stdout, stderr, exitCode] = await Promise.all([...output, child.exited]);
  return { stdout, stderr, exitCode };
}

/** As this process was given it, without what was read from `.env`: that may say something else by now. */
export function originalEnvironment(): Record<string, string | undefined> {
  try {
    const pairs = readFileSync("/proc/self/environ", "utf8").split("\0").filter(Boolean);
    return Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
    );
  } catch {
    return { ...process.env };
  }
}

/** Where Bun was started without `--no-env-file`, removes what it read. */
export function dropBunsEnvFile(): void {
  if (process.execArgv.some((argument) => argument === NO_ENV_FILE || argument.startsWith("--env-file"))) return;
  const original = originalEnvironment();
  for (const name of Object.keys(process.env)) if (!(name in original)) delete process.env[name];
}
