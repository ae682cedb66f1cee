/** What test files need that npm cannot install is read off their sources: nothing starts what it has not asked for. */

import { describe, expect, test } from "bun:test";
import { join, posix } from "node:path";
import { describeExternal, type ExternalName, externalNames, findExternal } from "../../scripts/externals.ts";
import { adviceOn, needsIn, needsOf } from "../../scripts/needs.ts";
import { importsOf, readSources, type Sources, withoutComments } from "../support/sources.ts";

const ROOT = join(import.meta.dir, "..", "..");
const FILES = Array.from(new Bun.Glob("test/**/*.test.{ts,tsx}").scanSync(ROOT)).sort();
/** Where a program is named without being asked for: this file, one that looks first, one whose test asks. */
const MAY = new Set(["package/needs.test.ts", "package/runner.test.ts", "tasks/programs/lone.ts"]);

const sources = await readSources(join(ROOT, "test"));

describe("what a file needs", () => {
  const folder: Sources = new Map([
    ["test/support/redis.ts", `import { external } from "./external.ts"; const SERVER = external("redis-server");`],
    ["test/support/cluster.ts", `import { startRedis } from "./redis.ts"; // external("nats-server")`],
    ["test/a.test.ts", `import { startCluster } from "./support/cluster.ts"; external("proc"); external("unknown");`],
    ["test/b.test.ts", `const { startRedis } = await import("./support/redis.ts");`],
    ["test/c.test.ts", `import { expect } from "bun:test";`],
  ]);

  test.each([
    ["test/a.test.ts", ["proc", "redis-server"]],
    ["test/b.test.ts", ["redis-server"]],
    ["test/c.test.ts", []],
  ])("is asked for by it and by what it imports: %s", (file, names) => {
    expect([...(needsIn(folder, [file]).get(file)?.externals ?? [])].sort() as string[]).toEqual(names);
  });

  test("is found for the files of this folder", async () => {
    const needs = await needsOf(ROOT, FILES);
    const of = (file: string): string[] => [...(needs.get(file)?.externals ?? [])];
    expect(of("test/engines/redis.test.ts")).toContain("redis-server");
    expect(of("test/engines/nats.test.ts")).toContain("nats-server");
    expect(of("test/engines/memory.test.ts")).toEqual([]);
    expect(of("test/bench/smoke.test.ts")).toContain("nats-server");
  });
});

describe("no source of a test", () => {
  test("names a program but where it asks for it", () => {
    const named = [...sources].flatMap(([file, text]) => (MAY.has(file) ? [] : undeclared(file, text)));
    expect(named).toEqual([]);
  });

  test("that runs in a process of its own asks for any: nobody would see it", () => {
    const imports = importsOf(sources);
    const programs = [...sources.keys()].filter((file) => posix.dirname(file).endsWith("programs"));
    expect(programs.length).toBeGreaterThan(3);
    const asking = imports.filter(({ from, to }) => programs.includes(from) && to === "support/external.ts");
    expect(asking).toEqual([]);
  });

  test.each([
    'spawn("redis-server", [])',
    'const at = "/usr/bin/redis-server";',
    "Bun.spawn(['nats-server'])",
    'Bun.spawnSync(["ip", "link"])',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source under test
    "readFileSync(`/proc/${pid}/stat`)",
    'spawnCli([], { program: ["nginx"] })',
  ])("says %s", (text) => {
    expect(undeclared("a.test.ts", text)).toHaveLength(1);
  });
});

test("what is missing is named, with its reason and one command that brings it", () => {
  const [first, ...rest] = adviceOn(new Set<ExternalName>(["redis-server", "proc"]));
  expect(first).toBe("redis-server is missing: the Redis engine is tested on it");
  expect(rest.at(-1)).toMatch(/^Install what is missing: (?:brew install redis|.*apt-get install .* redis-server)$/);
});

test("what comes from npm is installed in its one version, into a folder of its own", () => {
  expect(adviceOn(new Set<ExternalName>(["typescript-5.4"])).at(-1)).toMatch(
    /^Install what is missing: npm install typescript@5\.4\.5 --prefix .*typescript-5\.4\.5$/,
  );
});

test("each can be found somewhere, and is there for a reason", () => {
  for (const name of externalNames()) {
    expect(describeExternal(name).at.length).toBeGreaterThan(0);
    expect(describeExternal(name).why).not.toBe("");
  }
  expect(findExternal("proc") ?? "/proc").toBe("/proc");
});

function undeclared(file: string, text: string): string[] {
  const code = withoutComments(text).replace(/\bexternal\("[^"]+"\)/g, "");
  return externalNames()
    .filter((name) => patternFor(name).test(code))
    .map((name) => `${file} starts ${name} and does not ask for it: external("${name}")`);
}

/** A path to it, or its name where a command begins. Elsewhere some are words of other things. */
function patternFor(name: ExternalName): RegExp {
  if (name === "proc") return /["'`]\/proc\/(?!none)/;
  if (name === "libfaketime") return /libfaketimeMT/;
  return new RegExp(
    `["'\`]/[\\w/.-]*/${name}["'\`]|(?:spawn|spawnSync|execFile|execFileSync)\\(\\[?\\s*["'\`]${name}["'\`]|program: \\[["'\`]${name}["'\`]`,
  );
}
