/** What the channels of an app keep together, against a plain list that does the same slowly. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { RetentionBudget } from "../../packages/server/src/engines/shared/retention-budget.ts";
import { settings } from "../properties/arbitraries.ts";

const EVENT = 300;
const CHANNEL = 700;

interface Model {
  entries: { channel: string; bytes: number; untilMs: number; value: number }[];
}

function bytesOf({ entries }: Model): number {
  const channels = new Set(entries.map(({ channel }) => channel));
  return entries.reduce((sum, { bytes }) => sum + bytes + EVENT, 0) + channels.size * CHANNEL;
}

test("it counts what is kept, and gives up the oldest beyond its bytes", () => {
  const event = fc.record({
    channel: fc.constantFrom("a", "b", "c", "d"),
    bytes: fc.nat(2_000),
    afterMs: fc.nat(40),
    isOptional: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80 }), fc.integer({ min: 1, max: 5 }), (events, size) => {
      const budget = new RetentionBudget<number>();
      const model: Model = { entries: [] };
      const limits = { size, totalBytes: 12_000 };
      let nowMs = 0;
      for (const [value, { channel, bytes, afterMs, isOptional }] of events.entries()) {
        nowMs += afterMs;
        const entry = { channel, bytes, untilMs: nowMs + 100, value };
        model.entries = model.entries.filter(({ untilMs }) => untilMs > nowMs);
        const added = { entries: [...model.entries, entry] };
        if (isOptional) {
          const fits = bytesOf(added) <= limits.totalBytes;
          expect(budget.addIfFits({ app: "app", ...entry }, limits, nowMs)).toBe(fits);
          if (!fits) continue;
        }
        model.entries = added.entries;
        const ofChannel = model.entries.filter((each) => each.channel === channel);
        const surplus = ofChannel.slice(0, Math.max(0, ofChannel.length - size));
        model.entries = model.entries.filter((each) => !surplus.includes(each));
        const evicted: number[] = [];
        while (!isOptional && bytesOf(model) > limits.totalBytes) evicted.push(model.entries.shift()?.value ?? -1);
        if (!isOptional) expect(budget.add({ app: "app", ...entry }, limits, nowMs)).toEqual(evicted);
        expect(budget.bytesOf("app")).toBe(bytesOf(model));
      }
      budget.prune(nowMs + 100);
      expect(budget.bytesOf("app")).toBe(0);
    }),
    settings(1_000),
  );
});

test("apps have bytes of their own", () => {
  const budget = new RetentionBudget<string>();
  const limits = { size: 10, totalBytes: 3_000 };
  const event = (app: string, value: string) => ({ app, channel: "c", bytes: 1_000, untilMs: 60_000, value });
  expect(budget.add(event("one", "1"), limits, 0)).toEqual([]);
  expect(budget.add(event("two", "2"), limits, 0)).toEqual([]);
  expect(budget.add(event("one", "3"), limits, 0)).toEqual(["1"]);
  // Alone it is too much.
  expect(budget.add({ ...event("two", "4"), bytes: 3_000 }, limits, 0)).toEqual(["2", "4"]);
  expect([budget.bytesOf("one"), budget.bytesOf("two")]).toEqual([2_000, 0]);
});
