/** The packages that applications install, as npm would publish them: their manifests, their types for any TypeScript, their sources. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { publint } from "publint";
import { external } from "../support/external.ts";
import { install, pack, run } from "../support/packing.ts";
import { spawnCli } from "../support/process.ts";

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, "..", "..");
const NAMES = ["client", "publisher", "schema"] as const;
const COMPILERS = [
  ["5.4", external("typescript-5.4")],
  ["5.9", external("typescript-5.9")],
  ["7", join(ROOT, "node_modules", "typescript", "bin", "tsc")],
] as const;
/** What a bundler's template gives, and what Node's own resolution asks for. */
const RESOLUTIONS = [
  ["esnext", "bundler"],
  ["nodenext", "nodenext"],
] as const;

const tarballs = await pack(...NAMES);
const folder = await install(...Object.values(tarballs));

test.each(NAMES)("publint has no remark on %s", async (name) => {
  const tarball = await Bun.file(tarballs[name]).arrayBuffer();
  const { messages } = await publint({ pack: { tarball }, strict: true });
  expect(messages).toEqual([]);
});

test.each(NAMES)("the types of %s are found, and are those of what is imported", async (name) => {
  const program = join(ROOT, "node_modules", ".bin", "attw");
  await run([program, "--profile", "esm-only", "--no-color", tarballs[name]], folder);
});

describe.each(COMPILERS)("TypeScript %s", (_version, compiler) => {
  test.each(RESOLUTIONS)("compiles against them as %s with %s, nothing skipped", async (module, moduleResolution) => {
    const program = `
      import { type Client, createClient, FanfareError, sessionPositions, type Unsubscribe } from "@fanfare/client";
      import { createPublisher, type Publisher } from "@fanfare/publisher";
      import { defineEvents } from "@fanfare/schema";
      export const code: string = new FanfareError("timeout", "It took too long.").code;
      export const state = (client: Client) => client.snapshot.state satisfies string;
      export const offset = createClient({ url: "wss://a", positions: sessionPositions() }).channel("a").publish("e", 1).then(({ position }) => position?.offset satisfies number | undefined);
      export const publisher: Publisher = createPublisher({ url: "https://a", appId: "a", key: "k", secret: "s" });
      export const events = defineEvents({ channels: {} });
      // @ts-expect-error: it takes no argument
      export const end = (unsubscribe: Unsubscribe) => unsubscribe(1);
    `;
    const file = `program-${module}.ts`;
    writeFileSync(join(folder, file), program);
    const flags = { module, moduleResolution, target: "es2022", lib: "es2022,dom,dom.iterable,dom.asynciterable" };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawnCli([compiler, "--noEmit", "--strict", ...args, file], { program: ["node"], cwd: folder });
    expect({ code: (await child.ended(120_000)).code, output: child.output }).toEqual({ code: 0, output: "" });
  });
});

test.each(NAMES)("a debugger, and an editor, find the sources of %s", async (name) => {
  const root = join(folder, "node_modules", "@fanfare", name);
  const built = Array.from(new Bun.Glob("dist/**/*.{js,d.ts}").scanSync(root));
  expect(built.some((file) => file.endsWith(".js")) && built.some((file) => file.endsWith(".d.ts"))).toBe(true);
  for (const file of built) {
    const { sources } = await Bun.file(join(root, `${file}.map`)).json();
    for (const source of sources)
      expect(existsSync(join(root, dirname(file), source)), `${file}: ${source}`).toBe(true);
  }
});
