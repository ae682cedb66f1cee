/** Brings llms.txt up to date, the documentation's index for language models (llmstxt.org): `npm run generate`. A test fails when it is stale. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Not `import.meta.dir`: VitePress bundles this file into its configuration. */
export const ROOT = join(import.meta.dirname, "..");
export const INDEX_FOR_MODELS = join(ROOT, "llms.txt");

/** In the reader's order. A pattern stands for what is not named before it. */
const SECTIONS: Readonly<Record<string, readonly string[]>> = {
  Start: ["docs/install.md", "docs/comparison.md", "examples/README.md"],
  "Connect clients": ["docs/clients.md", "packages/client/README.md", "packages/schema/README.md"],
  "Publish from a back end": [
    "docs/publisher.md",
    "docs/laravel.md",
    "docs/hooks.md",
    "docs/outbox.md",
    "docs/library.md",
    "packages/publisher/README.md",
    "packages/laravel/README.md",
  ],
  "Run it": [
    "docs/configuration.md",
    "docs/cli.md",
    "docs/deploy.md",
    "docs/operating.md",
    "docs/scaling.md",
    "docs/dashboard.md",
    "docs/mcp.md",
    "docs/bench*.md",
  ],
  "Come from another server": ["docs/from/*.md"],
  "Look up a protocol": ["docs/protocol/*.md"],
  "See an example": ["examples/*/README.md"],
  "Understand it": ["ARCHITECTURE.md", "docs/*.md", "docs/decisions/*.md"],
  "Work on it": ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"],
};

interface Document {
  readonly path: string;
  readonly title: string;
  readonly summary: string;
}

/** Every document but the first page, README.md. */
export function documents(): readonly { readonly title: string; readonly pages: readonly Document[] }[] {
  const listed = new Set<string>();
  return Object.entries(SECTIONS).map(([title, patterns]) => {
    const paths = patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(ROOT)].sort());
    return { title, pages: paths.filter((path) => !listed.has(path) && listed.add(path)).map(read) };
  });
}

export function renderIndexForModels(): string {
  const sections = documents().map(({ title, pages }) => `## ${title}\n\n${pages.map(lineOf).join("\n")}\n`);
  const { summary } = read("README.md");
  return [`# Fanfare\n\n> ${summary}\n`, ...sections].join("\n");
}

function lineOf({ title, path, summary }: Document): string {
  return `- [${title}](${path}): ${summary}`;
}

function read(path: string): Document {
  const text = readFileSync(join(ROOT, path), "utf8");
  return { path, title: /^# (.+)$/m.exec(text)?.[1]?.replaceAll("`", "") ?? path, summary: summaryOf(text) };
}

/** The first sentence of the first paragraph, as plain text. */
export function summaryOf(text: string): string {
  const blocks = text
    .replaceAll(/^( *)```[\s\S]*?^ *```/gm, "")
    .replaceAll(/<!--[\s\S]*?-->/g, "")
    .split(/\n\s*\n/)
    .map((block) => block.trim());
  const prose = blocks.find((block) => /^(?![#|>]|!\[|[-*] |\d+\. )\S/.test(block));
  // A page may be one list: then its first item.
  const first = prose ?? blocks.find((block) => /^[-*] /.test(block))?.replace(/^[-*] /, "") ?? "";
  const plain = first
    .replaceAll(/\s+/g, " ")
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll("**", "");
  return /^.*?[.:](?= [A-Z`]|$)/.exec(plain)?.[0].replace(/:$/, ".") ?? plain;
}

if (import.meta.main) {
  if (process.argv.includes("--write")) await Bun.write(INDEX_FOR_MODELS, renderIndexForModels());
  else process.stdout.write(renderIndexForModels());
}
