/**
 * `npm test`: installs what the tests need, checks types, style, use and sizes, runs every test, and ends with one line of counts.
 *
 *   npm test                        everything
 *   npm test -- test/hub            the test files whose path contains this; those checks are left to `npm run check`
 *   npm test -- test/hub -t word    further flags go to `bun test`
 *   npm run test:unit               what needs nothing but npm, and takes seconds
 *   npm run soak                    the fault tests at full length
 *
 * A file whose needs are not met counts as failed; all others run. Of everything, up to twelve tests that fail, or files that fail
 * while they load, are run once more, each file alone; what passes then is counted as passed, and named.
 */

import { join } from "node:path";
import { adviceOn, installMissing, needsOf } from "./needs.ts";
import { lastLines, type RetriedTally, runTestsWithRetry } from "./retry.ts";
import { runTests } from "./run-tests.ts";

const ROOT = join(import.meta.dir, "..");
/** A test that takes that long hangs, also on a machine that is several times slower. */
const TEST_TIMEOUT_MS = 120_000;
const SOAK_TIMEOUT_MS = 90 * 60_000;
/**
 * Most tests wait most of the time, for what they have killed, frozen or cut to be noticed: four at a time keep two cores busy. More
 * make each other late on a slow machine.
 */
const FILES_AT_ONCE = 4;
/** How long each file took once, in milliseconds: the longest start first. `npm test -- --update-timings` writes it anew. */
const TIMINGS = "test/timings.json";
/** Where tests are that run in short otherwise. */
const SOAK_FOLDERS = [
  "test/faults/",
  "test/security/",
  "test/cluster/",
  "test/guards/",
  "test/bench/",
  "test/client/engines",
];

const CHECKS = [
  { name: "types", command: ["node_modules/.bin/tsc", "-p", "."] },
  { name: "style", command: ["node_modules/.bin/biome", "check", "."] },
  { name: "use", command: ["node_modules/.bin/knip"] },
  { name: "sizes", command: [process.execPath, "scripts/sizes.ts"] },
];

const MODES = ["--soak", "--unit"];

/** Flags of `bun test` that take the word after them. */
const FLAGS_WITH_VALUE = new Set(["-t", "--test-name-pattern", "--seed", "--rerun-each", "--retry", "--timeout"]);

interface Request {
  readonly soak: boolean;
  readonly unit: boolean;
  /** Only the files whose path contains one of these; all when there is none. */
  readonly paths: readonly string[];
  readonly flags: readonly string[];
}

const request = parse(process.argv.slice(2));
process.exitCode = (await main(request)) === 0 ? 0 : 1;

async function main({ soak, unit, paths, flags }: Request): Promise<number> {
  const asked = testFiles(paths);
  const needs = await needsOf(ROOT, asked);
  const externalsOf = (file: string) => [...(needs.get(file)?.externals ?? [])];
  const isUnitTest = (file: string) => externalsOf(file).length === 0 && needs.get(file)?.startsProcesses === false;
  const files = unit ? asked.filter(isUnitTest) : asked;
  const missing = await installMissing(files.flatMap(externalsOf));
  const lacks = (file: string) => externalsOf(file).filter((name) => missing.has(name));
  const left = files.filter((file) => lacks(file).length > 0);

  const isWhole = paths.length === 0 && !unit;
  const checks = isWhole ? CHECKS.map(check).filter((remark) => remark !== undefined) : [];
  const order = {
    cwd: ROOT,
    files: files.filter((file) => lacks(file).length === 0),
    // They load the same sources, which takes as long as the tests.
    flags: unit ? [...flags, "--no-isolate"] : flags,
    timeoutMs: soak ? SOAK_TIMEOUT_MS : TEST_TIMEOUT_MS,
    ...((isWhole || unit) && { atOnce: FILES_AT_ONCE, timings: TIMINGS }),
    env: soak ? { SOAK: "1" } : {},
  };
  const run: RetriedTally = isWhole ? await runTestsWithRetry(order) : { ...(await runTests(order)), flaky: [] };
  for (const { file, name } of run.flaky) console.log(`PASSED ONE TIME OF TWO ${file}: ${name}`);
  const unmet = left.map((file) => `${file} did not run: it needs ${lacks(file).join(", ")}`);
  return close({
    passed: run.passed + (isWhole ? CHECKS.length - checks.length : 0),
    failed: run.failed + checks.length + left.length,
    remarks: [...checks, ...run.remarks, ...unmet],
    advice: adviceOn(missing),
    flaky: isWhole ? run.flaky.length : undefined,
  });
}

function parse(args: readonly string[]): Request {
  const paths: string[] = [];
  const flags: string[] = [];
  for (const [index, arg] of args.entries()) {
    if (MODES.includes(arg)) continue;
    const isFlag = arg.startsWith("-") || FLAGS_WITH_VALUE.has(args[index - 1] ?? "");
    (isFlag ? flags : paths).push(arg);
  }
  const [soak, unit] = MODES.map((mode) => args.includes(mode));
  return { soak: soak === true, unit: unit === true, paths: soak && paths.length === 0 ? SOAK_FOLDERS : paths, flags };
}

function testFiles(paths: readonly string[]): string[] {
  const all = Array.from(new Bun.Glob("test/**/*.test.{ts,tsx}").scanSync(ROOT)).sort();
  return paths.length === 0
    ? all
    : all.filter((file) => paths.some((path) => file.includes(path.replace(/^\.\//, ""))));
}

/** Answers with a sentence when the check fails. */
function check({ name, command }: (typeof CHECKS)[number]): string | undefined {
  const { success } = Bun.spawnSync(command, { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] });
  return success
    ? undefined
    : `${name}: ${command.join(" ").replace("node_modules/.bin/", "")} found errors (see above)`;
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly remarks: readonly string[];
  readonly advice: readonly string[];
  readonly flaky: number | undefined;
}

/** Nothing may be printed after this. */
function close({ passed, failed, remarks, advice, flaky }: Outcome): number {
  if (remarks.length > 0) console.log(`\n${remarks.map((remark) => `FAILED ${remark}`).join("\n")}`);
  if (advice.length > 0) console.log(`\n${advice.join("\n")}`);
  console.log(lastLines(passed, failed, flaky));
  return failed;
}
