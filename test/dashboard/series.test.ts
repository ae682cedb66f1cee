/** The points of the charts, and the check of JSON: what can be told without a browser. */

import { describe, expect, test } from "bun:test";
import { type ConsoleEntry, fitter, KINDS } from "../../packages/dashboard/src/client/feed.ts";
import { lookAt } from "../../packages/dashboard/src/client/json.ts";
import { added, filled, Seconds } from "../../packages/dashboard/src/client/pages/series.ts";
import { noStatistics, type Point } from "../../packages/server/src/admin/api-types.ts";

function point(atMs: number, connections: number): Point {
  return { ...noStatistics(), atMs, connections, peakConnections: connections, messagesIn: 1 };
}

const shown = (points: readonly Point[]) => points.map(({ atMs, connections }) => [atMs, connections]);

describe("a series", () => {
  test("is nothing where nothing was counted, and does not grow with the length of a gap", () => {
    const points = [point(1_000, 3), point(4_000, 5)];
    expect(shown(filled({ points, stepMs: 1_000 }, 5_000))).toEqual([
      [1_000, 3],
      [2_000, 0],
      [3_000, 0],
      [4_000, 5],
    ]);
    const far = filled({ points: [point(0, 3), point(9_000_000, 5)], stepMs: 1_000 }, 9_000_000);
    expect(shown(far)).toEqual([
      [0, 3],
      [1_000, 0],
      [8_999_000, 0],
      [9_000_000, 5],
    ]);
    expect(filled({ points: [], stepMs: 1_000 }, 9_000_000)).toEqual([]);
  });

  test("is nothing since the last span in which something was counted, and not what that one was", () => {
    const last = [point(60_000, 3)];
    const untilNow = (nowMs: number) => shown(filled({ points: last, stepMs: 60_000 }, nowMs));
    // The next span is over, but may not be written yet.
    expect(untilNow(239_000)).toEqual([[60_000, 3]]);
    expect(untilNow(301_000)).toEqual([
      [60_000, 3],
      [120_000, 0],
      [180_000, 0],
    ]);
    expect(untilNow(9_000_000_000)).toHaveLength(3);
    // Of days the one that is over is told of soon after.
    const day = 86_400_000;
    const days = (nowMs: number) => shown(filled({ points: [point(day, 3)], stepMs: day }, nowMs));
    expect(days(3 * day - 1)).toEqual([[day, 3]]);
    expect(days(3 * day + 1_000_000)).toEqual([
      [day, 3],
      [2 * day, 0],
    ]);
  });

  test("of several apps is added up by time", () => {
    const one = { span: "hour", stepMs: 10, points: [point(10, 1), point(20, 2)] } as const;
    const two = { span: "hour", stepMs: 10, points: [point(20, 3), point(30, 4)] } as const;
    const all = added([one, two]);
    expect(shown(all.points)).toEqual([
      [10, 1],
      [20, 5],
      [30, 4],
    ]);
    expect(all.points[1]?.messagesIn).toBe(2);
    expect(added([]).points).toEqual([]);
  });

  test("by the second adds up nodes, keeps a newer word of the same node, and forgets what is old", () => {
    const seconds = new Seconds(5_000);
    for (const [node, at, connections] of [
      ["a", 1_000, 1],
      ["b", 1_400, 2],
      ["a", 2_000, 7],
      ["a", 2_100, 3],
      ["a", 3_000, 1],
    ] as const) {
      seconds.add({ node, point: point(at, connections) });
    }
    // The newest is left out: not every node has told of it.
    expect(shown(seconds.points())).toEqual([
      [1_000, 3],
      [2_000, 3],
    ]);
    seconds.add({ node: "a", point: point(60_000, 1) });
    expect(seconds.points()).toEqual([]);
  });
});

describe("a text that may be JSON", () => {
  test.each([
    ['{"a":1}', "JSON object, 7 B"],
    ["[1, 2]", "JSON array, 6 B"],
    ["null", "JSON null, 4 B"],
    ["", "Empty: sent as an empty text."],
  ])("%s is %s", (text, says) => {
    expect(lookAt(text).says).toBe(says);
  });

  test("that is none would be sent as a text, and says so", () => {
    const found = lookAt("{oops");
    expect(found.is).toBe("text");
    expect(found.says).toContain("It would be sent as a text.");
  });
});

describe("a filter of the console", () => {
  const entry: ConsoleEntry = {
    ...{ id: "1", node: "here", type: "api_message" as const, atMs: 0, app: "app" },
    ...{ channel: "orders.1", event: "a(b", user: "ada", payload: { text: '{"total":7}', bytes: 11 } },
  };

  test.each([
    [{ channel: "orders.*" }, true],
    [{ channel: "orders" }, false],
    [{ channel: ["lobby", "orders.*"], user: "a*", text: ["ORDERS", "total"] }, true],
    [{ text: ["total", "tax"] }, false],
    [{ node: ["here"] }, true],
    [{ node: ["there"] }, false],
    [{ event: "a(*" }, true],
    [{ app: "other" }, false],
    [{ connection: "1.2" }, false],
    [{ types: KINDS.messages[1] }, true],
    [{ types: KINDS.errors[1] }, false],
  ])("%j of what is here already: %p", (filter, fits) => {
    expect(fitter(filter)(entry)).toBe(fits);
  });
});
