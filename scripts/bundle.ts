/**
 * The server's package as it is published: its sources and the libraries that most servers load, in few files, so that it starts
 * faster. What only some servers load is a file of its own, and libraries with threads or drivers of their own stay packages.
 */

import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** Each stays a file by itself: what programs import, and what processes and threads are started with. */
const ENTRY_POINTS = [
  "src/index.ts",
  "src/engine.ts",
  "testing/index.ts",
  "src/cli/main.ts",
  "src/cli/daemon/read-config.ts",
  "src/tasks/runner.ts",
];
/** Loaded by few servers, or started as threads from files of their own. */
const PACKAGES = ["@fanfare/nats", "@opentelemetry/*", "bun", "fanfare", "mysql2", "pg", "pino-pretty", "piscina"];
/** Shares nothing with the others, and is loaded by its name. */
const ALONE = { name: "#mcp", path: "src/cli/mcp.ts" };
const SOURCE_MANIFEST = "package.source.json";
/** Names stay, so that a stack in a log can be read. */
const MINIFY = { whitespace: true, syntax: true, identifiers: false };

interface Manifest {
  exports: Record<string, string | Record<string, string>>;
  imports: Record<string, string>;
  readonly [key: string]: unknown;
}

/** Writes `src`, `testing` and `chunks`. */
export async function bundle(folder: string, outdir = join(folder, "dist")): Promise<void> {
  for (const made of ["src", "testing", "chunks"]) rmSync(join(outdir, made), { recursive: true, force: true });
  const common = { root: folder, outdir, target: "bun" } as const;
  await Bun.build({ ...common, entrypoints: [join(folder, ALONE.path)], minify: MINIFY });
  await Bun.build({
    ...common,
    entrypoints: ENTRY_POINTS.map((path) => join(folder, path)),
    splitting: true,
    external: [...PACKAGES, ALONE.name],
    minify: MINIFY,
    naming: { entry: "[dir]/[name].[ext]", chunk: "chunks/[name]-[hash].[ext]" },
  });
}

/** Writes a module for every runtime per entry point. It stays readable, since those who publish to browsers minify by themselves. */
export async function bundleForAnyRuntime(folder: string): Promise<void> {
  const manifest: { exports: Record<string, string | { bun?: string }> } = await Bun.file(
    join(folder, "package.json"),
  ).json();
  const entryPoints = Object.values(manifest.exports).flatMap((it) => (typeof it === "object" ? (it.bun ?? []) : []));
  const outdir = join(folder, "dist");
  const { outputs } = await Bun.build({
    entrypoints: entryPoints.map((path) => join(folder, path)),
    root: join(folder, "src"),
    outdir,
    target: "browser",
    format: "esm",
    splitting: true,
    sourcemap: "linked",
    packages: "external",
    // The checkout's tsconfig makes files of these.
    external: ["@fanfare/*"],
  });
  for (const { kind, path } of outputs) if (kind === "sourcemap") await placeSources(path, outdir);
}

/** Bun names the sources as seen from `outdir`, in the maps of folders below it, too. */
async function placeSources(path: string, outdir: string): Promise<void> {
  const map: { sources: string[] } = await Bun.file(path).json();
  map.sources = map.sources.map((source) => relative(dirname(path), join(outdir, source)));
  await Bun.write(path, JSON.stringify(map));
}

/** The package's manifest names what was built, until `restoreManifest`. */
export function publishManifest(folder: string): void {
  const path = join(folder, "package.json");
  // One that a cut-off pack left behind is the true one.
  restoreManifest(folder);
  copyFileSync(path, join(folder, SOURCE_MANIFEST));
  writeFileSync(path, publishedManifest(readFileSync(path, "utf8")));
}

/** The manifest of the sources, as it is in the package. */
export function publishedManifest(source: string): string {
  const manifest: Manifest = JSON.parse(source);
  const built = (file: string) => file.replace(/^\.\/((?:src|testing)\/.*)\.ts$/, "./dist/$1.js");
  for (const [name, target] of Object.entries(manifest.exports)) {
    if (typeof target !== "string") target.bun &&= built(target.bun);
    // Only the pages and the agent's tools, which are built in, import these.
    else if (name.startsWith("./wire/")) delete manifest.exports[name];
  }
  for (const [name, target] of Object.entries(manifest.imports)) manifest.imports[name] = built(target);
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

export function restoreManifest(folder: string): void {
  const kept = join(folder, SOURCE_MANIFEST);
  if (existsSync(kept)) renameSync(kept, join(folder, "package.json"));
}
