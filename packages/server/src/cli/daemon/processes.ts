/** Other processes of this machine: whether they live, and whether one of them is a server of ours. */

import { readFileSync, statSync } from "node:fs";

/** One that belongs to somebody else lives as well. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
  return !isZombie(pid);
}

/** It ended, and only its parent has not looked yet. */
function isZombie(pid: number): boolean {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat !== undefined && /^\d+ \(.*\) Z/s.test(stat);
}

/** How the file with its number is judged: a number is given again, so a process younger than the file never wrote it. */
const ROUNDING_MS = 2_000;

/** Whether the process that lives under this number is a server, and wrote this file. Where the system does not say, it is. */
export function isWriterOf(pid: number, file: string): boolean {
  if (!isAlive(pid)) return false;
  const words = textOf(`/proc/${pid}/cmdline`)?.split("\0");
  if (words === undefined || words.join("") === "") return true;
  if (!words.some((word) => /fanfare|cli\/main\.[jt]s$/.test(word))) return false;
  const ageMs = ageOf(pid);
  const writtenMs = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  return ageMs === undefined || writtenMs === undefined || ageMs + ROUNDING_MS >= Date.now() - writtenMs;
}

/** Linux counts in hundredths of a second for whoever reads /proc, whatever it does inside. */
const TICKS_PER_S = 100;

function ageOf(pid: number): number | undefined {
  const fields = textOf(`/proc/${pid}/stat`)?.split(") ").at(-1)?.split(" ");
  const startedS = Number(fields?.[19]) / TICKS_PER_S;
  const uptimeS = Number.parseFloat(textOf("/proc/uptime") ?? "");
  return Number.isFinite(startedS) && Number.isFinite(uptimeS) ? (uptimeS - startedS) * 1000 : undefined;
}

/** Throws what `process.kill` throws. Whether there was anybody to tell. */
export function sendSignal(pid: number, signal: "SIGTERM" | "SIGKILL" | "SIGHUP"): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (codeOf(error) === "ESRCH") return false;
    throw error;
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
