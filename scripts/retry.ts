/**
 * A test that fails among thousands, beside whatever else the machine does, is run once more with its file alone. If it
 * passes then, the run passes, and says by name which test needed that; if not, it has failed. So is a file that failed before its
 * first test, such as one that has to build what it tests.
 */

import { runTests, type TestRun } from "./run-tests.ts";
import { type Failure, remarkOnMissing, type Tally } from "./tally.ts";

/** One in five hundred. Where more fail, something is broken, and no second look will tell otherwise. */
const MOST_FAILURES = 12;

export interface RetriedTally extends Tally {
  /** Passed one time of two. */
  readonly flaky: readonly Failure[];
}

export async function runTestsWithRetry(run: TestRun): Promise<RetriedTally> {
  const first = await runTests(run);
  const count = first.failures.length + first.missing.length;
  if (count === 0 || count > MOST_FAILURES) return { ...first, flaky: [] };
  const files = [...new Set([...first.failures.map(({ file }) => file), ...first.missing])];
  console.log(`\nOnce more, alone: ${files.join(", ")}`);
  const { atOnce: _, timings: __, ...alone } = run;
  const second: Second[] = [];
  for (const file of files) second.push({ file, ...(await runTests({ ...alone, files: [file] })) });
  return together(first, second);
}

interface Second extends Tally {
  readonly file: string;
}

/** What a run ends with; the counts stand alone. `flaky` is absent where nobody would have looked twice. */
export function lastLines(passed: number, failed: number, flaky?: number): string {
  const counts = `${passed} passed, ${failed} failed`;
  if (flaky === undefined) return `\n${counts}`;
  return `\n${flaky} ${flaky === 1 ? "test" : "tests"} needed a second look\n\n${counts}`;
}

function together(first: Tally, second: readonly Second[]): RetriedTally {
  // A file that did not come to its end proves nothing for the tests in it.
  const isWhole = second.every(({ failed, failures }) => failed === failures.length);
  if (!isWhole) return { ...first, flaky: [] };
  const again = second.flatMap(({ failures }) => failures);
  const cured = first.failures.filter((failure) => !includes(again, failure));
  const unseen = second.filter(({ file }) => first.missing.includes(file));
  const failedNow = unseen.flatMap(({ failures }) => failures);
  const seenFailed = first.failures.filter((failure) => includes(again, failure));
  return {
    passed: first.passed + cured.length + unseen.reduce((sum, { passed }) => sum + passed, 0),
    failed: first.failed - cured.length - unseen.length + failedNow.length,
    failures: [...seenFailed, ...failedNow],
    missing: [],
    remarks: first.remarks.filter((remark) => !unseen.some(({ file }) => remark === remarkOnMissing(file))),
    flaky: [
      ...cured,
      ...again.filter((failure) => !includes(first.failures, failure) && !includes(failedNow, failure)),
      ...unseen.filter(({ failed }) => failed === 0).map(({ file }) => ({ file, name: "all of its tests" })),
    ],
  };
}

function includes(failures: readonly Failure[], one: Failure): boolean {
  return failures.some(({ file, name }) => file === one.file && name === one.name);
}
