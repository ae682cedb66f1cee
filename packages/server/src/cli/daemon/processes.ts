/** Other processes of this machine: whether they live, who started them, and whether one of them is a server of ours. */

import { readFileSync, statSync } from "node:fs";
import { codeOf } from "../../domain/thrown.ts";

/** One that belongs to another user lives as well; one that ended and only its parent has not looked yet does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
  return statOf(pid)?.state !== "Z";
}

/** Whether there was such a process. Throws what `process.kill` throws. */
export function sendSignal(pid: number, signal: "SIGTERM" | "SIGKILL"): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) === "ESRCH") return false;
    throw error;
  }
}

/** Undefined for a process that has ended, and for other processes where the system has no /proc. */
export function parentOf(pid: number): number | undefined {
  return pid === process.pid ? process.ppid : statOf(pid)?.parent;
}

/** Its words with spaces between. Undefined where the system does not say. */
export function commandLineOf(pid: number): string | undefined {
  return textOf(`/proc/${pid}/cmdline`)?.replaceAll("\0", " ").trim();
}

/** A number is given again, so a process younger than the file with its number never wrote it. */
const ROUNDING_MS = 2_000;

/** Whether the process that lives under this number is a server, and wrote this file. Where the system does not say, it is. */
export function isWriterOf(pid: number, file: string): boolean {
  if (!isAlive(pid)) return false;
  const line = commandLineOf(pid);
  if (line === undefined || line === "") return true;
  if (!/fanfare|cli\/main\.[jt]s( |$)/.test(line)) return false;
  const ageMs = ageOf(pid);
  const writtenMs = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  return ageMs === undefined || writtenMs === undefined || ageMs + ROUNDING_MS >= Date.now() - writtenMs;
}

/** Linux counts in hundredths of a second for programs that read /proc, whatever it does inside. */
const TICKS_PER_S = 100;

function ageOf(pid: number): number | undefined {
  const startedS = (statOf(pid)?.startTicks ?? Number.NaN) / TICKS_PER_S;
  const uptimeS = Number.parseFloat(textOf("/proc/uptime") ?? "");
  return Number.isFinite(startedS) && Number.isFinite(uptimeS) ? (uptimeS - startedS) * 1000 : undefined;
}

/** proc(5): state, parent, … start time in ticks, behind the name in parentheses. */
function statOf(pid: number) {
  const fields = textOf(`/proc/${pid}/stat`)?.split(") ").at(-1)?.split(" ");
  return fields && { state: fields[0], parent: Number(fields[1]), startTicks: Number(fields[19]) };
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
