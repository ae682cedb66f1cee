/** The documentation that the package came with. The single executable has another file in this one's place, with the texts in it. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The package has it beside its manifest, a checkout two folders above. */
const FOLDERS = ["docs", "../../docs"].map((path) =>
  fileURLToPath(new URL(path, import.meta.resolve("#package.json"))),
);

/** Path below `docs/`, and text. */
export async function readDocFiles(): Promise<readonly (readonly [path: string, text: string])[]> {
  const folder = FOLDERS.find((path) => existsSync(path));
  if (folder === undefined) return [];
  const paths = await Array.fromAsync(new Bun.Glob("**/*.md").scan(folder));
  return Promise.all(
    paths
      .toSorted()
      .map(async (path) => [path.replaceAll("\\", "/"), await Bun.file(join(folder, path)).text()] as const),
  );
}
