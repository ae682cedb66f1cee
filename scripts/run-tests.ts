/** Runs test files with Bun in a process of its own, and says what it came to. */

import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environmentWith, killOrphans } from "./orphans.ts";
import { type Tally, tally } from "./tally.ts";

export interface TestRun {
  readonly cwd: string;
  /** Relative to `cwd`. */
  readonly files: readonly string[];
  /** Passed on to `bun test`. */
  readonly flags?: readonly string[];
  readonly timeoutMs: number;
  /** How many files run at a time, each in a process that others do not share meanwhile; one after the other without it. */
  readonly atOnce?: number;
  /** A file with how long each of them takes, by which those at once are put in order. */
  readonly timings?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly output?: "inherit" | "ignore";
}

const PICKING_FLAGS = ["-t", "--test-name-pattern", "--only"];

export async function runTests(run: TestRun): Promise<Tally> {
  if (run.files.length === 0) return tally("", [], 0);
  const folder = mkdtempSync(join(tmpdir(), "fanfare-tests-"));
  const report = join(folder, "report.xml");
  const mark = randomUUID();
  const flags = run.flags ?? [];
  try {
    const exitCode = await bunTest(run, report, mark);
    const picked = flags.some((flag) => PICKING_FLAGS.includes(flag.split("=")[0] ?? flag));
    return tally(existsSync(report) ? readFileSync(report, "utf8") : "", run.files, exitCode, picked);
  } finally {
    for (const commandLine of killOrphans(mark))
      console.error(`Ended a process that outlived the tests: ${commandLine}`);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function bunTest(run: TestRun, report: string, mark: string): Promise<number | null> {
  const output = run.output ?? "inherit";
  const child = Bun.spawn(
    [
      process.execPath,
      "test",
      `--timeout=${run.timeoutMs}`,
      ...(run.atOnce === undefined ? [] : [`--parallel=${run.atOnce}`]),
      ...(run.timings === undefined ? [] : [`--timings=${run.timings}`]),
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...(run.flags ?? []),
      ...run.files.map((file) => `./${file}`),
    ],
    { cwd: run.cwd, stdio: ["ignore", output, output], env: { ...process.env, ...run.env, ...environmentWith(mark) } },
  );
  const stop = () => {
    child.kill("SIGKILL");
    killOrphans(mark);
    process.exit(130);
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    await child.exited;
    return child.exitCode;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}
