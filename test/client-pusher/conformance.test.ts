/** The conformance suite of pusher-js and laravel-echo, as it is, with `recover` on: nothing that it proves may change. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, "..", "..");
const PRELOAD = "./test/client-pusher/programs/recover-all.ts";
const SUITE = ["pusher-js-channels", "pusher-js-connection", "pusher-js-users", "laravel-echo"];

test.each(SUITE)("%s passes with recover on", async (name) => {
  const child = Bun.spawn([process.execPath, "test", "--preload", PRELOAD, `./test/conformance/${name}.test.ts`], {
    cwd: ROOT,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [exitCode, output, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const lines = `${output}\n${errors}`;
  expect(lines.split("\n").filter((line) => line.startsWith("(fail)"))).toEqual([]);
  expect([exitCode, lines]).toEqual([0, expect.stringContaining("A connection recovers.")]);
});
