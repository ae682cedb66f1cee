/** Spans put together, where a chart has less room than there are: sums are added up, peaks stay, of what is there the last counts. */

import type { InsightLine, Insights } from "fanfare/wire/admin";

/** With how long each of its spans was counted. */
export interface Coarse extends Insights {
  readonly lengthsMs: readonly number[];
}

/** Times a span: round numbers of minutes and hours come of them. */
const FACTORS = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 24, 30, 40, 60, 120, 240, 480, 720, 1_440, 2_880];

/** How long a point is, so that each has at least so much time. */
export function pointMs(stepMs: number, leastMs: number): number {
  const factor = FACTORS.find((times) => times * stepMs >= leastMs) ?? FACTORS.at(-1) ?? 1;
  return stepMs * factor;
}

type Join = "sum" | "peak" | "last";
const JOINS: Readonly<Record<InsightLine["measure"], Join>> = {
  ...{ refused: "sum", resumed: "sum", webhooks: "sum", latency: "sum" },
  ...{ lag: "peak", memory: "peak", connections: "last", nodes: "last" },
};
const TOTAL_JOINS: Readonly<Partial<Record<keyof Insights["totals"], Join>>> = {
  connections: "last",
  peakConnections: "peak",
};

export function coarser(given: Insights, toMs: number, nowMs: number): Coarse {
  const { times, stepMs, span } = given;
  // A span of hours or days that is not over yet is as long as it has lasted.
  const lengthOf = (atMs: number) => (span === "interval" ? stepMs : Math.max(1_000, Math.min(stepMs, nowMs - atMs)));
  const starts = times.map((atMs) => Math.floor(atMs / toMs) * toMs);
  const joined = [...new Set(starts)];
  const places = new Map(joined.map((atMs, place) => [atMs, place]));
  const into = (values: readonly number[], join: Join) => {
    const result = joined.map(() => 0);
    for (const [at, start] of starts.entries()) {
      const [place, value] = [places.get(start) ?? 0, values[at] ?? 0];
      const before = result[place] ?? 0;
      result[place] = join === "sum" ? before + value : join === "peak" ? Math.max(before, value) : value;
    }
    return result;
  };
  const totals = Object.entries(given.totals).map(([name, values]) => {
    return [name, into(values, TOTAL_JOINS[name as keyof Insights["totals"]] ?? "sum")];
  });
  return {
    ...given,
    ...{ times: joined, stepMs: toMs, lengthsMs: into(times.map(lengthOf), "sum") },
    totals: Object.fromEntries(totals) as Insights["totals"],
    measures: given.measures.map(({ measure, label, values }) => {
      return { measure, label, values: into(values, JOINS[measure]) };
    }),
  };
}
