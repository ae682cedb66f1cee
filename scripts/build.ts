/** Makes what the package needs beside its sources: type declarations. The sources themselves run as they are. */

import { rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");

rmSync(join(root, "dist", "types"), { recursive: true, force: true });
const tsc = Bun.spawnSync(["node_modules/.bin/tsc", "-p", "scripts/tsconfig.build.json"], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
});
process.exit(tsc.exitCode);
