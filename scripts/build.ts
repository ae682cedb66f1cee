/**
 * Makes what the server's package needs beside its sources: the dashboard's page, type declarations, and the documents of the
 * repository. The sources themselves run as they are. `--clean` takes the documents away again.
 */

import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writePages } from "../packages/server/src/server/pages/files.ts";

const ROOT = join(import.meta.dir, "..");
const PACKAGE = join(ROOT, "packages", "server");
const DOCUMENTS = ["README.md", "CHANGELOG.md", "LICENSE", "docs"];

process.exitCode = process.argv.includes("--clean") ? clean() : await build();

function clean(): number {
  for (const name of DOCUMENTS) rmSync(join(PACKAGE, name), { recursive: true, force: true });
  return 0;
}

async function build(): Promise<number> {
  for (const made of ["types", "dashboard"]) rmSync(join(PACKAGE, "dist", made), { recursive: true, force: true });
  for (const name of DOCUMENTS) cpSync(join(ROOT, name), join(PACKAGE, name), { recursive: true });
  await writePages();
  const tsc = Bun.spawnSync(["node_modules/.bin/tsc", "-p", "scripts/tsconfig.build.json"], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return tsc.exitCode;
}
