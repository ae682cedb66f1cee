/** The test runner itself: a run in which something was left out must never look like one in which all went well. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lastLines, runTestsWithRetry } from "../../scripts/retry.ts";
import { runTests } from "../../scripts/run-tests.ts";
import type { Tally } from "../../scripts/tally.ts";

const FILES = {
  "good.test.ts": `test("a <b> & \\"c\\"", () => {}); test("d", () => expect(1).toBe(1));`,
  "bad.test.ts": `test("fails", () => expect(1).toBe(2));`,
  "skip.test.ts": `test("runs", () => {}); test.skip("left out", () => {});`,
  "todo.test.ts": `test("runs", () => {}); test.todo("some day", () => {});`,
  "throws.test.ts": `throw new Error("on purpose");`,
  "exits.test.ts": `test("ends the process and pretends that all is well", () => process.exit(0));`,
  "once.test.ts": `test("fails the first time", () => expect(isFirstTime("once")).toBe(false));`,
  "flees.test.ts": `test("fails, then ends the process", () => { if (!isFirstTime("flees")) process.exit(0); throw new Error(); });`,
  "many.test.ts": `for (let n = 0; n < 13; n++) test("fails " + n, () => expect(1).toBe(isFirstTime("many" + n) ? 2 : 1));`,
  "late.test.ts": `if (isFirstTime("late")) throw new Error("on purpose"); test("a", () => {}); test("b", () => {});`,
  "worse.test.ts": `if (isFirstTime("worse")) throw new Error("on purpose"); test("a", () => {}); test("b", () => expect(1).toBe(2));`,
  "empty.test.ts": "export {};",
  "slow.test.ts": `test("hangs", () => new Promise(() => {}));`,
  "leaves.test.ts": `test("leaves a process", () => { Bun.spawn(["setsid", "sleep", "61"]).unref(); });`,
};

const HEAD = `import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
void expect; void test; void isFirstTime;
function isFirstTime(name) {
  const been = existsSync(name);
  writeFileSync(name, "");
  return !been;
}`;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fanfare-runner-"));
  for (const [name, text] of Object.entries(FILES)) {
    writeFileSync(join(folder, name), `${HEAD}\n${text}\n`);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(files: readonly (keyof typeof FILES)[], flags: readonly string[] = []): Promise<Tally> {
  return runTests({ cwd: folder, files, flags, timeoutMs: 500, output: "ignore" });
}

function runWithRetry(files: readonly (keyof typeof FILES)[]) {
  return runTestsWithRetry({ cwd: folder, files, timeoutMs: 5_000, output: "ignore" });
}

test("counts tests that pass", async () => {
  expect(await run(["good.test.ts"])).toEqual({ passed: 2, failed: 0, failures: [], missing: [], remarks: [] });
});

test("counts a test that fails", async () => {
  expect(await run(["good.test.ts", "bad.test.ts"])).toEqual({
    passed: 2,
    failed: 1,
    failures: [{ file: "bad.test.ts", name: "fails" }],
    missing: [],
    remarks: [],
  });
});

test("counts a skipped test as failed, and names it", async () => {
  expect(await run(["skip.test.ts"])).toEqual({
    passed: 1,
    failed: 1,
    failures: [],
    missing: [],
    remarks: ['skip.test.ts: "left out" is skipped'],
  });
});

test("counts a test still to be written as failed, and names it", async () => {
  expect(await run(["todo.test.ts"])).toEqual({
    passed: 1,
    failed: 1,
    failures: [],
    missing: [],
    remarks: ['todo.test.ts: "some day" is todo'],
  });
});

test("counts a file that throws while loading as failed", async () => {
  const { passed, failed } = await run(["good.test.ts", "throws.test.ts"]);
  expect([passed, failed]).toEqual([2, 1]);
});

test("counts a file without tests as failed", async () => {
  const { passed, failed } = await run(["good.test.ts", "empty.test.ts"]);
  expect([passed, failed]).toEqual([2, 1]);
});

test("does not believe a process that ends itself with exit code 0", async () => {
  const { failed, remarks } = await run(["exits.test.ts"]);
  expect(failed).toBe(1);
  expect(remarks).toEqual(["exits.test.ts: none of its tests was reported"]);
});

test("counts a test that hangs as failed", async () => {
  expect((await run(["slow.test.ts"])).failed).toBe(1);
});

test("does not miss the tests that a name pattern leaves out", async () => {
  expect(await run(["good.test.ts", "skip.test.ts"], ["-t", "runs"])).toEqual({
    passed: 1,
    failed: 0,
    failures: [],
    missing: [],
    remarks: [],
  });
});

test("counts a run of nothing as failed", async () => {
  expect(await run([])).toEqual({ passed: 0, failed: 1, failures: [], missing: [], remarks: ["no test ran"] });
});

test("gives a test that fails a second chance, alone, and names it if it takes it", async () => {
  const tallied = await runWithRetry(["good.test.ts", "once.test.ts"]);
  expect(tallied).toMatchObject({ passed: 3, failed: 0, failures: [], remarks: [] });
  expect(tallied.flaky).toEqual([{ file: "once.test.ts", name: "fails the first time" }]);
});

test("gives a file that throws while loading a second chance, and counts what its tests come to then", async () => {
  expect(await runWithRetry(["good.test.ts", "late.test.ts"])).toMatchObject({
    passed: 4,
    failed: 0,
    failures: [],
    missing: [],
    remarks: [],
    flaky: [{ file: "late.test.ts", name: "all of its tests" }],
  });
  expect(await runWithRetry(["good.test.ts", "worse.test.ts"])).toMatchObject({
    passed: 3,
    failed: 1,
    failures: [{ file: "worse.test.ts", name: "b" }],
    missing: [],
    remarks: [],
    flaky: [],
  });
  expect(await runWithRetry(["throws.test.ts"])).toMatchObject({ passed: 0, failed: 1, flaky: [] });
});

test("gives no third chance", async () => {
  const tallied = await runWithRetry(["good.test.ts", "bad.test.ts"]);
  expect(tallied).toMatchObject({ passed: 2, failed: 1, flaky: [] });
});

test("gives no second chance where many fail, and believes nothing of what does not run then either", async () => {
  expect(await runWithRetry(["many.test.ts"])).toMatchObject({ passed: 0, failed: 13, flaky: [] });
  expect(await runWithRetry(["exits.test.ts"])).toMatchObject({ passed: 0, failed: 1, flaky: [] });
  expect(await runWithRetry(["skip.test.ts"])).toMatchObject({ passed: 1, failed: 1, flaky: [] });
});

test("believes no second run that does not come to its end", async () => {
  expect(await runWithRetry(["flees.test.ts"])).toMatchObject({ passed: 0, failed: 1, flaky: [] });
});

// Elsewhere there is no way to find them.
if (existsSync("/proc")) {
  test("ends a process that a test left behind", async () => {
    expect((await run(["leaves.test.ts"])).failed).toBe(0);
    expect(commandLines()).not.toContain("sleep 61");
  });
}

function commandLines(): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim()] : [];
    } catch {
      return [];
    }
  });
}

test("says last how many passed and failed, alone, and before it how many needed a second look", () => {
  expect(lastLines(7, 0).split("\n")).toEqual(["", "7 passed, 0 failed"]);
  expect(lastLines(7, 0, 0).split("\n")).toEqual(["", "0 tests needed a second look", "", "7 passed, 0 failed"]);
  expect(lastLines(6, 1, 1).split("\n").slice(1)).toEqual(["1 test needed a second look", "", "6 passed, 1 failed"]);
});
