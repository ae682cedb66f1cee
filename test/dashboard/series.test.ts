/** The points of the charts, and the check of JSON: what can be told without a browser. */

import { describe, expect, test } from "bun:test";
import { type ConsoleEntry, fitter, KINDS } from "../../packages/dashboard/src/client/feed.ts";
import { lookAt } from "../../packages/dashboard/src/client/json.ts";
import { csvOf } from "../../packages/dashboard/src/client/pages/insight-csv.ts";
import { compared, insightsOf, marksOf, picturesOf } from "../../packages/dashboard/src/client/pages/insight-lines.ts";
import { chosenTime, rangeOf, Seconds } from "../../packages/dashboard/src/client/pages/series.ts";
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
      lines: [["To clients", [null, 5, 6, null, 10]]],
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
    expect(labels).toEqual(["R8", "R7", "R6", "R5", "R4", "Other"]);
    expect(lineOf(given, "refused", 2).lines?.at(-1)?.[1]).toEqual([6 * 60, 0]);
    expect(lineOf(given, "lag", 2).lines).toEqual([
      ["a", [0, 3]],
      ["b", [null, 2]],
    ]);
    const changes = [
      { id: 1, atMs: 30_000, who: "anna", what: "node.drain", detail: {} },
      { id: 2, atMs: 40_000, who: "anna", what: "session.start", detail: {} },
    ];
    const starts = [
      { node: "b", atMs: 60_000, isAgain: false },
      { node: "a", atMs: 70_000, isAgain: true },
    ];
    expect(marksOf({ starts }, changes)).toEqual([
      { atMs: 30_000, label: "node drained", short: "node drained" },
      { atMs: 60_000, label: "b started", short: "started" },
      { atMs: 70_000, label: "a restarted", short: "restarted" },
    ]);
  });

  test("has fewer points where there is less room: sums are added up, peaks stay, of what is there the last counts", () => {
    const given = stored(
      [0, 1, 2, 3, 4, 5, 6],
      [
        { measure: "connections", label: "pusher websocket tls", values: [1, 2, 3, 4, 5, 6, 7] },
        { measure: "memory", label: "a", values: [9, 8, 9, 1, 1, 1, 1] },
        { measure: "lag", label: "a", values: [5, 80, 3, 1, 1, 1, 2] },
        { measure: "refused", label: "rate_limited", values: [3, 0, 3, 6, 6, 0, 5] },
      ],
    );
    const { timesMs, pointMs, lines } = picturesOf(given, { fromMs: 0, nowMs: 7 * stepMs, most: 3 });
    expect([timesMs.map((ms) => ms / stepMs), pointMs / stepMs]).toEqual([[0, 3, 6], 3]);
    expect(lines.transports).toEqual([{ label: "Pusher wss", values: [3, 6, 7] }]);
    expect(lines.lag?.[0]?.values).toEqual([80, 1, 2]);
    // Per minute, of a minute that is alone in its point as well.
    expect(lines.refused).toEqual([{ label: "Rate limit", values: [2, 4, 5] }]);
    expect(lines.out?.[0]?.values).toEqual([1, 4, 6]);
  });

  test("is compared with what was before, at the same time of the day, where something is known of it", () => {
    const day = 1440;
    const before = picturesOf(stored([0, 1, 4]), { fromMs: 0, nowMs: 5 * stepMs });
    const now = picturesOf(stored([0, 1, 2, 4, 60].map((minute) => minute + day)), {
      ...{ fromMs: day * stepMs, nowMs: (day + 61) * stepMs },
    });
    const lines = [...(before.lines.out ?? []), { label: "more", values: [10, 10, 10, 10] }];
    const values = compared({ ...before, lines, shiftMs: day * stepMs }, now);
    const at = (minute: number) => values[now.timesMs.indexOf((minute + day) * stepMs)];
    expect([0, 1, 4].map(at)).toEqual([10, 11, 14]);
    expect(at(60)).toBeNull();
  });

  test("is a file for a spreadsheet, in which a name is neither a formula nor two columns", () => {
    const text = csvOf([
      { title: "Out", timesMs: [0, 1_000], lines: [{ label: "to clients", values: [1.23456, null] }] },
      { title: "=In", timesMs: [1_000], lines: [{ label: 'from "a", b', values: [7] }] },
    ]);
    expect(text.split("\r\n")).toEqual([
      `time,Out: to clients,"'=In: from ""a"", b"`,
      "1970-01-01T00:00:00.000Z,1.235,",
      "1970-01-01T00:00:01.000Z,,7",
      "",
    ]);
  });

  test.each([
    [{ from: "2026-12-01T10:00:00Z" }, "interval", 2],
    [{ from: "2026-11-20T10:00:00Z", to: "2026-11-21T10:00:00Z" }, "hour", 24],
    [{ from: "2026-09-01T00:00:00Z", to: "2026-09-03T00:00:00Z" }, "day", 48],
    [{ from: "2026-11-10T00:00:00Z", to: "2026-12-01T00:00:00Z" }, "day", 504],
  ] as const)("a time of one's own, %p, is asked for by %s", (params, span, hours) => {
    const chosen = chosenTime(params);
    if (!chosen) throw new Error("It is no time.");
    const range = rangeOf(chosen, Date.UTC(2026, 11, 1, 12));
    expect([range.span, range.lengthMs / 3_600_000]).toEqual([span, hours]);
  });

  test("a time that ends before it begins is none", () => {
    expect(chosenTime({ from: "2026-12-01T10:00:00Z", to: "2026-12-01T09:00:00Z" })).toBeUndefined();
    expect(chosenTime({ from: "yesterday" })).toBeUndefined();
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
