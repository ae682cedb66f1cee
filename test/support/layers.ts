/** Which part of the house may know which: the picture in ARCHITECTURE.md as a table. */

import { bareCode, type Import, type Sources } from "./sources.ts";

/** Folders whose subfolders are implementations of one port, and strangers to each other. */
const PORT_FOLDERS = ["protocols", "engines"];

const CORE = ["domain", "hub"];
/** For its version. */
const MANIFEST = "../package.json";
const ADMIN_API = "admin/api-types.ts";

/** Layers or single files, beside the layer itself. `*` is everything that is not named here as knowing it. */
const MAY_KNOW: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  hub: ["domain"],
  config: ["domain"],
  http: ["domain"],
  protocols: [...CORE, "http"],
  engines: CORE,
  apps: [...CORE, "config", "database"],
  guards: CORE,
  database: [],
  backend: [...CORE, "http"],
  observers: [...CORE, "database", "http", ADMIN_API],
  outbox: [...CORE, "database"],
  admin: [...CORE, "database", "http"],
  tasks: [],
  server: [
    ...CORE,
    "config",
    "http",
    "protocols",
    "engines",
    "apps",
    "backend",
    "database",
    "guards",
    "observers",
    "admin",
    "outbox",
    "tasks",
    MANIFEST,
  ],
  "index.ts": [...CORE, "admin", "config", "server", "protocols", "engines", "apps", "guards", "observers", "tasks"],
  "engine.ts": [...CORE, "engines", "server/cluster/read-setting-file.ts"],
  // It explains signatures and tokens with the very code that checks them.
  cli: [
    ...CORE,
    "config",
    "server",
    "index.ts",
    "protocols",
    "guards",
    "apps",
    "backend",
    "database",
    "observers",
    "outbox",
    ADMIN_API,
    MANIFEST,
  ],
};

/** Packages that a layer may import; any, where it is not named. */
const MAY_USE: Readonly<Record<string, readonly string[]>> = { domain: [], hub: ["node:crypto"] };

/** What each other package may import: nothing of the server but what it exports for it. */
export const PACKAGE_MAY_USE: Readonly<Record<string, readonly string[]>> = {
  dashboard: [
    "@fanfare/client",
    "@preact/signals",
    "fanfare/wire/admin",
    "fanfare/wire/native",
    "node:crypto",
    "node:path",
    "node:url",
    "lean-qr",
    "preact",
    "preact/hooks",
    // In the text of an example.
    "express",
    "node:http",
    "pusher-js",
    "uplot",
  ],
  mcp: [
    "@fanfare/client",
    "@modelcontextprotocol/server",
    "@modelcontextprotocol/server/stdio",
    "fanfare/wire/admin",
    // An answer to why an event did not come is read off the rules with the code that applies them.
    "fanfare/wire/channel",
    "fanfare/wire/limits",
    // Texts and findings look as those of the other commands do.
    "fanfare/wire/finding",
    "fanfare/wire/json",
    "fanfare/wire/output",
    "zod",
  ],
  nats: ["@nats-io/jetstream", "@nats-io/transport-node", "fanfare/engine", "node:crypto"],
  publisher: ["@fanfare/schema"],
  client: ["@fanfare/schema", "react", "vue", "svelte", "svelte/reactivity", "svelte/store", "ai", "pusher-js"],
  schema: [],
};

/** Handed in from outside, where tests can hold them still. */
const OUTSIDE_WORLD = [
  /\bBun\b/,
  /\bprocess\s*[.[]/,
  /\bfetch\s*\(/,
  /\bset(?:Timeout|Interval|Immediate)\b/,
  /\bDate\s*\.\s*now\b/,
  /\bnew\s+Date\s*(?:\(\s*\)|(?!\())/,
  /\bperformance\s*\.\s*now\b/,
  /\bMath\s*\.\s*random\b/,
  /\b(?:crypto\s*\.\s*random\w*|randomUUID|randomBytes|randomInt|getRandomValues)\b/,
];

/** `protocols/pusher/codec.ts` is of the layer `protocols/pusher`; `protocols/json.ts` of `protocols`. */
export function layerOf(file: string): string {
  const [first = "", second = "", ...rest] = file.split("/");
  return PORT_FOLDERS.includes(first) && rest.length > 0 ? `${first}/${second}` : first;
}

/** A sentence for each import that the table does not allow. */
export function trespasses(imports: readonly Import[]): string[] {
  return imports.flatMap((it) => {
    const sentence = it.isExternal ? strangeUse(it) : strangeImport(it);
    return sentence === undefined ? [] : [sentence];
  });
}

/** A sentence for each import of a package that leaves its folder, or that the table does not allow. */
export function packageTrespasses(name: string, imports: readonly Import[]): string[] {
  const allowed = PACKAGE_MAY_USE[name] ?? [];
  return imports
    .filter(({ to, isExternal }) => (isExternal ? !allowed.includes(to) : to.startsWith("..")))
    .map(({ from, to }) => `${from} imports ${to}: packages/${name} may use ${allowed.join(", ") || "no package"}`);
}

function strangeUse({ from, to }: Import): string | undefined {
  const allowed = MAY_USE[layerOf(from)];
  if (allowed === undefined || allowed.includes(to)) return undefined;
  return `${from} uses ${to}: ${layerOf(from)} may use ${allowed.join(", ") || "no package"}`;
}

function strangeImport({ from, to }: Import): string | undefined {
  const [mine, theirs] = [layerOf(from), layerOf(to)];
  const [family = ""] = mine.split("/");
  // What lies directly in a port's folder, or in its folder `shared`, is shared by its implementations.
  if (mine === theirs || family === theirs || theirs === `${family}/shared`) return undefined;
  const allowed = MAY_KNOW[family];
  if (allowed === undefined) return `${from}: the layer ${family} has no place in the table of layers`;
  if (allowed.some((it) => it === to || it === theirs || it === theirs.split("/")[0])) return undefined;
  return `${from} imports ${to}: ${mine} may know ${allowed.join(", ") || "nothing"}`;
}

/** A sentence for each place where the core reaches for the clock, chance, timers or the runtime itself. */
export function reachesOut(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) => {
    if (!CORE.includes(layerOf(file))) return [];
    const code = bareCode(text);
    return OUTSIDE_WORLD.flatMap((pattern) => {
      const found = pattern.exec(code);
      return found ? [`${file} mentions ${found[0].trim()}: it has to be handed in`] : [];
    });
  });
}
