/** How to get the packages: one page says it, and no other page says to run what does not work today. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const ROOT = join(import.meta.dir, "..", "..");
const PAGE = join(ROOT, "docs/install.md");

const documents = ["*.md", "docs/**/*", "examples/**/*", "deploy/*", "packages/*/*.md"]
  .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(ROOT)])
  .filter((path) => /\.(?:md|ya?ml|conf|service|html|ts)$|Dockerfile$/.test(path))
  .sort()
  .map((path) => [path, readFileSync(join(ROOT, path), "utf8")] as const);

/** Asks a registry for a package that is in none: 404. */
const FROM_REGISTRY =
  /\b(?:npm (?:i|install|add)|(?:yarn|pnpm|bun) add|npx --yes|npx -y|bunx)(?: [^\s&#`]+)*? ["'`]?(?:@fanfare\/|fanfare\b)/;
/** Takes the package for granted. A checkout is one. */
const NEEDS_PACKAGE = /\bnpx fanfare\b/;
const IN_CHECKOUT = ["README.md", "CHANGELOG.md", "docs/install.md"];

function linksToPage([path, text]: readonly [string, string]): boolean {
  const links = [...text.matchAll(/\]\(([^)#]+)/g)].map(([, link = ""]) => link);
  return links.some((link) => resolve(ROOT, dirname(path), link) === PAGE);
}

test("no document asks a registry for the package", () => {
  expect(documents.length).toBeGreaterThan(40);
  expect(documents.filter(([, text]) => FROM_REGISTRY.test(text)).map(([path]) => path)).toEqual([]);
  for (const line of [
    "npm install fanfare",
    "npm i -g fanfare",
    "bun add react @fanfare/client",
    "npx -y fanfare serve",
  ]) {
    expect(line).toMatch(FROM_REGISTRY);
  }
});

test("each document that takes the package for granted links to the page that says how to get it", () => {
  const readers = documents.filter(([path, text]) => NEEDS_PACKAGE.test(text) && !IN_CHECKOUT.includes(path));
  const guides = documents.filter(([path]) => path.startsWith(join("docs", "from")));
  expect(guides.length).toBe(9);
  const more = ["README.md", "docs/laravel.md", "docs/clients.md", "docs/library.md", "examples/README.md"];
  const all = [...readers, ...guides, ...documents.filter(([path]) => more.includes(path))];
  expect(all.filter((one) => !linksToPage(one)).map(([path]) => path)).toEqual([]);
});

test("the page names the files that all packages are packed as, and no document names another", () => {
  const manifests = [...new Bun.Glob("packages/*/package.json").scanSync(ROOT)]
    .map((path) => JSON.parse(readFileSync(join(ROOT, path), "utf8")))
    .filter((manifest) => manifest.private !== true);
  const packed = manifests
    .map(({ name, version }) => `${name.replace("@", "").replace("/", "-")}-${version}.tgz`)
    .sort();
  const namesIn = (text: string) => [...text.matchAll(/\bfanfare-[\w.-]+\.tgz/g)].map(([file]) => file);
  expect([...new Set(namesIn(readFileSync(PAGE, "utf8")))].sort()).toEqual(packed);
  for (const [path, text] of documents) for (const file of namesIn(text)) expect(packed, path).toContain(file);
});
