/** Which nodes had ended before an hour or a day was over: a node that is killed cannot write that its connections are gone. */

import type { Database } from "../../database/open.ts";
import type { StatisticsQuestion } from "../../domain/app-statistics.ts";
import { spanSteps } from "./spans.ts";

type AskedSpans = Pick<StatisticsQuestion, "span" | "fromMs" | "toMs">;

/** Timers run late: a node that wrote in one of the latest intervals is taken to be there. */
const LATEST_INTERVALS = 3;
/** Spans after which no node counted at all, which are looked at closely: where a whole cluster stood still. */
const MOST_LAST_SPANS = 20;

export type HasEnded = (node: string, atMs: number) => boolean;

/** Every node writes its lag in every interval, however idle it is. Of one that never did nothing is known: it is taken to be there. */
export async function endedNodes(db: Database["query"], { span, fromMs, toMs }: AskedSpans): Promise<HasEnded> {
  if (span === "interval") return () => false;
  const stepMs = spanSteps(0)[span];
  const present = await presentNodes(db, { span, fromMs, toMs: toMs + stepMs });
  const lasting = new Map<number, ReadonlySet<string>>();
  const last = [...present.keys()].filter((atMs) => !present.has(atMs + stepMs)).sort((one, other) => other - one);
  for (const atMs of last.slice(0, MOST_LAST_SPANS)) {
    const until = await presentNodes(db, { span: "interval", fromMs: atMs, toMs: atMs + stepMs - 1 });
    const latest = [...until.keys()].sort((one, other) => other - one).slice(0, LATEST_INTERVALS);
    // Intervals of long ago are forgotten.
    if (latest.length > 0) lasting.set(atMs, new Set(latest.flatMap((at) => [...(until.get(at) ?? [])])));
  }
  return (node, atMs) => {
    if (!present.get(atMs)?.has(node)) return false;
    const after = present.get(atMs + stepMs) ?? lasting.get(atMs);
    return after !== undefined && !after.has(node);
  };
}

async function presentNodes(
  db: Database["query"],
  { span, fromMs, toMs }: AskedSpans,
): Promise<ReadonlyMap<number, ReadonlySet<string>>> {
  const rows = await db
    .selectFrom("fanfare_series")
    .select(["node", "at"])
    .where("span", "=", span)
    .where("at", ">=", fromMs)
    .where("at", "<=", toMs)
    .where("measure", "=", "lag")
    .execute();
  const present = new Map<number, Set<string>>();
  for (const { node, at } of rows) {
    const nodes = present.get(Number(at));
    if (nodes) nodes.add(node);
    else present.set(Number(at), new Set([node]));
  }
  return present;
}
