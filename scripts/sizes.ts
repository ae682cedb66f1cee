/**
 * What the packages for browsers and back ends weigh in somebody's bundle, and the dashboard at its first load: minified, gzip -9, peers left out. Part of `npm run check`: a
 * package that outgrows its budget fails it, and so does an entry point that has none.
 */

import { join } from "node:path";
import { buildDashboard } from "@fanfare/dashboard";
import { type BunPlugin, gzipSync } from "bun";

const ROOT = join(import.meta.dir, "..");

interface Budget {
  /** Bytes, in thousands. */
  readonly kB: number;
  /** Nobody has it without this entry point, so only what it adds counts. */
  readonly onTopOf?: string;
}

const CLIENT = "@fanfare/client createClient";

/**
 * By entry point, for all that it exports, and by entry point and name, for a program that imports nothing else of it. Raised only with
 * a reason in the commit that raises it; what is inside, and what others weigh: docs/decisions/0018-client-sizes.md.
 */
const BUDGETS: Readonly<Record<string, Budget>> = {
  [CLIENT]: { kB: 13.05 },
  "@fanfare/client createLive": { kB: 0.8, onTopOf: CLIENT },
  "@fanfare/client iterate": { kB: 0.4, onTopOf: CLIENT },
  "@fanfare/client batchAuthorizer": { kB: 0.5, onTopOf: CLIENT },
  "@fanfare/client nodes": { kB: 0.4, onTopOf: CLIENT },
  "@fanfare/client sessionPositions": { kB: 0.4, onTopOf: CLIENT },
  "@fanfare/client updatePresence": { kB: 0.55, onTopOf: CLIENT },
  "@fanfare/client": { kB: 15.75 },
  "@fanfare/client/pusher recover": { kB: 3.1 },
  "@fanfare/client/pusher": { kB: 3.6 },
  "@fanfare/client/react": { kB: 1.5, onTopOf: "@fanfare/client" },
  "@fanfare/client/vue": { kB: 1.2, onTopOf: "@fanfare/client" },
  "@fanfare/client/svelte": { kB: 1.2, onTopOf: "@fanfare/client" },
  "@fanfare/client/ai": { kB: 1.5, onTopOf: "@fanfare/client" },
  "@fanfare/client/http": { kB: 2.1, onTopOf: "@fanfare/client" },
  "@fanfare/publisher createPublisher": { kB: 7.1 },
  "@fanfare/publisher createSteering": { kB: 3.6 },
  "@fanfare/publisher": { kB: 7.7 },
  "@fanfare/schema defineEvents": { kB: 0.1 },
  "@fanfare/schema": { kB: 0.9 },
};

/** Of the dashboard: what a browser fetches before it shows anything. */
const FIRST_LOAD: Budget = { kB: 90 };

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly bun?: string }>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

interface EntryPoint {
  readonly name: string;
  readonly file: string;
  /** Of its exports; all if there is none. */
  readonly only?: string | undefined;
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
  const packages = new Set(Object.keys(BUDGETS).map((name) => name.split(/[/ ]/, 2).join("/")));
  const whole = (await Promise.all(Array.from(packages, entryPointsOf))).flat();
  const parts = Object.keys(BUDGETS).flatMap((name) => {
    const [path, only] = name.split(" ");
    const entryPoint = only && whole.find((it) => it.name === path);
    return entryPoint ? [{ ...entryPoint, name, only }] : [];
  });
  const all = [...whole, ...parts].sort((one, other) => (one.name < other.name ? -1 : 1));
  return await Promise.all([...all.map((entryPoint) => measure(entryPoint, all)), firstLoad()]);
}

async function firstLoad(): Promise<Size> {
  const files = await buildDashboard();
  const wanted = new Set(["index.html"]);
  let bytes = 0;
  for (const name of wanted) {
    const file = files.get(name);
    if (!file) continue;
    bytes += gzipSync(file, { level: 9 }).length;
    // What is imported by `import()` is fetched later.
    const text = new TextDecoder().decode(file);
    for (const [, other = ""] of text.matchAll(/(?:(?:from|import)\s*"\.\/|(?:href|src)=")([^"]+)"/g))
      wanted.add(other);
  }
  return { name: "dashboard, first load", bytes, budgetBytes: FIRST_LOAD.kB * 1_000 };
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

async function measure(entryPoint: EntryPoint, all: readonly EntryPoint[]): Promise<Size> {
  const { name } = entryPoint;
  const budget = BUDGETS[name];
  const below = all.find((other) => other.name === budget?.onTopOf);
  const whole = await weigh(below ? [below, entryPoint] : [entryPoint]);
  return {
    name,
    bytes: below ? whole - (await weigh([below])) : whole,
    budgetBytes: budget && budget.kB * 1_000,
  };
}

/** Of a program that imports these: what it loads at once, without what it may load later. */
async function weigh(imported: readonly EntryPoint[]): Promise<number> {
  const program = imported
    .map(({ file, only }) => `export ${only ? `{ ${only} }` : "*"} from ${JSON.stringify(file)};`)
    .join("\n");
  const entry = join(ROOT, "program.ts");
  const built = await Bun.build({
    entrypoints: [entry],
    files: { [entry]: program },
    minify: true,
    target: "browser",
    format: "esm",
    conditions: ["bun"],
    external: imported.flatMap(({ peers }) => peers),
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
  const WIDTH = 34;
  const sizes = await measureSizes();
  const kB = (bytes: number | undefined) => (bytes === undefined ? "none" : (bytes / 1_000).toFixed(2));
  console.log(`${"kB, minified and gzipped".padEnd(WIDTH)}   size  budget`);
  for (const size of sizes)
    console.log(
      `${size.name.padEnd(WIDTH)} ${kB(size.bytes).padStart(6)}  ${kB(size.budgetBytes).padStart(6)}${isWithinBudget(size) ? "" : "  over its budget"}`,
    );
  process.exitCode = sizes.every(isWithinBudget) ? 0 : 1;
}
