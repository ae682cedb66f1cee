/** What each test file needs that `npm ci` does not install, read off its source; installed where that is possible. */

import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { importsOf, readSources, type Sources, withoutComments } from "../test/support/sources.ts";
import {
  describeExternal,
  type External,
  type ExternalName,
  findExternal,
  isExternal,
  npmFolder,
} from "./externals.ts";

const FOLDERS = ["test", "bench"];
const TRIES = 3;
const PAUSE_BETWEEN_TRIES_MS = 1_000;

export interface Needs {
  readonly externals: ReadonlySet<ExternalName>;
  /** It runs a program in a process of its own, if only Fanfare itself. */
  readonly startsProcesses: boolean;
}

/** Of each of these files: what it and all that it imports ask `external()` for, and start. */
export async function needsOf(root: string, files: readonly string[]): Promise<ReadonlyMap<string, Needs>> {
  return needsIn(await readFolders(root), files);
}

export function needsIn(sources: Sources, files: readonly string[]): ReadonlyMap<string, Needs> {
  const imports = Map.groupBy(importsOf(sources), ({ from }) => from);
  const collect = (file: string, seen: Set<string>): Set<string> => {
    if (seen.has(file)) return seen;
    seen.add(file);
    for (const { to } of imports.get(file) ?? []) if (sources.has(to)) collect(to, seen);
    return seen;
  };
  const codes = new Map(Array.from(sources, ([file, text]) => [file, withoutComments(text)]));
  const needsOfFile = (file: string): Needs => {
    const reached = Array.from(collect(file, new Set()), (each) => codes.get(each) ?? "");
    return {
      externals: new Set(reached.flatMap(externalsIn)),
      startsProcesses: reached.some((code) => /\b(?:spawn|execFile)(?:Sync)?\(/.test(code)),
    };
  };
  return new Map(files.map((file) => [file, needsOfFile(file)]));
}

/** Installs what is missing, where this user may; answers with what is missing still. */
export async function installMissing(names: Iterable<ExternalName>): Promise<ReadonlySet<ExternalName>> {
  const missing = new Set(Array.from(names).filter((name) => findExternal(name) === undefined));
  const packages = packagesOf(missing, "apt");
  if (packages.length > 0 && mayInstall()) await install(packages);
  for (const name of missing) {
    const { npm } = describeExternal(name);
    if (npm) installFromNpm(npm);
  }
  for (const name of missing) if (findExternal(name) !== undefined) missing.delete(name);
  return missing;
}

/** Why each is needed, and the one command that brings them all. */
export function adviceOn(missing: ReadonlySet<ExternalName>): readonly string[] {
  const reasons = Array.from(missing, (name) => `${name} is missing: ${describeExternal(name).why}`);
  const manager = process.platform === "darwin" ? "brew" : "apt";
  const packages = packagesOf(missing, manager);
  // Elsewhere the packages have other names.
  const isKnown = manager === "brew" || Bun.which("apt-get") !== null;
  const commands = isKnown && packages.length > 0 ? [`${INSTALL[manager]} ${packages.join(" ")}`] : [];
  for (const { npm } of Array.from(missing, describeExternal))
    if (npm) commands.push(`npm install ${npm.name}@${npm.version} --prefix ${npmFolder(npm)}`);
  return commands.length > 0 ? [...reasons, `Install what is missing: ${commands.join(" && ")}`] : reasons;
}

const INSTALL = {
  apt: `${process.getuid?.() === 0 ? "" : "sudo "}apt-get install -y --no-install-recommends`,
  brew: "brew install",
};

function packagesOf(names: Iterable<ExternalName>, manager: "apt" | "brew"): string[] {
  return [...new Set(Array.from(names).flatMap((name) => describeExternal(name)[manager] ?? []))];
}

function externalsIn(code: string): ExternalName[] {
  const calls = code.matchAll(/\bexternal\("([^"]+)"\)/g);
  return Array.from(calls, ([, name = ""]) => name).filter(isExternal);
}

async function readFolders(root: string): Promise<Sources> {
  const read = async (folder: string) =>
    Array.from(await readSources(`${root}/${folder}`), ([file, text]) => [posix.join(folder, file), text] as const);
  return new Map((await Promise.all(FOLDERS.map(read))).flat());
}

/** Needs no rights, since its folder is the user's own. Two runs may do it at once: the folder is there when it is complete. */
function installFromNpm(wanted: NonNullable<External["npm"]>): void {
  const target = npmFolder(wanted);
  const { name, version } = wanted;
  console.log(`Installing ${name} ${version} for the tests`);
  mkdirSync(dirname(target), { recursive: true });
  const folder = mkdtempSync(`${target}-`);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  // A package for one platform is refused on any other; none has anything to build, or needs what it is a companion of.
  const flags = [
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    "--no-save",
    "--ignore-scripts",
    "--omit=peer",
    "--silent",
  ];
  const run = Bun.spawnSync(["npm", "install", ...flags, `${name}@${version}`], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    if (run.success) renameSync(folder, target);
  } catch {
    // Another run was faster.
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function mayInstall(): boolean {
  return process.getuid?.() === 0 && Bun.which("apt-get") !== null;
}

async function install(packages: readonly string[]): Promise<void> {
  console.log(`Installing ${packages.join(", ")} for the tests`);
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    if (attempt > 1) {
      await Bun.sleep(PAUSE_BETWEEN_TRIES_MS);
      // An outdated or empty package list is the usual reason for a refusal.
      apt(["update"]);
    }
    if (apt(["install", "-y", "--no-install-recommends", ...packages])) return;
  }
}

function apt(args: readonly string[]): boolean {
  const run = Bun.spawnSync(["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3", ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return run.success;
}
