/** Reading an address as URLSearchParams does, without one. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { Query } from "../../packages/server/src/http/query.ts";

const NAMES = ["app", "protocol", "version", "recover"];

test.each([
  "",
  "?",
  "?app=a",
  "?app",
  "?app=",
  "?&&app=a&app=b",
  "?application=x&app=y",
  "?xapp=1",
  "?app=a=b",
  "?%61pp=a",
  "?app=a+b&version=%31",
  "?APP=1",
  "?app=é",
])("the parameters of %p are those that URLSearchParams finds", (search) => {
  const url = new URL(`http://localhost/app/key${search}`);
  for (const name of NAMES) expect(new Query(url).get(name)).toBe(url.searchParams.get(name));
});

test("the same of any text behind the question mark", () => {
  const piece = fc.oneof(fc.constantFrom(...NAMES, "=", "&", "?", "%", "+", "/", "7"), fc.string({ maxLength: 3 }));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const url = new URL(`http://localhost/?${pieces.join("")}`);
      for (const name of NAMES) expect(new Query(url).get(name)).toBe(url.searchParams.get(name));
    }),
  );
});
