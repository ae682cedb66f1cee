/** The packages of this checkout as npm would publish them. */

import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnCli } from "./process.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const ROOT = join(import.meta.dir, "..", "..");
const PATIENCE_MS = 120_000;

type PackageFolder = "client" | "publisher" | "schema" | "server";

/** Their tarballs. */
export async function pack<Name extends PackageFolder>(
  ...names: readonly Name[]
): Promise<Readonly<Record<Name, string>>> {
  const copy = copyOfCheckout();
  const packed = temporaryFolder();
  const workspaces = names.flatMap((name) => ["--workspace", `packages/${name}`]);
  await run(["npm", "pack", "--silent", ...workspaces, "--pack-destination", packed], copy);
  const tarballs = readdirSync(packed);
  const prefixOf = (name: string) => (name === "server" ? /^fanfare-\d/ : new RegExp(`^fanfare-${name}-`));
  const of = (name: string) => join(packed, tarballs.find((file) => prefixOf(name).test(file)) ?? name);
  return Object.fromEntries(names.map((name) => [name, of(name)])) as Record<Name, string>;
}

/** A folder of somebody's with these packages: tarballs, or names with versions. What npm has on this machine it need not ask for again. */
export async function install(...packages: readonly string[]): Promise<string> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "somebody", private: true, type: "module" }));
  await run(["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--silent", ...packages], folder);
  return folder;
}

/** Fails if the command does. */
export async function run([program = "", ...args]: readonly string[], cwd: string): Promise<string> {
  const child = spawnCli(args, { program: [program], cwd });
  const { code } = await child.ended(PATIENCE_MS);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}:\n${child.output}`);
  return child.stdout;
}

/** What is built beside the sources, and the manifest of a package while it is packed, would be seen by the tests that run beside this one. */
export function copyOfCheckout(): string {
  const copy = temporaryFolder();
  const filter = (path: string) => !/\/(?:node_modules|dist)$/.test(path);
  for (const name of [
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs",
    "scripts",
    "packages",
  ])
    cpSync(join(ROOT, name), join(copy, name), { recursive: true, filter });
  linkModules(copy);
  return copy;
}

/** Packages of npm's are the checkout's, and the workspace's own are those of the copy. */
function linkModules(copy: string): void {
  const [from, to] = [join(ROOT, "node_modules"), join(copy, "node_modules")];
  mkdirSync(join(to, "@fanfare"), { recursive: true });
  for (const name of readdirSync(from))
    if (name !== "fanfare" && name !== "@fanfare") symlinkSync(join(from, name), join(to, name));
  symlinkSync(join(copy, "packages", "server"), join(to, "fanfare"));
  for (const name of readdirSync(join(copy, "packages")))
    if (name !== "server") symlinkSync(join(copy, "packages", name), join(to, "@fanfare", name));
}
