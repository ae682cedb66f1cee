/** The points of the charts, and the check of JSON: what can be told without a browser. */

import { describe, expect, test } from "bun:test";
import { type ConsoleEntry, fitter, KINDS } from "../../packages/dashboard/src/client/feed.ts";
import { lookAt } from "../../packages/dashboard/src/client/json.ts";
import { insightsOf, marksOf, picturesOf } from "../../packages/dashboard/src/client/pages/insight-lines.ts";
import { Seconds } from "../../packages/dashboard/src/client/pages/series.ts";
import { type Insights, noStatistics, type Point } from "../../packages/server/src/admin/api-types.ts";

function point(atMs: number, connections: number): Point {
  return { ...noStatistics(), atMs, connections, peakConnections: connections, messagesIn: 1 };
}

const shown = (points: readonly Point[]) => points.map(({ atMs, connections }) => [atMs, connections]);

describe("a series", () => {
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

describe("what is stored", () => {
  const stepMs = 60_000;
  const noTotals = (length: number) => {
    const zeros = Array.from({ length }, () => 0);
    return Object.fromEntries(
      Object.keys(noStatistics()).map((name) => [name, zeros]),
    ) as unknown as Insights["totals"];
  };
  const stored = (minutes: readonly number[], measures: Insights["measures"] = []): Insights => ({
    ...{ span: "interval", stepMs, times: minutes.map((minute) => minute * stepMs), measures },
    ...{ nodes: [], starts: [] },
    totals: { ...noTotals(minutes.length), messagesOut: minutes.map((minute) => minute * 60) },
  });
  const lineOf = (given: Insights, name: keyof ReturnType<typeof picturesOf>["lines"], nowMinute: number) => {
    const { lines, timesMs, missing } = picturesOf(given, { fromMs: 0, nowMs: nowMinute * stepMs });
    const minutes = (ms: number) => ms / stepMs;
    return {
      at: timesMs.map(minutes),
      missing: missing.map((gap) => gap.map(minutes)),
      lines: lines[name]?.map(({ label, values }) => [label, values]),
    };
  };

  test("is drawn by the second, with a gap where no node counted, before the first row and after the last", () => {
    expect(lineOf(stored([5, 6, 10]), "out", 20)).toEqual({
      at: [2.5, 5, 6, 8.5, 10],
      missing: [
        [0, 5],
        [7, 10],
        [11, 20],
      ],
      lines: [["to clients", [null, 5, 6, null, 10]]],
    });
    // A row that is late is no gap.
    expect(lineOf(stored([0, 2, 3]), "out", 4.5).missing).toEqual([]);
  });

  test("is the rate so far where a span is not over, and quantiles of what was timed", () => {
    const hour = 3_600_000;
    const given = stored([0, 60], [{ measure: "latency", label: "3", values: [10, 0] }]);
    const { lines } = picturesOf({ ...given, span: "hour", stepMs: hour }, { fromMs: 0, nowMs: hour + 600_000 });
    expect(lines.out?.[0]?.values).toEqual([0, 6]);
    expect(lines.latency?.map(({ label, values }) => [label, values[1]])).toEqual([
      ["p99", null],
      ["p95", null],
      ["p50", null],
    ]);
    expect(lines.latency?.[2]?.values[0]).toBeCloseTo(0.75, 5);
  });

  test("has what there is most of first, the rest as one line, and nodes only while they are there", () => {
    const refused = Array.from(
      { length: 9 },
      (_, at) => ({ measure: "refused", label: `r${at}`, values: [at * 60, 0] }) as const,
    );
    const nodes = [
      { measure: "memory", label: "a", values: [5, 5] },
      { measure: "memory", label: "b", values: [0, 7] },
      { measure: "lag", label: "a", values: [0, 3] },
      { measure: "lag", label: "b", values: [0, 2] },
    ] as const;
    const given = stored([0, 1], [...refused, ...nodes]);
    const labels = lineOf(given, "refused", 2).lines?.map(([label]) => label);
    expect(labels).toEqual(["r8", "r7", "r6", "r5", "r4", "other"]);
    expect(lineOf(given, "refused", 2).lines?.at(-1)?.[1]).toEqual([6 * 60, 0]);
    expect(lineOf(given, "lag", 2).lines).toEqual([
      ["a", [0, 3]],
      ["b", [null, 2]],
    ]);
    const changes = [
      { id: 1, atMs: 30_000, who: "anna", what: "node.drain", detail: {} },
      { id: 2, atMs: 40_000, who: "anna", what: "session.start", detail: {} },
    ];
    expect(marksOf(given, changes)).toEqual([
      { atMs: 30_000, label: "node drained" },
      { atMs: 60_000, label: "b started" },
    ]);
  });

  test("seconds have the same shape", () => {
    const points = [
      { ...noStatistics(), atMs: 1_000, messagesOut: 4, refused: { unauthorized: 2 } },
      { ...noStatistics(), atMs: 2_000, latency: [0, 3] },
    ];
    const { lines, missing } = picturesOf(insightsOf(points), { fromMs: 1_000, nowMs: 3_000 });
    expect([lines.out?.[0]?.values, lines.refused?.[0]?.values, missing]).toEqual([[4, 0], [120, 0], []]);
    expect(lines.latency?.map(({ values }) => values[0])).toEqual([null, null, null]);
    expect(lines.lag).toEqual([]);
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
