/**
 * `npm run build:binary`: Fanfare as one file that needs neither Node nor Bun nor npm, in `dist/`, for the machine at hand. Bun itself
 * is in it, and so are the dashboard, the documentation, NATS and the database drivers.
 *
 *   npm run build:binary -- --all                          for Linux and macOS, x64 and arm64: fetches a Bun for each from npm's registry
 *   npm run build:binary -- --target linux-arm64           for one of them
 *   npm run build:binary -- --outfile /usr/local/bin/fanfare
 */

import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { buildDashboard, buildFirstPage, FIRST_PAGES } from "@fanfare/dashboard";
import type { BunPlugin } from "bun";
import { readDocFiles } from "../../packages/server/src/cli/doc-files.ts";

const ROOT = join(import.meta.dir, "../..");
/** Where an executable has the files that it was made of. */
const HOME = "/$bunfs/root";
const WORKER_OF_POOL = "node_modules/piscina/dist/worker.js";
const RUNNER_OF_TASKS = "packages/server/src/tasks/runner.ts";

/** What asks for a file of the package, which this has not: what is answered. */
const FILES = {
  "#main": `file://${HOME}/fanfare`,
  "#read-config": `file://${HOME}/read-config`,
  "#task-runner": `file://${HOME}/${RUNNER_OF_TASKS.replace(/\.ts$/, ".js")}`,
  "#package.json": `file://${HOME}/package.json`,
  "@fanfare/dashboard": "built in",
};

export const TARGETS = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"] as const;
type Target = (typeof TARGETS)[number];

export async function buildExecutable(target: Target, outfile: string): Promise<void> {
  mkdirSync(dirname(outfile), { recursive: true });
  await Bun.build({
    entrypoints: [join(import.meta.dir, "main.ts"), join(ROOT, RUNNER_OF_TASKS), join(ROOT, WORKER_OF_POOL)],
    root: ROOT,
    target: "bun",
    minify: { whitespace: true, syntax: true, identifiers: false },
    plugins: [await documents(), ownFiles, await pages()],
    compile: { target: `bun-${target}`, outfile, autoloadDotenv: false, autoloadBunfig: false },
  });
}

/** Throws where there is no Bun for it. */
export function targetHere(): Target {
  const here = `${process.platform}-${process.arch}`;
  const target = TARGETS.find((one) => one === here);
  if (target === undefined) throw new Error(`No executable is made for ${here}, only for ${TARGETS.join(", ")}.`);
  return target;
}

const ownFiles: BunPlugin = {
  name: "own files",
  setup(build) {
    build.onLoad({ filter: /packages\/server\/src\/.*\.ts$/ }, async ({ path }) => {
      const text = await Bun.file(path).text();
      const contents = text.replaceAll(/import\.meta\.resolve\("([^"]+)"\)/g, (_, name: keyof typeof FILES) =>
        JSON.stringify(FILES[name]),
      );
      return { contents, loader: "ts" };
    });
    build.onLoad({ filter: /piscina\/dist\/index\.js$/ }, async ({ path }) => {
      const contents = (await Bun.file(path).text()).replace(
        "(0, node_path_1.resolve)(__dirname, 'worker.js')",
        JSON.stringify(`${HOME}/${WORKER_OF_POOL}`),
      );
      return { contents, loader: "js" };
    });
  },
};

/** The documentation as texts, for `fanfare mcp`. */
async function documents(): Promise<BunPlugin> {
  const files = await readDocFiles();
  const contents = `export const readDocFiles = async () => ${JSON.stringify(files)};`;
  return {
    name: "documents",
    setup(build) {
      build.onLoad({ filter: /packages\/server\/src\/cli\/doc-files\.ts$/ }, () => ({ contents, loader: "js" }));
    },
  };
}

/** The dashboard's package, with its pages built already. */
async function pages(): Promise<BunPlugin> {
  const files = Array.from(await buildDashboard(), ([name, bytes]) => [name, bytes.toBase64()]);
  const first = Object.fromEntries(
    await Promise.all(FIRST_PAGES.map(async (name) => [name, await buildFirstPage(name)] as const)),
  );
  const contents = `
    const files = ${JSON.stringify(files)};
    const first = ${JSON.stringify(first)};
    export const buildDashboard = async () => new Map(files.map(([name, text]) => [name, Uint8Array.fromBase64(text)]));
    export const buildFirstPage = async (name) => first[name];
    export const stampOfSources = async () => "";`;
  return {
    name: "pages",
    setup(build) {
      build.onResolve({ filter: /^@fanfare\/dashboard$/ }, () => ({ path: "dashboard", namespace: "built" }));
      build.onLoad({ filter: /.*/, namespace: "built" }, () => ({ contents, loader: "js" }));
    },
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: { all: { type: "boolean" }, target: { type: "string" }, outfile: { type: "string" } },
  });
  const asked = values.all ? TARGETS : TARGETS.filter((one) => one === (values.target ?? targetHere()));
  if (asked.length === 0) throw new Error(`--target is one of ${TARGETS.join(", ")}`);
  for (const target of asked) {
    const outfile = values.outfile ?? join(ROOT, "dist", `fanfare-${target}`);
    await buildExecutable(target, outfile);
    console.log(outfile);
  }
}
