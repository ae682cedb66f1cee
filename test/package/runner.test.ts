/** The test runner itself: a run in which something was left out must never look like one in which all went well. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTests } from "../../scripts/run-tests.ts";
import type { Tally } from "../../scripts/tally.ts";

const FILES = {
  "good.test.ts": `test("a <b> & \\"c\\"", () => {}); test("d", () => expect(1).toBe(1));`,
  "bad.test.ts": `test("fails", () => expect(1).toBe(2));`,
  "skip.test.ts": `test("runs", () => {}); test.skip("left out", () => {});`,
  "todo.test.ts": `test("runs", () => {}); test.todo("some day", () => {});`,
  "throws.test.ts": `throw new Error("on purpose");`,
  "exits.test.ts": `test("ends the process and pretends that all is well", () => process.exit(0));`,
  "empty.test.ts": "export {};",
  "slow.test.ts": `test("hangs", () => new Promise(() => {}));`,
  "leaves.test.ts": `test("leaves a process", () => { Bun.spawn(["setsid", "sleep", "61"]).unref(); });`,
};

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fanfare-runner-"));
  for (const [name, text] of Object.entries(FILES)) {
    writeFileSync(join(folder, name), `import { expect, test } from "bun:test";\nvoid expect; void test;\n${text}\n`);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(files: readonly (keyof typeof FILES)[], flags: readonly string[] = []): Promise<Tally> {
  return runTests({ cwd: folder, files, flags, timeoutMs: 500, output: "ignore" });
}

test("counts tests that pass", async () => {
  expect(await run(["good.test.ts"])).toEqual({ passed: 2, failed: 0, remarks: [] });
});

test("counts a test that fails", async () => {
  expect(await run(["good.test.ts", "bad.test.ts"])).toEqual({ passed: 2, failed: 1, remarks: [] });
});

test("counts a skipped test as failed, and names it", async () => {
  expect(await run(["skip.test.ts"])).toEqual({
    passed: 1,
    failed: 1,
    remarks: ['skip.test.ts: "left out" is skipped'],
  });
});

test("counts a test still to be written as failed, and names it", async () => {
  expect(await run(["todo.test.ts"])).toEqual({ passed: 1, failed: 1, remarks: ['todo.test.ts: "some day" is todo'] });
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
  expect(await run(["good.test.ts", "skip.test.ts"], ["-t", "runs"])).toEqual({ passed: 1, failed: 0, remarks: [] });
});

test("counts a run of nothing as failed", async () => {
  expect(await run([])).toEqual({ passed: 0, failed: 1, remarks: ["no test ran"] });
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
