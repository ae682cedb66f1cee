/** The call for what was stored of the past: sums of apps, and what they are made of, put together over nodes. */

import type { StoredMeasure } from "../../domain/app-statistics.ts";
import { type AppStatistics, noStatistics } from "../../domain/app-statistics.ts";
import type { InsightLine, Insights, Point } from "../api-types.ts";
import { type Handler, idIn, required } from "../call.ts";
import { storedRange } from "./reports.ts";

export const insights: Handler = async (call): Promise<Insights> => {
  const reader = required(call.services.statistics, "This server keeps no statistics: set database.url.");
  const app = idIn(call);
  const node = call.query.get("node") || undefined;
  const { span, stepMs, fromMs, toMs } = storedRange(call, reader.intervalMs);
  const question = { ...(app !== undefined && { app }), span, fromMs, toMs };
  const [measured, sinceMs] = await Promise.all([reader.measures(question), reader.since()]);
  const names = namesOf(measured);
  const nodes = node === undefined ? undefined : [...names].flatMap(([id, name]) => (name === node ? [id] : []));
  const points = await reader.series({ ...question, ...(nodes && { nodes }) });
  const stored = nodes === undefined ? measured : measured.filter((one) => nodes.includes(one.node));
  const times = [...new Set([...points, ...stored].map(({ atMs }) => atMs))].sort((one, other) => one - other);
  // Sums may be older than what they are made of.
  const first = Math.min(sinceMs ?? Number.POSITIVE_INFINITY, times[0] ?? Number.POSITIVE_INFINITY);
  return {
    ...(app !== undefined && { app }),
    ...{ span, stepMs, times, totals: totalsOf(points, times), measures: linesOf(stored, times, names) },
    nodes: [...new Set(names.values())].sort(),
    starts: startsOf(stored, names, times[0]),
    ...(Number.isFinite(first) && { sinceMs: first }),
  };
};

function totalsOf(points: readonly Point[], times: readonly number[]): Insights["totals"] {
  const byTime = new Map(points.map((point) => [point.atMs, point]));
  const none = noStatistics();
  const names = Object.keys(none) as (keyof AppStatistics)[];
  const lines = names.map((name) => [name, times.map((atMs) => byTime.get(atMs)?.[name] ?? 0)] as const);
  return Object.fromEntries(lines) as unknown as Insights["totals"];
}

/** By the id of each node's process. */
function namesOf(stored: readonly StoredMeasure[]): ReadonlyMap<string, string> {
  return new Map(stored.flatMap(({ measure, node, label }) => (measure === "lag" ? [[node, label] as const] : [])));
}

/** Processes that were not there from the beginning. A name that another process had before is a node that started again. */
function startsOf(
  stored: readonly StoredMeasure[],
  names: ReadonlyMap<string, string>,
  beginMs: number | undefined,
): Insights["starts"] {
  const first = new Map<string, number>();
  for (const { measure, node, atMs } of stored) {
    if (measure === "lag") first.set(node, Math.min(atMs, first.get(node) ?? atMs));
  }
  const known = new Set<string>();
  const sorted = [...first].sort(([, one], [, other]) => one - other);
  return sorted.flatMap(([id, atMs]) => {
    const node = names.get(id) ?? id;
    const isAgain = known.has(node);
    known.add(node);
    return atMs === beginMs ? [] : [{ node, atMs, isAgain }];
  });
}

function linesOf(
  stored: readonly StoredMeasure[],
  times: readonly number[],
  names: ReadonlyMap<string, string>,
): readonly InsightLine[] {
  const places = new Map(times.map((atMs, index) => [atMs, index]));
  const lines = new Map<string, { measure: InsightLine["measure"]; label: string; values: number[] }>();
  const put = (measure: InsightLine["measure"], label: string, { atMs, value }: StoredMeasure) => {
    const key = `${measure} ${label}`;
    const line = lines.get(key) ?? { measure, label, values: times.map(() => 0) };
    lines.set(key, line);
    const place = places.get(atMs) ?? 0;
    const before = line.values[place] ?? 0;
    line.values[place] = measure === "lag" || measure === "memory" ? Math.max(before, value) : before + value;
  };
  for (const one of stored) {
    put(one.measure, one.label, one);
    if (one.measure === "connections") put("nodes", names.get(one.node) ?? one.node, one);
  }
  return [...lines.values()];
}
