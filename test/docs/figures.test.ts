/** The figures that pages quote are those that the benchmarks wrote, and a table of a comparison has a cell for each server. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { ROOT } from "../../scripts/llms.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

/** What was measured, and by what: the pages that quote link to these. */
const SOURCES = ["docs/bench.md", "docs/bench-peers.md"];
const PAGES = ["README.md", "docs/comparison.md"];
const UNITS = ["µs", "ms/s", "ms", "MB", "B", "×"];
const UNIT = UNITS.join("|").replaceAll("/", "\\/");

interface Figure {
  readonly value: number;
  readonly unit: string;
}

const numberOf = (digits: string) => Number(digits.replaceAll(" ", ""));

/** As pages write them: `5.81 µs`, `2 271 B`. */
function figuresIn(text: string): Figure[] {
  const found = text.matchAll(
    new RegExp(`(?<![\\w.-])(\\d{1,3}(?: \\d{3})+|\\d+(?:\\.\\d+)?) (${UNIT})(?![\\w/])`, "g"),
  );
  return Array.from(found, ([, digits = "", unit = ""]) => ({ value: numberOf(digits), unit }));
}

/** Of all tables of a file. A cell that names no unit has those of its row's, or its column's, or the table's first cell. */
function measuredIn(path: string): Figure[] {
  const tables = read(path).matchAll(/(?:^\|.*\n)+/gm);
  return Array.from(tables, ([table]) => {
    const [head = [], , ...rows] = table.split("\n").map((line) => line.split("|").slice(1, -1));
    return rows.flatMap(([label = "", ...cells]) =>
      cells.flatMap((cell, at) => {
        const own = figuresIn(cell);
        const units = unitsIn(label).concat(unitsIn(head[at + 1] ?? ""));
        const common = units.length > 0 ? units : unitsIn(head[0] ?? "");
        return own.length > 0 ? own : numbersIn(cell).flatMap((value) => common.map((unit) => ({ value, unit })));
      }),
    );
  }).flat();
}

const unitsIn = (text: string) => UNITS.filter((unit) => new RegExp(`(?<![\\w/])${unit}(?![\\w/])`).test(text));
const numbersIn = (text: string) =>
  Array.from(text.matchAll(/\d{1,3}(?: \d{3})+|\d+(?:\.\d+)?/g), ([digits]) => numberOf(digits));

const measured = new Map(SOURCES.map((path) => [path, measuredIn(path)] as const));

/** A paragraph with the table or the list after it, and the figures of what these link to. */
function quotesIn(page: string) {
  const sections = read(page)
    .split(/^## /m)
    .filter((section) => /^(?:How fast|Why)/.test(section));
  const folder = posix.dirname(page);
  return sections
    .flatMap((section) => section.split(/\n\n(?![|-])/))
    .map((text) => {
      const links = Array.from(text.matchAll(/\]\(([^)#]+)/g), ([, link = ""]) => posix.join(folder, link));
      const known = links.flatMap((link) => measured.get(link) ?? []);
      return { text, quoted: figuresIn(text), known };
    })
    .filter(({ quoted }) => quoted.length > 0);
}

test("the figures of the benchmarks are read", () => {
  expect(measured.get("docs/bench.md")?.length).toBeGreaterThan(100);
  // A number with its thousands apart: the memory of many connections.
  const bytes = measured.get("docs/bench.md")?.filter(({ unit }) => unit === "B") ?? [];
  expect(Math.max(...bytes.map(({ value }) => value))).toBeGreaterThan(1_000);
  // Of cells without a unit, in the earlier run.
  for (const figure of [
    { value: 101, unit: "µs" },
    { value: 112, unit: "ms" },
    { value: 15_416, unit: "µs" },
    { value: 369, unit: "µs" },
  ])
    expect(measured.get("docs/bench-peers.md")).toContainEqual(figure);
});

test.each(PAGES)("%s quotes only figures of the file that it links to beside them", (page) => {
  const quotes = quotesIn(page);
  expect(quotes.flatMap(({ quoted }) => quoted).length).toBeGreaterThan(5);
  for (const { text, quoted, known } of quotes) {
    const isMeasured = ({ value, unit }: Figure) =>
      known.some((one) => one.unit === unit && (one.value === value || Number(one.value.toPrecision(3)) === value));
    expect([text, quoted.filter((figure) => !isMeasured(figure))]).toEqual([text, []]);
  }
});

test("what the benchmarks were run on is what the pages say", () => {
  for (const source of SOURCES) {
    const [, machine = ""] = /on (2 cores, 24 GB, Linux, Bun [\d.]+)\./.exec(read(source)) ?? [];
    const [, ...parts] = machine.split(", ");
    expect([source, parts.length]).toEqual([source, 3]);
    for (const page of PAGES) expect(read(page)).toContain(parts.join(", "));
  }
});

test("the file of the peers ends with the earlier run, as it was kept", () => {
  const kept = read("bench/peers/earlier-run.md");
  expect(read("docs/bench-peers.md").endsWith(`\n${kept}`)).toBe(true);
  for (const name of ["Sockudo 5.2", "Centrifugo 6.9", "Laravel Reverb 1.10.2", "an older build's"])
    expect(kept).toContain(name);
});

test("each row of the comparison says something of each server", () => {
  const [, table = ""] = read("docs/comparison.md").split("## What each can do\n\n");
  const rows = (table.split("\n\n")[0] ?? "").split("\n").map((row) => row.split("|").slice(1, -1));
  expect(rows.length).toBeGreaterThan(20);
  for (const cells of rows)
    expect([cells[0], cells.length, cells.slice(1).every((cell) => cell.trim() !== "")]).toEqual([cells[0], 7, true]);
});
