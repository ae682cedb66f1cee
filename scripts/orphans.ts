/** Finds and ends what a test run leaves behind, also what detached itself: every process that carries the run's mark. */

import { readdirSync, readFileSync } from "node:fs";

/** Not FANFARE_…: the server refuses names under its own prefix that it does not know. */
const MARK = "TEST_RUN_MARK";

/** The environment to give the run, so that its processes can be told from everybody else's. */
export function environmentWith(mark: string): Record<string, string> {
  return { [MARK]: mark };
}

/** Ends them and answers with their command lines. Where there is no /proc, there is nothing to look through. */
export function killOrphans(mark: string): string[] {
  const ended: string[] = [];
  for (const pid of processIds()) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`${MARK}=${mark}`)) continue;
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
      process.kill(pid, "SIGKILL");
      // One that has already ended and waits to be reaped has no command line.
      if (commandLine !== "") ended.push(commandLine);
    } catch {
      // It ended meanwhile, or is another user's.
    }
  }
  return ended;
}

function processIds(): number[] {
  try {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  } catch {
    return [];
  }
}
