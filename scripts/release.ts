/**
 * `npm run release`: everything that a release has, in `dist/release` (`--out` names another folder): an archive of the executable for
 * each platform (`--all`; else the one at hand), the packages as npm would publish them, a list of what is in them (CycloneDX, by npm),
 * and SHA256SUMS of all of it: `sha256sum -c SHA256SUMS`. It publishes nothing.
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { $ } from "bun";
import { buildExecutable, TARGETS, targetHere } from "./executable/build.ts";

const ROOT = join(import.meta.dir, "..");

export interface ReleaseOptions {
  readonly out: string;
  readonly targets: readonly (typeof TARGETS)[number][];
}

export async function makeRelease({ out, targets }: ReleaseOptions): Promise<readonly string[]> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const packages = packageFolders();
  const { version } = readManifest("packages/server");
  for (const { folder, name, version: own } of packages)
    if (own !== version)
      throw new Error(`${name} in ${folder} is ${own}, and the server ${version}: a release has one version`);
  const workspaces = packages.flatMap(({ folder }) => ["-w", folder]);
  await $`npm pack --silent ${workspaces} --pack-destination ${out}`.cwd(ROOT).quiet();
  for (const target of targets) await archive(out, target, version);
  writeFileSync(join(out, `fanfare-${version}.cdx.json`), await billOfMaterials(workspaces, version));
  const files = readdirSync(out).sort();
  writeFileSync(join(out, "SHA256SUMS"), files.map((file) => `${sumOf(join(out, file))}  ${file}\n`).join(""));
  return [...files, "SHA256SUMS"];
}

/** The packages of npm's that are published. */
function packageFolders() {
  const folders = [...new Bun.Glob("packages/*/package.json").scanSync(ROOT)].map((path) =>
    path.replace("/package.json", ""),
  );
  return folders
    .sort()
    .map((folder) => ({ folder, ...readManifest(folder) }))
    .filter((manifest) => manifest.private !== true);
}

function readManifest(folder: string): { readonly name: string; readonly version: string; readonly private?: boolean } {
  return JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8"));
}

/** The executable under its plain name, with the licence, in a folder of its own. */
async function archive(out: string, target: (typeof TARGETS)[number], version: string): Promise<void> {
  const name = `fanfare-${version}-${target}`;
  const folder = join(out, name);
  await buildExecutable(target, join(folder, "fanfare"));
  await $`cp LICENSE ${folder}`.cwd(ROOT);
  await $`tar -czf ${name}.tar.gz ${name}`.cwd(out);
  rmSync(folder, { recursive: true });
}

/**
 * Of the manifests and the lock file alone. npm makes none of a root without a version, as the checkout is, and by `--omit dev` leaves
 * out whatever any package has for development, though another needs it: so there is nothing for development in the copies.
 */
async function billOfMaterials(workspaces: readonly string[], version: string): Promise<string> {
  const temporary = mkdtempSync(join(tmpdir(), "fanfare-sbom-"));
  // npm names the list after the folder.
  const folder = join(temporary, "fanfare");
  for (const path of ["package.json", "package-lock.json", ...new Bun.Glob("packages/*/package.json").scanSync(ROOT)]) {
    const manifest: Manifest = JSON.parse(readFileSync(join(ROOT, path), "utf8"));
    for (const one of [manifest, ...Object.values(manifest.packages ?? {})]) delete one.devDependencies;
    for (const root of [manifest, manifest.packages?.[""]]) if (root && !path.includes("/")) root.version = version;
    await Bun.write(join(folder, path), JSON.stringify(manifest));
  }
  const sbom = await $`npm sbom --sbom-format cyclonedx --package-lock-only ${workspaces}`.cwd(folder).text();
  rmSync(temporary, { recursive: true });
  return sbom;
}

interface Manifest {
  version?: string;
  devDependencies?: object;
  readonly packages?: Readonly<Record<string, Manifest>>;
}

function sumOf(file: string): string {
  return new Bun.CryptoHasher("sha256").update(readFileSync(file)).digest("hex");
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: { all: { type: "boolean" }, out: { type: "string", default: join(ROOT, "dist", "release") } },
  });
  const out = resolve(values.out);
  for (const file of await makeRelease({ out, targets: values.all ? TARGETS : [targetHere()] }))
    console.log(join(out, file));
}
