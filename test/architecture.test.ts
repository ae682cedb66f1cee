/** The layers of ARCHITECTURE.md, held by a test. Each rule is also run on sources that break it. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { layerOf, PACKAGE_MAY_USE, packageTrespasses, reachesOut, trespasses } from "./support/layers.ts";
import { bareCode, circles, importsBetweenParts, importsOf, readSources, type Sources } from "./support/sources.ts";

const ROOT = join(import.meta.dir, "..");
const MOST_LINES = 400;
/** Also under another name: `npm:pusher-js@8.2.0`. */
const EXACT_VERSION = /^(?:npm:[\w/-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/;

const sources = await readSources(join(ROOT, "packages", "server", "src"));
const imports = importsOf(sources);

describe("the sources", () => {
  test("are found, and so are their imports", () => {
    expect(sources.size).toBeGreaterThan(20);
    expect(imports.length).toBeGreaterThan(sources.size);
  });

  test("import only files that exist", () => {
    expect(imports.filter(({ to, isExternal }) => !isExternal && !sources.has(to) && /\.tsx?$/.test(to))).toEqual([]);
  });

  test("import in one direction", () => {
    expect(trespasses(imports)).toEqual([]);
  });

  test("have no circles", () => {
    expect(circles(imports).map((circle) => circle.join(" → "))).toEqual([]);
  });

  test("have no circles between the folders of the server", () => {
    expect(circles(importsBetweenParts(imports, "server")).map((circle) => circle.join(" → "))).toEqual([]);
  });

  test("reach for clock, chance, timers and runtime only outside domain and hub", () => {
    expect(reachesOut(sources)).toEqual([]);
  });

  test("say first what each file is for", () => {
    expect(filesWithoutPurpose(sources)).toEqual([]);
  });
});

describe("the packages", () => {
  test("have files that are small enough to read", async () => {
    const all = await readSources(join(ROOT, "packages"));
    const own = new Map([...all].filter(([file]) => /^[^/]+\/src\//.test(file)));
    expect(longFiles(own)).toEqual([]);
  });

  test.each(Object.keys(PACKAGE_MAY_USE))("%s keeps to itself and has no circles", async (name) => {
    const own = importsOf(await readSources(join(ROOT, "packages", name, "src")));
    expect(own.length).toBeGreaterThan(0);
    expect(packageTrespasses(name, own)).toEqual([]);
    expect(circles(own).map((circle) => circle.join(" → "))).toEqual([]);
  });

  test("pin exact versions", async () => {
    const manifests = ["package.json", ...new Bun.Glob("packages/*/package.json").scanSync(ROOT)];
    const loose = await Promise.all(manifests.map(async (path) => loosePins(await Bun.file(join(ROOT, path)).json())));
    expect(loose.flat()).toEqual([]);
  });

  test("have a lock file that names no address", async () => {
    expect(await Bun.file(join(ROOT, "package-lock.json")).text()).not.toMatch(/"resolved": "(?!packages\/)/);
  });

  test("have a lock file that is complete for every platform, or npm ci refuses it", async () => {
    expect(missingFromLock(await Bun.file(join(ROOT, "package-lock.json")).json())).toEqual([]);
  });
});

describe("the rules can fail:", () => {
  test("every form of import is seen", () => {
    const text = `
      import a from "./a.ts"; import type { B } from "./b.ts"; import "./c.ts";
      import {
        d, // from "./not-this.ts"
      } from "./d.ts";
      export { e } from "./e.ts"; export * from "../e/f.ts";
      const g = await import("./g.ts"); type H = import("./h.ts").H;
      // import i from "./i.ts";
      /* import j from "./j.ts"; */
      import { k } from "zod";`;
    const seen = importsOf(new Map([["x/y.ts", text]]));
    expect(seen.map((it) => it.to).sort()).toEqual(
      ["e/f.ts", "x/a.ts", "x/b.ts", "x/c.ts", "x/d.ts", "x/e.ts", "x/g.ts", "x/h.ts", "zod"].sort(),
    );
  });

  test.each([
    ["domain/a.ts", "../hub/b.ts"],
    ["domain/a.ts", "node:crypto"],
    ["domain/a.ts", "bun"],
    ["hub/a.ts", "node:fs"],
    ["hub/commands/a.ts", "../../config/b.ts"],
    ["hub/a.ts", "../protocols/pusher/b.ts"],
    ["config/a.ts", "../hub/b.ts"],
    ["protocols/pusher/a.ts", "../native/b.ts"],
    ["protocols/json.ts", "./native/b.ts"],
    ["engines/redis/a.ts", "../memory/b.ts"],
    ["apps/a.ts", "../guards/b.ts"],
    ["observers/a.ts", "../server/b.ts"],
    ["admin/a.ts", "../observers/b.ts"],
    ["server/a.ts", "../cli/b.ts"],
    ["server/a.ts", "../index.ts"],
    ["index.ts", "./cli/b.ts"],
    ["attic/a.ts", "../domain/b.ts"],
  ])("%s may not import %s", (from, to) => {
    expect(trespasses(importsOf(new Map([[from, `import type { X } from "${to}";`]])))).toHaveLength(1);
  });

  test.each([
    ["hub/commands/a.ts", "../../domain/b.ts"],
    ["hub/a.ts", "node:crypto"],
    ["protocols/pusher/a.ts", "../json.ts"],
    ["protocols/pusher/a.ts", "../../hub/b.ts"],
    ["server/a.ts", "../engines/redis/b.ts"],
    ["cli/commands/a.ts", "../../server/b.ts"],
  ])("%s may import %s", (from, to) => {
    expect(trespasses(importsOf(new Map([[from, `import { x } from "${to}";`]])))).toEqual([]);
  });

  test.each(["../../../server/src/admin/api-types.ts", "fanfare", "ioredis"])(
    "the dashboard may not import %s",
    (to) => {
      const own = importsOf(new Map([["client/a.ts", `import type { X } from "${to}";`]]));
      expect(packageTrespasses("dashboard", own)).toHaveLength(1);
    },
  );

  test("a circle is found and shown, of types too", () => {
    const round = new Map([
      ["a.ts", `import { b } from "./b.ts";`],
      ["b.ts", `import type { C } from "./c.ts";`],
      ["c.ts", `export { b } from "./b.ts";`],
    ]);
    expect(circles(importsOf(round))).toEqual([["b.ts", "c.ts", "b.ts"]]);
  });

  test("a circle between folders is found, where none is between files", () => {
    const round = importsOf(
      new Map([
        ["server/build.ts", `import { a } from "./tls/a.ts"; import { b } from "./http/b.ts";`],
        ["server/tls/a.ts", `import type { B } from "../http/b.ts"; import { d } from "./d.ts";`],
        ["server/http/c.ts", `import { d } from "../tls/d.ts"; import { hub } from "../../hub/hub.ts";`],
      ]),
    );
    expect(circles(round)).toEqual([]);
    expect(circles(importsBetweenParts(round, "server"))).toEqual([["server/tls/", "server/http/", "server/tls/"]]);
    expect(circles(importsBetweenParts(round, "hub"))).toEqual([]);
  });

  test.each([
    "Bun.serve()",
    "process.env.X",
    "fetch(url)",
    "setTimeout(f, 1)",
    "setInterval(f, 1)",
    "Date.now()",
    "new Date()",
    "performance.now()",
    "Math.random()",
    "crypto.randomUUID()",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source under test
    "x(`${Date.now()}`)",
  ])("the core may not say %s", (code) => {
    expect(reachesOut(new Map([["hub/a.ts", code]]))).toHaveLength(1);
    expect(reachesOut(new Map([["server/a.ts", code]]))).toEqual([]);
  });

  test("the core may speak of it in comments, texts and patterns", () => {
    const text = '/* Bun. */ f("Date.now()", /["/]Math.random()/, `setTimeout`); // process.env\n new Date(ms);';
    expect(reachesOut(new Map([["domain/a.ts", text]]))).toEqual([]);
    expect(bareCode(text)).toContain("new Date(ms)");
  });

  test("a file without a purpose and a file without end are found", () => {
    const text = `import "./b.ts";\n${"\n".repeat(MOST_LINES)}`;
    expect(filesWithoutPurpose(new Map([["a.ts", text]]))).toEqual(["a.ts"]);
    expect(longFiles(new Map([["a.ts", text]]))).toHaveLength(1);
  });

  test("a loose version and an incomplete lock are found", () => {
    const manifest = { dependencies: { a: "^1.0.0", b: "1.0.0" }, devDependencies: { c: "latest" } };
    expect(loosePins(manifest)).toEqual(["a@^1.0.0", "c@latest"]);
    const packages = { "node_modules/a": { optionalDependencies: { b: "1.0.0" } } };
    expect(missingFromLock({ packages })).toEqual(["b, which a may need"]);
  });

  test("layers are told by the folder", () => {
    expect(["index.ts", "hub/commands/a.ts", "protocols/json.ts", "engines/redis/a.ts"].map(layerOf)).toEqual([
      "index.ts",
      "hub",
      "protocols",
      "engines/redis",
    ]);
  });
});

function filesWithoutPurpose(of: Sources): string[] {
  return [...of].filter(([, text]) => !/^(?:#![^\n]*\n)?\s*\/[/*]/.test(text)).map(([file]) => file);
}

/** Nobody reads what is generated from top to bottom. */
function longFiles(of: Sources): string[] {
  const written = [...of].filter(([, text]) => !text.includes("// biome-ignore-all format: generated"));
  return written.flatMap(([file, text]) => {
    const lines = text.split("\n").length - 1;
    return lines > MOST_LINES ? [file] : [];
  });
}

type Versions = Readonly<Record<string, string>>;

function loosePins(manifest: { dependencies?: Versions; devDependencies?: Versions }): string[] {
  return Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    .filter(([, version]) => !EXACT_VERSION.test(version))
    .map(([name, version]) => `${name}@${version}`);
}

function missingFromLock({ packages }: { packages: Record<string, { optionalDependencies?: Versions }> }): string[] {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !(`node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages))
      .map((name) => `${name}, which ${path.replace("node_modules/", "")} may need`),
  );
}
