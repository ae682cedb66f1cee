/** The examples as a whole: none is missing from the list, and what their READMEs tell people to start is there. */

import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const EXAMPLES = join(import.meta.dir, "..", "..", "examples");
const folders = readdirSync(EXAMPLES, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? entry.name : [],
);
const list = readFileSync(join(EXAMPLES, "README.md"), "utf8");
const tests = ["pages", "client-pages", "clients"]
  .map((name) => readFileSync(join(import.meta.dir, `${name}.test.ts`), "utf8"))
  .join();

test("the list has each example, and only those that there are", () => {
  const listed = [...list.matchAll(/^\| \[([\w-]+)\]\(([\w-]+)\)/gm)].map(([, name, link]) => [name, link]);
  expect(listed.sort()).toEqual(folders.map((name) => [name, name]).sort());
});

test.each(folders)("%s has a README with a command that starts it, and a test that does", (name) => {
  const readme = readFileSync(join(EXAMPLES, name, "README.md"), "utf8");
  const [, file = ""] = /\b(?:bun|node) (examples\/\S+)/.exec(readme) ?? [];
  expect(dirname(file)).toBe(`examples/${name}`);
  expect(existsSync(join(EXAMPLES, "..", file))).toBe(true);
  expect(tests).toContain(`startExample("${file.replace("examples/", "")}"`);
});
