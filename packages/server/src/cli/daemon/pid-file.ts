/** The file with the server's process id: written whole or not at all, never over that of another living server. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { errorReason } from "../../config/config-error.ts";
import { codeOf } from "../../domain/thrown.ts";
import { claimPath, draftPath } from "../../server/lifecycle/claim-path.ts";
import { CliError } from "../errors.ts";
import { isWriterOf } from "./processes.ts";

export function pidFilePath({ pidFile, stateDir }: { readonly pidFile?: string; readonly stateDir: string }): string {
  return resolve(pidFile ?? join(stateDir, "fanfare.pid"));
}

/** The process that wrote the file and lives; undefined where there is none. */
export function readPidFile(path: string): number | undefined {
  const pid = numberIn(path);
  return pid !== undefined && pid !== process.pid && isWriterOf(pid, path) ? pid : undefined;
}

/** Writes it, and gives what removes it. Throws CliError where a server that lives has it. */
export async function claimPidFile(path: string): Promise<() => void> {
  const draft = draftPath(path);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${process.pid}\n`, { mode: 0o644, flag: "wx" });
    await claimPath(draft, path, () => {
      const pid = readPidFile(path);
      if (pid !== undefined) throw alreadyRunning(pid);
    });
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`cannot write the pid file ${path}: ${errorReason(error)}; name another with --pid-file`);
  } finally {
    rmSync(draft, { force: true });
  }
  return () => {
    if (numberIn(path) === process.pid) rmSync(path, { force: true });
  };
}

export function alreadyRunning(pid: number): CliError {
  return new CliError(
    `a server is already running here, as process ${pid}: stop it with \`fanfare stop\`, or give this one a folder of its own with --state-dir`,
  );
}

function numberIn(path: string): number | undefined {
  try {
    const text = readFileSync(path, "utf8").trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
