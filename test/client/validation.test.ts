/** What the client does with received events that contradict the declaration. */

import { afterEach, describe, expect, spyOn, test } from "bun:test";
import * as v from "valibot";
import { z } from "zod";
import type { LogEntry } from "../../packages/client/src/index.ts";
import { createReceivedCheck } from "../../packages/client/src/validation.ts";
import { events } from "../schema/events.ts";

const warn = spyOn(console, "warn").mockImplementation(() => {});
afterEach(() => warn.mockClear());

test("nothing is checked, and there is nothing to call, without a declaration or unless `validate` is set", () => {
  expect(createReceivedCheck({ events })).toBeUndefined();
  expect(createReceivedCheck({ events, validate: "off" })).toBeUndefined();
  expect(createReceivedCheck({ validate: "drop" })).toBeUndefined();
});

describe.each([
  ["warn", true],
  ["drop", false],
] as const)("with %j", (validate, isDelivered) => {
  const check = createReceivedCheck({ events, validate });

  test("what is declared is delivered", () => {
    expect(check?.("orders", "paid", { id: "7", sum: 1 })).toBe(true);
    expect(check?.("legacy-1", "anything", null)).toBe(true);
    expect(check?.(undefined, "notification", { title: "hi" })).toBe(true);
    expect(warn).not.toHaveBeenCalled();
  });

  test.each([
    ["orders", "paid", { id: "7", sum: "1" }, /The data of paid for orders are invalid: sum: .*number/],
    ["orders", "refunded", {}, /The event refunded is not declared for orders/],
    ["other", "anything", null, /The channel other is not declared/],
    [undefined, "notification", {}, /The data of notification for users are invalid: title: /],
  ])("what contradicts the declaration is reported with its path: %s %s", (channel, event, data, message) => {
    expect(check?.(channel, event, data)).toBe(isDelivered);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(message)]]);
  });

  test("a schema that throws or is asynchronous is reported, and stops nothing", () => {
    const faulty = {
      channels: {
        c: {
          late: z.string().refine(async () => true),
          broken: v.pipe(
            v.string(),
            v.check(() => {
              throw new Error("it is broken");
            }),
          ),
        },
      },
    };
    const faultyCheck = createReceivedCheck({ events: faulty, validate });
    expect(faultyCheck?.("c", "late", "a")).toBe(isDelivered);
    expect(faultyCheck?.("c", "broken", "a")).toBe(isDelivered);
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining("is asynchronous")],
      [expect.stringContaining("it is broken")],
    ]);
  });

  test("a log of the program's own gets the report without any data", () => {
    const entries: LogEntry[] = [];
    createReceivedCheck({ events, validate, log: (entry) => entries.push(entry) })?.("presence-room-1", "message", {
      text: "a text that is longer than it may be",
    });
    expect(entries).toEqual([
      {
        level: "warn",
        message: "A received event contradicts the declaration.",
        code: "data_invalid",
        channel: "presence-room-1",
        event: "message",
        paths: ["text"],
      },
    ]);
    expect(warn).not.toHaveBeenCalled();
  });
});
