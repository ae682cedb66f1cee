/** The figures that pages quote are those that the benchmark wrote, and a table of a comparison has a cell for each server. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/llms.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

/** As pages write them: `5.81 µs`, `2 271 B`; and rounded, `726 000`. */
function figuresIn(text: string): number[] {
  return Array.from(
    text.matchAll(/(?<![\w.-])\d{1,3}(?: \d{3})+(?! ?subscribers| ?connections)\b|\b\d+\.\d\d\b/g),
    ([figure]) => Number(figure.replaceAll(" ", "")),
  );
}

const measured = figuresIn(read("docs/bench.md"));

test.each(["README.md", "docs/comparison.md"])("%s quotes no figure that docs/bench.md has not", (page) => {
  const sections = read(page).split(/^## /m);
  const quoted = sections.filter((section) => /^(?:How fast|Why)/.test(section)).flatMap(figuresIn);
  expect(quoted.length).toBeGreaterThan(4);
  const isMeasured = (figure: number) =>
    measured.some((one) => one === figure || Number(one.toPrecision(3)) === figure);
  expect(quoted.filter((figure) => !isMeasured(figure))).toEqual([]);
});

test("what the benchmark was run on is what the pages say", () => {
  const [, machine = ""] = /on (2 cores, 24 GB, Linux, Bun [\d.]+)\./.exec(read("docs/bench.md")) ?? [];
  const [, ...parts] = machine.split(", ");
  expect(parts).toHaveLength(3);
  for (const page of ["README.md", "docs/comparison.md"]) expect(read(page)).toContain(parts.join(", "));
});

test("each row of the comparison says something of each server", () => {
  const [, table = ""] = read("docs/comparison.md").split("## What each can do\n\n");
  const rows = (table.split("\n\n")[0] ?? "").split("\n").map((row) => row.split("|").slice(1, -1));
  expect(rows.length).toBeGreaterThan(20);
  for (const cells of rows)
    expect([cells[0], cells.length, cells.slice(1).every((cell) => cell.trim() !== "")]).toEqual([cells[0], 7, true]);
});
