/** The index of the documentation that language models read. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { INDEX_FOR_MODELS, renderIndexForModels, summaryOf } from "../../scripts/llms.ts";

const ROOT = dirname(INDEX_FOR_MODELS);

test("is what the pages say now (else: npm run generate)", () => {
  expect(readFileSync(INDEX_FOR_MODELS, "utf8")).toBe(renderIndexForModels());
});

test("has every page of docs and every example once, each of which is there and says in a sentence what it is", () => {
  const lines = renderIndexForModels()
    .split("\n")
    .filter((line) => line.startsWith("- "));
  const parts = lines.map((line) => /^- \[([^\]]+)\]\(([^)]+)\): (.+)$/.exec(line));
  for (const part of parts) {
    expect(existsSync(join(ROOT, part?.[2] ?? "nowhere"))).toBe(true);
    expect([part?.[2], (part?.[3] ?? "").length > 8]).toEqual([part?.[2], true]);
  }
  const listed = parts.map((part) => part?.[2] ?? "");
  expect(new Set(listed).size).toBe(listed.length);
  const pages = ["docs/**/*.md", "examples/*/README.md"].flatMap((glob) => [...new Bun.Glob(glob).scanSync(ROOT)]);
  expect(listed).toEqual(expect.arrayContaining(pages));
});

test.each([
  ["# A\n\nIt is this. And that.", "It is this."],
  [
    "# A\n\n```sh\nnpm ci\n```\n\n| a |\n|---|\n\n> no\n\nSee [the page](b.md) of **words**: so.",
    "See the page of words: so.",
  ],
  ["# A\n\n![a picture](a.png)\n\nTwo\nlines.\n\nMore.", "Two lines."],
])("takes from %j the sentence %j", (text, summary) => {
  expect(summaryOf(text)).toBe(summary);
});
