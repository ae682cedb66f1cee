/**
 * What the packages for browsers and back ends weigh in somebody's bundle: minified, gzip -9, peers left out. Part of `npm run check`: a
 * package that outgrows its budget fails it, and so does an entry point that has none.
 */

import { join } from "node:path";
import { type BunPlugin, gzipSync } from "bun";

const ROOT = join(import.meta.dir, "..");

interface Budget {
  /** Bytes, in thousands. */
  readonly kB: number;
  /** Nobody has it without this entry point, so only what it adds counts. */
  readonly onTopOf?: string;
}

/** Raised only with a reason in the commit that raises it. */
const BUDGETS: Readonly<Record<string, Budget>> = {
  // 6.5 is the aim: it is complete first, and made smaller next.
  "@fanfare/client": { kB: 15.2 },
  // 2.0 is the aim, which a prototype met: without the authorizer (0.7), the trial of what pusher-js has inside (0.5), stores, and retries.
  "@fanfare/client/pusher": { kB: 3.6 },
  "@fanfare/client/react": { kB: 1.5, onTopOf: "@fanfare/client" },
  "@fanfare/client/vue": { kB: 1.2, onTopOf: "@fanfare/client" },
  "@fanfare/client/svelte": { kB: 1.2, onTopOf: "@fanfare/client" },
  // 1.0 was a guess. A stop that the back end has missed is sent again, and an answer is found however long it is.
  "@fanfare/client/ai": { kB: 1.5, onTopOf: "@fanfare/client" },
  "@fanfare/client/http": { kB: 2.0, onTopOf: "@fanfare/client" },
  // 4.0 is the aim: what back ends of one route import should not be what all of them import. 0.8 is the schema's checker.
  "@fanfare/publisher": { kB: 7.3 },
  // 0.5 is the aim: the checker of data came in one piece with the types' one function.
  "@fanfare/schema": { kB: 0.9 },
};

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly bun?: string }>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

interface EntryPoint {
  readonly name: string;
  readonly file: string;
  readonly peers: readonly string[];
}

export interface Size {
  readonly name: string;
  readonly bytes: number;
  /** Nothing where the table has no line for it. */
  readonly budgetBytes: number | undefined;
}

export function isWithinBudget({ bytes, budgetBytes }: Size): boolean {
  return budgetBytes !== undefined && bytes <= budgetBytes;
}

/** Of every entry point of the packages that the table names. */
export async function measureSizes(): Promise<readonly Size[]> {
  const packages = new Set(Object.keys(BUDGETS).map((name) => name.split("/").slice(0, 2).join("/")));
  const entryPoints = (await Promise.all(Array.from(packages, entryPointsOf))).flat();
  return await Promise.all(entryPoints.map((entryPoint) => measure(entryPoint, entryPoints)));
}

async function entryPointsOf(name: string): Promise<EntryPoint[]> {
  const folder = join(ROOT, "packages", name.replace("@fanfare/", ""));
  const manifest: Manifest = await Bun.file(join(folder, "package.json")).json();
  const peers = Object.keys(manifest.peerDependencies ?? {}).flatMap((peer) => [peer, `${peer}/*`]);
  return Object.entries(manifest.exports).flatMap(([path, target]) =>
    typeof target === "string" || target.bun === undefined
      ? []
      : [{ name: join(name, path), file: join(folder, target.bun), peers }],
  );
}

async function measure({ name, file, peers }: EntryPoint, all: readonly EntryPoint[]): Promise<Size> {
  const budget = BUDGETS[name];
  const below = all.find((other) => other.name === budget?.onTopOf)?.file;
  const whole = await weigh(below === undefined ? [file] : [below, file], peers);
  return {
    name,
    bytes: below === undefined ? whole : whole - (await weigh([below], peers)),
    budgetBytes: budget && budget.kB * 1_000,
  };
}

/** Of a program that imports all that these files export: what it loads at once, without what it may load later. */
async function weigh(files: readonly string[], external: readonly string[]): Promise<number> {
  const program = files.map((file) => `export * from ${JSON.stringify(file)};`).join("\n");
  const entry = join(ROOT, "program.ts");
  const built = await Bun.build({
    entrypoints: [entry],
    files: { [entry]: program },
    minify: true,
    target: "browser",
    format: "esm",
    conditions: ["bun"],
    external: [...external],
    plugins: [LATER],
  });
  return gzipSync((await built.outputs[0]?.text()) ?? "", { level: 9 }).length;
}

/** What is imported by `import()` is a file of its own. */
const LATER: BunPlugin = {
  name: "later",
  setup(build) {
    build.onResolve({ filter: /^\./ }, ({ kind, path }) =>
      kind === "dynamic-import" ? { path, external: true } : undefined,
    );
  },
};

if (import.meta.main) {
  const sizes = await measureSizes();
  const kB = (bytes: number | undefined) => (bytes === undefined ? "none" : (bytes / 1_000).toFixed(2));
  console.log(`${"kB, minified and gzipped".padEnd(26)}   size  budget`);
  for (const size of sizes)
    console.log(
      `${size.name.padEnd(26)} ${kB(size.bytes).padStart(6)}  ${kB(size.budgetBytes).padStart(6)}${isWithinBudget(size) ? "" : "  over its budget"}`,
    );
  process.exitCode = sizes.every(isWithinBudget) ? 0 : 1;
}
