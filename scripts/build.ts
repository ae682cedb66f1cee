/**
 * Makes what the packages need beside their sources: the dashboard's page and the documents for the server, type declarations for
 * all. The sources themselves run as they are. `bun scripts/build.ts [server | nats]`; `--clean` takes the documents away again.
 */

import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writePages } from "../packages/server/src/server/pages/files.ts";

const ROOT = join(import.meta.dir, "..");
const DOCUMENTS = { server: ["README.md", "CHANGELOG.md", "LICENSE", "docs"], nats: ["LICENSE"] };

type Package = keyof typeof DOCUMENTS;

const isClean = process.argv.includes("--clean");
const named = process.argv.includes("nats") ? "nats" : "server";
process.exitCode = isClean ? clean(named) : await build(named);

function clean(name: Package): number {
  for (const document of DOCUMENTS[name]) rmSync(join(folderOf(name), document), { recursive: true, force: true });
  return 0;
}

async function build(name: Package): Promise<number> {
  for (const document of DOCUMENTS[name])
    cpSync(join(ROOT, document), join(folderOf(name), document), { recursive: true });
  // The types of the others refer to the server's.
  const exitCode = declareTypes("server", "scripts/tsconfig.build.json");
  if (exitCode !== 0) return exitCode;
  if (name === "nats") return declareTypes("nats", "scripts/tsconfig.nats.json");
  rmSync(join(folderOf("server"), "dist", "dashboard"), { recursive: true, force: true });
  await writePages();
  return 0;
}

function declareTypes(name: Package, project: string): number {
  rmSync(join(folderOf(name), "dist", "types"), { recursive: true, force: true });
  const tsc = Bun.spawnSync(["node_modules/.bin/tsc", "-p", project], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return tsc.exitCode;
}

function folderOf(name: Package): string {
  return join(ROOT, "packages", name);
}
