/** A payload is a value in one spelling: what a program pushes is what both protocols' clients get. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { payloadJson, payloadOf, payloadValue } from "../../packages/server/src/domain/payload.ts";

const SEED = 20_261_121;
const RUNS = { seed: SEED, numRuns: 5_000 };

/** Strings that look like JSON more often than chance would have it. */
const suspects = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.json(),
  fc.json().map((text) => JSON.stringify(text)),
  fc.string({ unit: fc.constantFrom("{", "}", "[", "]", '"', "\\", "1", "-", "e", ".", "t", " ", "\n", "\ufeff") }),
  fc.constantFrom(
    "null",
    "true",
    "false",
    "nul",
    "NaN",
    "Infinity",
    "-",
    "0",
    "-0",
    "01",
    "1e5",
    "1e999",
    "",
    " ",
    '"',
  ),
);
const values = fc.oneof(suspects, fc.jsonValue({ stringUnit: "binary" }));

describe("a payload", () => {
  test("has the value it was made of, for every JSON value", () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(payloadValue(payloadOf(value))).toEqual(asJson(value));
      }),
      RUNS,
    );
  });

  test("reads the same by its value and by its JSON text, for every text", () => {
    fc.assert(
      fc.property(suspects, (text) => {
        expect(JSON.parse(payloadJson(text))).toEqual(payloadValue(text));
      }),
      RUNS,
    );
  });

  test.each([
    ["hello", "hello"],
    ["123", '"123"'],
    ['{"a":1}', '"{\\"a\\":1}"'],
    ["{almost}", "{almost}"],
    ["", ""],
    [123, "123"],
    [null, "null"],
    [true, "true"],
    [[1, "2"], '[1,"2"]'],
    [{ a: { b: "c" } }, '{"a":{"b":"c"}}'],
    [undefined, "{}"],
  ])("of %j is %s", (value, text) => {
    expect(payloadOf(value)).toBe(text);
  });
});

/** JSON knows no negative zero. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
