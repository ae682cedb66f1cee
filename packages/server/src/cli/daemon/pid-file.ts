/** The file with the server's process id: written whole or not at all, never over that of another living server. */

import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { errorReason } from "../../config/config-error.ts";
import { CliError, codeOf } from "../errors.ts";
import { isWriterOf } from "./processes.ts";

const ATTEMPTS = 5;

export function pidFilePath({ pidFile, stateDir }: { readonly pidFile?: string; readonly stateDir: string }): string {
  return resolve(pidFile ?? join(stateDir, "fanfare.pid"));
}

/** The process that wrote the file and lives; undefined where there is none. */
export function readPidFile(path: string): number | undefined {
  const pid = numberIn(path);
  return pid !== undefined && pid !== process.pid && isWriterOf(pid, path) ? pid : undefined;
}

/** Writes it, and gives what removes it. Throws CliError where a server that lives has it. */
export function claimPidFile(path: string): () => void {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${process.pid}\n`, { mode: 0o644, flag: "wx" });
    linkTo(draft, path);
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

/** A link fails where the name is taken: of two that start at once, one has it. */
function linkTo(draft: string, path: string): void {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      return linkSync(draft, path);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    const pid = readPidFile(path);
    if (pid !== undefined) throw alreadyRunning(pid);
    removeStale(path);
  }
  throw new Error("other servers take it again and again");
}

/** What a dead process left. Moved before it is deleted: a server that wrote it in the meantime gets it back. */
function removeStale(path: string): void {
  const moved = `${path}.${randomBytes(4).toString("hex")}`;
  try {
    renameSync(path, moved);
    if (readPidFile(moved) !== undefined) linkSync(moved, path);
  } catch (error) {
    if (!["ENOENT", "EEXIST"].includes(codeOf(error))) throw error;
  }
  rmSync(moved, { force: true });
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
