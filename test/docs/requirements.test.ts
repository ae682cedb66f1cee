/**
 * What the servers before this one promised, by number, and the faults and attacks that have to be survived: each is cited
 * by the name of a test that holds it. What speaks of several machines, the database or the dashboard
 * is not in these lists.
 */

import { expect, test } from "bun:test";
import { join } from "node:path";

const TESTS = join(import.meta.dir, "..");

const PROMISES = [
  ...range("A", 10, 56),
  ...range("S", 1, 18),
  "S20",
  ...range("S", 22, 26),
  ...range("S", 28, 42),
  ...range("O", 1, 26),
  ...["B8", "B9", "B10", "B11", "B13", "B14", "B26", "B29"],
];
const SCENARIOS = [...range("", 5, 10), ...range("", 22, 38), "40", "42", ...range("", 49, 69), "71"];

/** Text that a function follows: the name of a test or of a group of tests. */
const NAME = /(["`])((?:\\.|(?!\1)[^\\\n])+)\1,\s*(?:async\s*)?(?:\(|\w+ =>)/g;

function range(letter: string, first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, n) => `${letter}${first + n}`);
}

async function names(): Promise<string[]> {
  const found: string[] = [];
  for await (const file of new Bun.Glob("**/*.test.ts").scan(TESTS)) {
    const text = await Bun.file(join(TESTS, file)).text();
    found.push(...[...text.matchAll(NAME)].map(([, , name = ""]) => name));
  }
  return found;
}

/** What stands in the brackets of a name: `(A28)`, `(S2 to S7, O1)`, `(A40, scenario 24)`, `(scenarios 22 and 26)`. */
function cited(name: string): string[] {
  const inside = [...name.matchAll(/\(([^()]*)\)/g)].map(([, text = ""]) => text);
  return inside.flatMap((text) => [...promised(text), ...survived(text)]);
}

function promised(text: string): string[] {
  return [...text.matchAll(/\b([ASOB])(\d+)\b(?: to \1?(\d+))?/g)].flatMap(([, letter = "", from, to]) =>
    range(letter, Number(from), Number(to ?? from)),
  );
}

function survived(text: string): string[] {
  return [...text.matchAll(/\bscenarios? (\d+(?:(?:,| and|, and) \d+)*)/g)].flatMap(([, numbers = ""]) =>
    [...numbers.matchAll(/\d+/g)].map(([number]) => number),
  );
}

const all = new Set((await names()).flatMap(cited));

test("every promise is cited by a test", () => {
  expect(PROMISES.filter((one) => !all.has(one))).toEqual([]);
});

test("every fault and attack is cited by a test", () => {
  expect(SCENARIOS.filter((one) => !all.has(one))).toEqual([]);
});

test("citations are read in each of their forms, and nothing else is taken for one", () => {
  expect(cited("is heard (O11 to O13, A28)")).toEqual(["O11", "O12", "O13", "A28"]);
  expect(cited("is survived (A40, scenario 24)")).toEqual(["A40", "24"]);
  expect(cited("is survived (scenarios 22 and 26)")).toEqual(["22", "26"]);
  expect(cited("A28 without brackets, (1009) and (SHA256)")).toEqual([]);
});
