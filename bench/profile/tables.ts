/** What the profiler found, as tables. */

import { fixed, markdown, times } from "../table.ts";
import { type Costs, maySchedule } from "./measure.ts";
import type { Workload } from "./workloads.ts";

const MAIN = "main";
/** As Bun calls its threads. */
const THREADS: Readonly<Record<string, string>> = {
  JITWorker: "compiler",
  JSCWarmUp: "compiler",
  HeapHelper: "garbage",
};

const OUTSIDE = "Bun and the kernel";

/** Microseconds per operation, and their share of the whole. */
export function partsTable(measured: readonly (readonly [Workload, Costs])[]): string {
  const each = measured.map(([, costs]) => partsOf(costs));
  const names = [...new Set(each.flatMap((parts) => [...parts.keys()]))];
  const sum = (name: string) => each.reduce((all, parts) => all + (parts.get(name) ?? 0), 0);
  const cell = (us: number, { us: whole }: Costs) => `${fixed(us, 2)} (${fixed((us / whole) * 100, 0)} %)`;
  const row = (name: string) => [name, ...measured.map(([, costs], at) => cell(each[at]?.get(name) ?? 0, costs))];
  const whole = (name: string, text: (costs: Costs) => string) => [name, ...measured.map(([, costs]) => text(costs))];
  return markdown({
    title: `Where the time goes: one ${measured[0]?.[0].operation}`,
    note: [
      "Microseconds of the server's CPU per operation, and their share. What it all costs is measured without the profiler,",
      "how it divides with it. Garbage is part of the rows above it, where it was collected.",
      ...(maySchedule()
        ? []
        : ["Roughly: as root, with chrt and taskset, the profiler would see short and long calls alike."]),
    ].join("\n"),
    head: ["part", ...measured.map(([{ name }]) => name)],
    rows: [
      ...names.sort((a, b) => sum(b) - sum(a)).map(row),
      whole("all", ({ us }) => `${fixed(us, 2)} µs`),
      whole("of it garbage", ({ garbageUs }) => `${fixed(garbageUs, 2)} µs`),
      whole(measured[0]?.[0].bare ?? "", ({ bareUs }) => `${fixed(bareUs, 2)} µs`),
      whole("ratio", ({ us, bareUs }) => times(us / bareUs)),
    ],
  });
}

function partsOf({ threadsUs, jsShare, shares }: Costs): Map<string, number> {
  const mainUs = threadsUs.get(MAIN) ?? 0;
  const parts = new Map([...shares.parts].map(([name, share]) => [name, share * jsShare * mainUs]));
  parts.set(OUTSIDE, (1 - jsShare) * mainUs);
  for (const [name, us] of threadsUs) {
    if (name === MAIN || us < 0.005) continue;
    const thread = `threads: ${THREADS[name] ?? "others"}`;
    parts.set(thread, (parts.get(thread) ?? 0) + us);
  }
  return parts;
}

export function functionsTable(
  { name, operation }: Workload,
  { shares, jsShare, threadsUs }: Costs,
  count: number,
): string {
  const mainUs = threadsUs.get(MAIN) ?? 0;
  const dearest = [...shares.functions].sort(([, a], [, b]) => b - a).slice(0, count);
  return markdown({
    title: `Dearest functions: ${operation}, ${name}`,
    note: "Their own time, without what they call.",
    head: ["function", "µs per operation"],
    rows: dearest.map(([place, share]) => [place, fixed(share * jsShare * mainUs, 3)]),
  });
}
