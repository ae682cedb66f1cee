/**
 * Makes what is packed: for the server its bundle, the dashboard's page and the documents, for all type declarations. A checkout runs
 * without it. `bun scripts/build.ts [server | nats | publisher | client | schema]`; `--clean` takes away again what stands beside the sources.
 */

import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writePages } from "../packages/server/src/server/pages/files.ts";
import { bundle, bundleForAnyRuntime, publishManifest, restoreManifest } from "./bundle.ts";

const ROOT = join(import.meta.dir, "..");
const DOCUMENTS = {
  server: ["README.md", "CHANGELOG.md", "LICENSE", "docs"],
  nats: ["LICENSE"],
  publisher: ["LICENSE"],
  client: ["LICENSE"],
  schema: ["LICENSE"],
};

type Package = keyof typeof DOCUMENTS;

const isClean = process.argv.includes("--clean");
const named = (Object.keys(DOCUMENTS) as Package[]).find((name) => process.argv.includes(name)) ?? "server";
process.exitCode = isClean ? clean(named) : await build(named);

function clean(name: Package): number {
  for (const document of DOCUMENTS[name]) rmSync(join(folderOf(name), document), { recursive: true, force: true });
  if (name === "server") restoreManifest(folderOf(name));
  return 0;
}

async function build(name: Package): Promise<number> {
  for (const document of DOCUMENTS[name])
    cpSync(join(ROOT, document), join(folderOf(name), document), { recursive: true });
  if (name === "publisher" || name === "client" || name === "schema") return buildForAnyRuntime(name);
  // The types of the others refer to the server's.
  const exitCode = declareServerTypes();
  if (exitCode !== 0) return exitCode;
  if (name === "nats") return declareTypes("nats", "scripts/tsconfig.nats.json");
  rmSync(join(folderOf("server"), "dist", "dashboard"), { recursive: true, force: true });
  await writePages();
  await bundle(folderOf("server"));
  publishManifest(folderOf("server"));
  return 0;
}

async function buildForAnyRuntime(name: "publisher" | "client" | "schema"): Promise<number> {
  // The types of the others refer to it.
  let exitCode = declareTypes("schema", "scripts/tsconfig.schema.json");
  if (exitCode === 0 && name !== "schema") exitCode = declareTypes(name, `scripts/tsconfig.${name}.json`);
  if (exitCode === 0) await bundleForAnyRuntime(folderOf(name));
  return exitCode;
}

/**
 * After those of the packages that it uses, and with those of the schema's: the server has it in its bundle and does not depend on it.
 */
function declareServerTypes(): number {
  const exitCode =
    declareTypes("schema", "scripts/tsconfig.schema.json") ||
    declareTypes("client", "scripts/tsconfig.client.json") ||
    declareTypes("server", "scripts/tsconfig.build.json");
  if (exitCode !== 0) return exitCode;
  const types = join(folderOf("server"), "dist", "types");
  for (const file of new Bun.Glob("*.d.ts").scanSync(join(folderOf("schema"), "dist", "types")))
    cpSync(join(folderOf("schema"), "dist", "types", file), join(types, "schema", file));
  for (const file of new Bun.Glob("src/**/*.d.ts").scanSync(types)) {
    const text = readFileSync(join(types, file), "utf8");
    const schema = `${"../".repeat(file.split("/").length - 1)}schema/index.js`;
    const own = text.replaceAll(/(["'])@fanfare\/schema\1/g, JSON.stringify(schema));
    if (own !== text) writeFileSync(join(types, file), own);
  }
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
