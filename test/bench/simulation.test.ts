/** docs/scaling.md holds what the simulation reckons from the figures that docs/bench-cluster.md holds. */

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Costs, carry, documented, figure, nodesOf, simulated } from "../../bench/simulation.ts";

const DOCS = join(import.meta.dir, "..", "..", "docs");

test("the tables in docs/scaling.md are those of the simulation: `bun bench/simulation.ts --write` makes them anew", () => {
  expect(documented()).toBe(simulated());
  expect(documented()).not.toMatch(/NaN|undefined|Infinity/);
});

test("the links in docs/scaling.md lead to files and headings that are there", () => {
  const text = readFileSync(join(DOCS, "scaling.md"), "utf8");
  const links = [...text.matchAll(/\]\(([^)#]+)(?:#([^)]+))?\)/g)];
  expect(links.length).toBeGreaterThan(5);
  const broken = links.filter(([, file = "", heading]) => {
    const path = join(DOCS, file);
    if (!existsSync(path)) return true;
    const headings = [...readFileSync(path, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, name = ""]) =>
      name
        .toLowerCase()
        .replaceAll(/[^a-z0-9 -]/g, "")
        .replaceAll(" ", "-"),
    );
    return heading !== undefined && !headings.includes(heading);
  });
  expect(broken.map(([link]) => link)).toEqual([]);
});

describe("the members of a channel", () => {
  test("are all on the one node that there is", () => expect(nodesOf(50, 1)).toBe(1));
  test("are on one node where there is one member", () => expect(nodesOf(1, 800)).toBe(1));
  test.each([8, 80, 800])("are on about as many of %d nodes as chance has it", (nodes) => {
    const expected = nodes * (1 - (1 - 1 / nodes) ** 50);
    expect(nodesOf(50, nodes) / expected).toBeGreaterThan(0.97);
    expect(nodesOf(50, nodes) / expected).toBeLessThan(1.03);
  });
});

describe("a second of a cluster", () => {
  const none: Costs = {
    publish: 0,
    hear: 0,
    deliver: 0,
    join: 0,
    overhear: 0,
    carry: 0,
    carryFurther: 0,
    register: 0,
  };
  const all = { name: "all", members: undefined, publicationsPerSecond: 2, isPresence: false };
  const pairs = { name: "pairs", members: 2, publicationsPerSecond: 1, isPresence: true };

  test("delivers each publication to each member", () => {
    const carried = carry(all, 4, { ...none, deliver: 1 });
    expect(carried).toMatchObject({ connections: 50_000, publications: 2, deliveries: 100_000, hearing: 4 });
    expect(carried.node).toBeCloseTo(0.025, 6);
  });

  test("costs Redis each node that hears, the first one by another price", () => {
    expect(carry(all, 4, { ...none, carry: 10, carryFurther: 1 }).store).toBeCloseTo((2 * 13) / 1e6, 9);
  });

  test("costs each node its own joins and leaves, and a word of all others'", () => {
    const moves = (2 * 50_000) / 600;
    expect(carry(pairs, 4, { ...none, join: 4 }).node).toBeCloseTo(moves / 1e6, 9);
    expect(carry(pairs, 4, { ...none, overhear: 1 }).node).toBeCloseTo(moves / 1e6, 9);
    expect(carry(pairs, 4, { ...none, register: 1 }).store).toBeCloseTo(moves / 1e6, 9);
  });
});

describe("a figure of a table", () => {
  const document =
    "# A\n\n## One\n\n| a | b |\n|---|---|\n| x | 1.5 µs |\n\n## Two\n\n| a | b |\n|---|---|\n| x | 7 µs |\n";
  test("is found by its title and the row's first cells", () => {
    expect(figure(document, "One", ["x"], 2)).toBe(1.5);
    expect(figure(document, "Two", ["x"], 2)).toBe(7);
  });
  test("that is not there is an error, not a zero", () => {
    expect(() => figure(document, "One", ["y"], 2)).toThrow('No figure of "One", y.');
    expect(() => figure(document, "One", ["x"], 1)).toThrow("No figure");
  });
});
