/** Checking by a declaration, with schemas of Zod, of Valibot and without a library. */

import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { z } from "zod";
import { createChecker, defineEvents, type Schema, unchecked, validate } from "../../packages/schema/src/index.ts";
import { events, positive } from "./events.ts";

const checker = createChecker(events);

describe("validate", () => {
  test("gives what the schema makes of the data", () => {
    expect(validate(z.object({ n: z.coerce.number(), on: z.boolean().default(true) }), { n: "7" })).toEqual({
      value: { n: 7, on: true },
    });
    expect(validate(v.pipe(v.string(), v.trim()), " a ")).toEqual({ value: "a" });
    expect(validate(positive, 3)).toEqual({ value: 3 });
    expect(validate(unchecked<unknown>(), 3)).toEqual({ value: 3 });
  });

  const zod = z.object({ items: z.array(z.object({ price: z.number() })) });
  const valibot = v.object({ items: v.array(v.object({ price: v.number() })) });
  test.each([
    ["Zod", zod],
    ["Valibot", valibot],
  ])("says where the data are wrong: %s", (_, schema) => {
    const { issues } = validate(schema, { items: [{ price: 1 }, { price: "2" }] });
    expect(issues).toEqual([{ path: "items[1].price", message: expect.stringMatching(/number.*string|number.*"2"/) }]);
  });

  test("has an empty path for the data as a whole", () => {
    expect(validate(positive, -1)).toEqual({ issues: [{ path: "", message: "not a positive number" }] });
  });

  test.each([
    ["Zod", z.string().refine(async () => true)],
    [
      "Valibot",
      v.pipeAsync(
        v.string(),
        v.checkAsync(async () => {
          throw new Error("too late");
        }),
      ),
    ],
  ])("refuses an asynchronous schema, and leaves no rejection behind: %s", (_, schema) => {
    expect(() => validate(schema, "a")).toThrow(/^A schema \((zod|valibot)\) is asynchronous/);
  });
});

describe("an event of a channel", () => {
  test.each([
    ["orders", "paid", { id: "7", sum: 1 }],
    ["orders", "price", 1],
    ["presence-room-7", "message", { text: "hi" }],
    ["presence-room-7", "client-typing", { on: true }],
    ["presence-room-7-audited", "audit", { by: "ada" }],
    ["presence-room-7-audited", "message", { text: "hi" }],
    ["note", "client-note", 5],
  ])("may be as declared: %s %s", (channel, event, data) => {
    expect(checker.channelEvent(channel, event, data)).toBeUndefined();
  });

  test("has a problem with the path, if its data are wrong", () => {
    expect(checker.channelEvent("orders", "paid", { id: "7", sum: "1" })).toEqual({
      code: "data_invalid",
      message: expect.stringMatching(/^The data of paid for orders are invalid: sum: .*number/),
      issues: [{ path: "sum", message: expect.any(String) }],
    });
  });

  test.each(["refunded", "message", "constructor", "__proto__", "toString", ""])(
    "has a problem if it is none that is declared: %j",
    (event) => {
      expect(checker.channelEvent("orders", event, {})).toEqual({
        code: "event_invalid",
        message: `The event ${event} is not declared for orders.`,
        issues: [],
      });
    },
  );

  test.each(["order", "orders2", "presence-room", "my-presence-room-7", "constructor", "__proto__"])(
    "has a problem in a channel that is not declared: %s",
    (channel) => {
      expect(checker.channelEvent(channel, "paid", { id: "7", sum: 1 })).toEqual({
        code: "channel_invalid",
        message: `The channel ${channel} is not declared.`,
        issues: [],
      });
    },
  );

  test("is of the exact name alone, where a channel has one", () => {
    expect(checker.channelEvent("presence-room-lobby", "message", { shout: "HI" })).toBeUndefined();
    expect(checker.channelEvent("presence-room-lobby", "message", { text: "hi" })?.code).toBe("data_invalid");
    expect(checker.channelEvent("presence-room-lobby", "client-typing", { on: true })?.code).toBe("event_invalid");
  });

  test("has to satisfy all patterns that declare it", () => {
    const both = createChecker({
      channels: { "a-*": { e: z.object({ a: z.number() }) }, "*-b": { e: z.object({ b: z.number() }) } },
    });
    expect(both.channelEvent("a-b", "e", { a: 1, b: 2 })).toBeUndefined();
    expect(both.channelEvent("a-b", "e", { a: 1 })?.issues.map(({ path }) => path)).toEqual(["b"]);
    expect(both.channelEvent("a-b", "e", {})?.issues.map(({ path }) => path)).toEqual(["a", "b"]);
  });

  test("may be any other than the declared ones, where `*` is declared", () => {
    expect(checker.channelEvent("legacy-1", "anything", 1)).toBeUndefined();
    expect(checker.channelEvent("legacy-1", "known", { n: 1 })).toBeUndefined();
    expect(checker.channelEvent("legacy-1", "known", 1)?.code).toBe("data_invalid");
  });

  test("may be anything anywhere, where no channels are declared", () => {
    expect(createChecker({ user: {} }).channelEvent("any", "thing", 1)).toBeUndefined();
    expect(createChecker({ channels: {} }).channelEvent("any", "thing", 1)?.code).toBe("channel_invalid");
  });

  test("has a pattern's other characters taken literally", () => {
    const dotted = createChecker({ channels: { "a.b-*-c": { e: z.string() } } });
    expect(dotted.channelEvent("a.b-1-c", "e", 1)?.code).toBe("data_invalid");
    expect(dotted.channelEvent("axb-1-c", "e", 1)?.code).toBe("channel_invalid");
    expect(() => createChecker({ channels: { "(*[": { e: z.string() } } })).not.toThrow();
  });
});

test("a problem's message is short, whatever a schema's library quotes", () => {
  const loud: Schema = {
    "~standard": { version: 1, vendor: "loud", validate: (value) => ({ issues: [{ message: `not ${value}` }] }) },
  };
  const problem = createChecker({ channels: { c: { e: loud } } }).channelEvent("c", "e", "x".repeat(100_000));
  expect(problem?.message.length).toBeLessThan(600);
});

test("events of a user are checked, where they are declared", () => {
  expect(checker.userEvent("notification", { title: "hi" })).toBeUndefined();
  expect(checker.userEvent("notification", {})?.code).toBe("data_invalid");
  expect(checker.userEvent("other", {})?.code).toBe("event_invalid");
  expect(createChecker({}).userEvent("other", {})).toBeUndefined();
});

test("a declaration is what was declared, so that a module may take it apart", () => {
  const declared = { channels: { a: { e: z.string() } } };
  expect(defineEvents(declared)).toBe(declared);
});
