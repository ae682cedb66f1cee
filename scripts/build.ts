/** Makes what the package needs beside its sources: the dashboard's page and type declarations. The sources themselves run as they are. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { writeDashboard } from "../src/dashboard/files.ts";

const root = join(import.meta.dir, "..");

for (const made of ["types", "dashboard"]) rmSync(join(root, "dist", made), { recursive: true, force: true });
await writeDashboard();
const tsc = Bun.spawnSync(["node_modules/.bin/tsc", "-p", "scripts/tsconfig.build.json"], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
});
process.exit(tsc.exitCode);
