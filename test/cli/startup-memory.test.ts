/** What only the start of a process needed goes back to the system, once, and not while the process works. */

import { expect, test } from "bun:test";
import { releaseStartupMemory } from "../../packages/server/src/cli/daemon/startup-memory.ts";

function machine() {
  const due: (() => void)[] = [];
  const made = { cpuUs: 0, shrunk: 0, due };
  releaseStartupMemory({
    cpuUs: () => made.cpuUs,
    shrink: () => void made.shrunk++,
    later: (run) => void due.push(run),
  });
  /** A second passes in which so much CPU time is used. */
  const second = (cpuUs: number) => {
    made.cpuUs += cpuUs;
    due.shift()?.();
  };
  return { made, second };
}

test("a process that works keeps its code, and gives it back in the first second of rest, once", () => {
  const { made, second } = machine();
  for (let n = 0; n < 5; n++) second(600_000);
  expect(made.shrunk).toBe(0);
  second(10_000);
  expect(made).toMatchObject({ shrunk: 1, due: [] });
});

test("who works for the first minute is not looked at any more", () => {
  const { made, second } = machine();
  for (let n = 0; n < 60; n++) second(600_000);
  expect(made).toMatchObject({ shrunk: 0, due: [] });
});

test("in a real process the code of the start is gone a while later, and what is called again runs again", async () => {
  const program = `
    import { heapStats } from "bun:jsc";
    import { releaseStartupMemory } from ${JSON.stringify(Bun.resolveSync("../../packages/server/src/cli/daemon/startup-memory.ts", import.meta.dir))};
    const made = Array.from({ length: 500 }, (_, n) => new Function("x", "return x + " + n));
    const sum = () => made.reduce((so, one) => so + one(1), 0);
    const before = sum();
    const blocks = () => heapStats().objectTypeCounts.FunctionCodeBlock ?? 0;
    const compiled = blocks();
    releaseStartupMemory();
    while (blocks() > compiled / 2) await Bun.sleep(100);
    console.log(sum() === before);
  `;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "inherit" });
  expect((await new Response(child.stdout).text()).trim()).toBe("true");
}, 90_000);
