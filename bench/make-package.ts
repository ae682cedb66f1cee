/** The server's package as `npm pack` makes it, without documents and pages, in a folder where it can be started. */

import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle, publishedManifest } from "../scripts/bundle.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

export async function makePackage(folder: string): Promise<void> {
  const source = join(ROOT, "packages/server");
  await bundle(source, join(folder, "dist"));
  cpSync(join(source, "bin"), join(folder, "bin"), { recursive: true });
  writeFileSync(join(folder, "package.json"), publishedManifest(readFileSync(join(source, "package.json"), "utf8")));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
}
