/** Fills a log file up to the limit its process was given, then makes room and goes on. */

import { statSync, truncateSync } from "node:fs";
import { LogFile } from "../../../packages/server/src/server/log/log-file.ts";
import { FakeClock } from "../../support/fakes.ts";

const path = process.argv[2] ?? "";
const clock = new FakeClock();
let missing = 0;
const file = new LogFile({
  path,
  rotate: "none",
  maxBytes: 0,
  keep: 1,
  clock,
  fallback: () => {
    missing += 1;
  },
  report: () => {},
  formatNote: (_message, count) => `missing: ${count}\n`,
});

while (missing === 0) file.write(`${"x".repeat(100)}\n`);
const size = statSync(path).size;
if (size % 101 === 0) throw new Error(`The last line is whole: ${size} bytes.`);
// One whole line and the first part of another.
truncateSync(path, 150);
clock.pass(1_000);
file.write("after\n");
