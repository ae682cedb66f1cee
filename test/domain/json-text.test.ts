/** What is cut out of a JSON text is what its author wrote there, whatever stands around it. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { elementTexts, exactId, memberText, onOneLine } from "../../packages/server/src/domain/json-text.ts";
import { consistentUserInfo, parseUserInfo, userInfoJson } from "../../packages/server/src/domain/user-info.ts";
import { anyJsonText, settings } from "../properties/arbitraries.ts";

const space = fc.constantFrom("", " ", "\n\t", "\r\n");
const key = fc.constantFrom('"data"', '"d\\u0061ta"', '"\\u0064ata"', '"dat"', '"Data"', '"data "', '"x\\"data"', '""');
const members = fc.array(fc.tuple(space, key, space, space, anyJsonText, space), { maxLength: 6 });

describe("the member of an object", () => {
  test("is the text of its last value, for every JSON", () => {
    let found = 0;
    fc.assert(
      fc.property(space, members, space, (before, all, after) => {
        const inner = all.map(([a, name, b, c, value, d]) => `${a}${name}${b}:${c}${value}${d}`).join();
        const object = `${before}{${inner}${after}}${before}`;
        const value = all.findLast(([, name]) => JSON.parse(name) === "data")?.[4];
        expect(memberText(object, "data")).toBe(value?.replaceAll(/[\r\n]/g, " "));
        if (value === undefined) return;
        found++;
        expect(JSON.parse(memberText(object, "data") ?? "")).toEqual((JSON.parse(object) as { data: unknown }).data);
      }),
      settings(4_000),
    );
    expect(found).toBeGreaterThan(1_000);
  });

  test.each([
    ['{"a":"\\\\","data":1}', "1"],
    ['{"a":"\\"data\\":2","data":1.0}', "1.0"],
    [`{"a":"${"x".repeat(31)}\\"","data":1}`, "1"],
    [`{"a":"${"x".repeat(40)}\\\\","data":[{"data":2}]}`, '[{"data":2}]'],
    ['{"data":1,"__proto__":{"data":2}}', "1"],
    ['[{"data":1}]', undefined],
    ['"data"', undefined],
    ["{}", undefined],
    ["", undefined],
  ])("in %s is %p", (text, value) => {
    expect(memberText(text, "data")).toBe(value);
  });

  test("is found below a nesting that would overflow a stack, and in text that ends too early", () => {
    const deep = "[".repeat(300_000) + "]".repeat(300_000);
    expect(memberText(`{"a":${deep},"data":${deep}}`, "data")).toBe(deep);
    const whole = '{"a":"\\"x","data":{"b":[1,"2"]}}';
    for (let length = 0; length < whole.length; length++) memberText(whole.slice(0, length), "data");
  });

  test.each([
    ["brackets", (n: number) => `${"[".repeat(n)}${"]".repeat(n)}`],
    ["backslashes", (n: number) => `"${"\\\\".repeat(n)}"`],
    ["quotes", (n: number) => `"${'\\"'.repeat(n)}"`],
    ["escaped quotes behind backslashes", (n: number) => `"${'\\\\\\\\\\\\\\"'.repeat(n / 4)}"`],
    ["short strings", (n: number) => `[${'"",'.repeat(n)}""]`],
  ])("costs time that grows with the length only, through %s", (_, make) => {
    const [few, many] = [20_000, 320_000].map((n) => `{"a":${make(n)},"data":1}`) as [string, string];
    expect(fastest(() => memberText(many, "data")) / fastest(() => memberText(few, "data"))).toBeLessThan(100);
  });
});

/** In milliseconds, of some: whatever else the machine does makes it only slower. */
function fastest(run: () => unknown): number {
  const times = Array.from({ length: 12 }, () => {
    const beganMs = performance.now();
    run();
    return performance.now() - beganMs;
  });
  return Math.max(0.01, Math.min(...times));
}

test("the elements of an array are its values' texts, for every JSON", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(space, anyJsonText, space)), space, (items, blank) => {
      const array = `${blank}[${items.length === 0 ? blank : items.map((item) => item.join("")).join()}]`;
      expect(elementTexts(array)).toEqual(items.map(([, value]) => onOneLine(value)));
    }),
    settings(2_000),
  );
});

test("an id that is a number is its digits, also beyond 2^53", () => {
  expect(exactId(Number("1234567890123456789"), "1234567890123456789")).toBe("1234567890123456789");
  expect([exactId(7, "7.0"), exactId("007", '"007"'), exactId(1.5, "1.5")]).toEqual(["7", "007", "1.5"]);
});

describe("what others see of a user", () => {
  test("is written as it was read, and kept as text only where writing it again would change it", () => {
    fc.assert(
      fc.property(anyJsonText.map(onOneLine), (text) => {
        const info = parseUserInfo(text);
        expect(userInfoJson(info)).toBe(text);
        expect(info.infoText === undefined).toBe(JSON.stringify(info.info) === text);
      }),
      settings(2_000),
    );
    expect(userInfoJson(parseUserInfo(undefined))).toBe("null");
  });

  test("is the value where a program has changed it, or gave a text that says something else or is no JSON", () => {
    const info = parseUserInfo('{"n":1.0}');
    expect(userInfoJson(consistentUserInfo(info))).toBe('{"n":1.0}');
    expect(userInfoJson(consistentUserInfo({ ...info, info: { n: 2 } }))).toBe('{"n":2}');
    for (const infoText of ['{"n":2}', '{"n":1', '1},"x":{', ""]) {
      expect(userInfoJson(consistentUserInfo({ info: { n: 1 }, infoText }))).toBe('{"n":1}');
    }
    expect(userInfoJson(consistentUserInfo({ info: { n: 1 }, infoText: '{\r\n"n":1.0}' }))).toBe('{  "n":1.0}');
  });
});
