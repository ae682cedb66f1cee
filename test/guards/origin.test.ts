/** The patterns for origins, and which Origin headers fit them. */

import { describe, expect, test } from "bun:test";
import { isOriginPattern, originTest } from "../../packages/server/src/domain/origin.ts";
import { createServer } from "../../packages/server/src/index.ts";
import { APP } from "../support/server.ts";

const TABLE: readonly (readonly [pattern: string, fitting: readonly string[], others: readonly string[]])[] = [
  [
    "https://good.example",
    ["https://good.example", "https://good.example:443", "HTTPS://GOOD.Example"],
    ["http://good.example", "https://good.example:8443", "https://www.good.example", "https://good.example."],
  ],
  [
    "https://Good.Example:443",
    ["https://good.example"],
    ["http://good.example", "http://good.example:443", "https://good.example:80"],
  ],
  ["http://good.example:8080", ["http://good.example:8080"], ["http://good.example", "https://good.example:8080"]],
  [
    "good.example",
    ["https://good.example", "http://good.example", "https://good.example:8443", "capacitor://good.example"],
    ["https://good.example.evil", "https://evil-good.example", "https://a.good.example", "https://evil.example"],
  ],
  [
    "good.example:8080",
    ["http://good.example:8080", "https://good.example:8080"],
    ["http://good.example", "https://good.example", "http://good.example:80801"],
  ],
  ["good.example:443", ["https://good.example"], ["http://good.example"]],
  [
    "*.good.example",
    ["https://a.good.example", "http://a.b.good.example:3000", "https://A.Good.EXAMPLE"],
    ["https://good.example", "https://.good.example", "https://evil-good.example", "https://a.good.example.evil"],
  ],
  [
    "https://*.good.example",
    ["https://a.good.example"],
    ["http://a.good.example", "https://a.good.example:8443", "https://good.example"],
  ],
  ["*.good.example:8443", ["https://a.good.example:8443"], ["https://a.good.example", "https://good.example:8443"]],
  ["http://localhost:3000", ["http://localhost:3000"], ["http://localhost", "http://localhost:3001"]],
  ["capacitor://localhost", ["capacitor://localhost"], ["http://localhost", "capacitor://localhost:1"]],
  ["http://[::1]:3000", ["http://[::1]:3000"], ["http://[::1]", "http://[::2]:3000"]],
  ["https://bücher.example", ["https://xn--bcher-kva.example"], ["https://bucher.example", "https://bücher.example"]],
  ["null", ["null"], ["file://", "https://null", "https://good.example", ""]],
  ["file://", ["file://"], ["null", "file://host"]],
  ["*", ["null", "file://", "https://anything.example:1", "rubbish"], []],
];

describe.each(TABLE)("the pattern %s", (pattern, fitting, others) => {
  test("is one", () => {
    expect(isOriginPattern(pattern)).toBe(true);
  });

  test("fits what it should and nothing else", () => {
    const fits = originTest([pattern]);
    expect(fitting.filter((origin) => !fits(origin))).toEqual([]);
    expect(others.filter((origin) => fits(origin))).toEqual([]);
  });
});

test("several patterns fit what any of them fits", () => {
  const fits = originTest(["https://a.example", "*.b.example", "null"]);
  expect(["https://a.example", "http://x.b.example", "null"].map(fits)).toEqual([true, true, true]);
  expect(["https://b.example", "file://"].map(fits)).toEqual([false, false]);
});

test.each([
  "https://good.example@evil.example",
  "https://evil.example#good.example",
  "https://evil.example?.good.example",
  "https://evil.example/good.example",
  "https://good.example/",
  "https:\\\\good.example",
  "https://good.example https://evil.example",
  "https://evil.example, https://good.example",
  "//good.example",
  "https://",
  "good.example",
  " https://good.example",
  "https://good.example:99999",
  "https://good.example:",
  "https://good.example\u0000",
])("the header %j is no origin, and fits no host", (header) => {
  expect(originTest(["good.example", "*.good.example", "https://good.example"])(header)).toBe(false);
});

test.each([
  "",
  " ",
  "https://",
  "https://a.example/",
  "a.example/path",
  "https://u@a.example",
  "*example.com",
  "a.*.example",
  "https://*",
  "a b",
  "a.example:x",
  "https://a.example?x",
  "a.example:65536",
])("the configuration refuses %j as an origin, and says what it takes", (pattern) => {
  expect(() => createServer({ apps: [{ ...APP, allowedOrigins: ["https://a.example", pattern] }] })).toThrow(
    "`apps[0].allowedOrigins[1]` has to be an origin such as",
  );
});
