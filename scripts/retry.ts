/**
 * A test that fails among thousands, beside whatever else the machine does, is run once more with its file alone. If it
 * passes then, the run passes, and says by name which test needed that; if not, it has failed.
 */

import { runTests, type TestRun } from "./run-tests.ts";
import type { Failure, Tally } from "./tally.ts";

/** One in five hundred. Where more fail, something is broken, and no second look will tell otherwise. */
const MOST_FAILURES = 12;

export interface RetriedTally extends Tally {
  /** Passed one time of two. */
  readonly flaky: readonly Failure[];
}

export async function runTestsWithRetry(run: TestRun): Promise<RetriedTally> {
  const first = await runTests(run);
  if (first.failures.length === 0 || first.failures.length > MOST_FAILURES) return { ...first, flaky: [] };
  const files = [...new Set(first.failures.map(({ file }) => file))];
  console.log(`\nOnce more, alone: ${files.join(", ")}`);
  const { atOnce: _, timings: __, ...alone } = run;
  const second: Tally[] = [];
  for (const file of files) second.push(await runTests({ ...alone, files: [file] }));
  return together(first, second);
}

/** What a run ends with; the counts stand alone. `flaky` is absent where nobody would have looked twice. */
export function lastLines(passed: number, failed: number, flaky?: number): string {
  const counts = `${passed} passed, ${failed} failed`;
  if (flaky === undefined) return `\n${counts}`;
  return `\n${flaky} ${flaky === 1 ? "test" : "tests"} needed a second look\n\n${counts}`;
}

function together(first: Tally, second: readonly Tally[]): RetriedTally {
  // A file that did not come to its end proves nothing for the tests in it.
  const isWhole = second.every(({ failed, failures }) => failed === failures.length);
  if (!isWhole) return { ...first, flaky: [] };
  const again = second.flatMap(({ failures }) => failures);
  const cured = first.failures.filter((failure) => !includes(again, failure));
  return {
    ...first,
    passed: first.passed + cured.length,
    failed: first.failed - cured.length,
    failures: first.failures.filter((failure) => includes(again, failure)),
    flaky: [...cured, ...again.filter((failure) => !includes(first.failures, failure))],
  };
}

function includes(failures: readonly Failure[], one: Failure): boolean {
  return failures.some(({ file, name }) => file === one.file && name === one.name);
}
