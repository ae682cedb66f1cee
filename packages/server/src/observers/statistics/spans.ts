/**
 * The spans of time for which numbers are stored, how long each is kept (intervals for looking closely, days for long), and which
 * nodes had ended before one was over.
 */

import type { Kysely } from "kysely";
import type { Database } from "../../database/open.ts";
import { DELETE_PAGE as OLD_PAGE } from "../../database/retention.ts";
import type { Tables } from "../../database/schema.ts";
import { transact, yieldToMessages } from "../../database/transact.ts";
import type { StatisticsQuestion } from "../../domain/app-statistics.ts";

export type Span = StatisticsQuestion["span"];
const SPANS: readonly Span[] = ["interval", "hour", "day"];
/** Apps that are written at a time: 5 ms in SQLite. */
const PAGE = 50;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Rows of intervals and hours are for looking closely; what is older is kept by the day. */
const KEEP_INTERVALS_MS = 2 * DAY_MS;
const KEEP_HOURS_MS = 31 * DAY_MS;

export function spanSteps(intervalMs: number): Readonly<Record<Span, number>> {
  return { interval: intervalMs, hour: HOUR_MS, day: DAY_MS };
}

function floor(ms: number, spanMs: number): number {
  return Math.floor(ms / spanMs) * spanMs;
}

/** All of it or nothing: what was counted of each app, by the page, into its interval, hour and day. */
export async function addToSpans<Counted>(
  db: Database["query"],
  counted: readonly (readonly [app: string, counted: Counted])[],
  { nowMs, intervalMs }: { readonly nowMs: number; readonly intervalMs: number },
  put: (inside: Database["query"], page: typeof counted, span: Span, at: number) => Promise<void>,
): Promise<void> {
  if (counted.length === 0) return;
  const steps = spanSteps(intervalMs);
  await transact(db, async (inside) => {
    for (let from = 0; from < counted.length; from += PAGE) {
      for (const span of SPANS) {
        await put(inside, counted.slice(from, from + PAGE), span, floor(nowMs, steps[span]));
        await yieldToMessages();
      }
    }
  });
}

/** Both tables have spans. */
type SpanTable = "fanfare_statistics" | "fanfare_series";

export interface Forgetting {
  readonly beforeMs: number;
  readonly nowMs: number;
  /** All apps where none is named. */
  readonly app: string | undefined;
}

/** Forgets what is from before that time, and yields after each page how many rows went with it. */
export async function* forgetSpans(
  db: Kysely<Tables>,
  table: SpanTable,
  { beforeMs, nowMs, app }: Forgetting,
): AsyncGenerator<number> {
  const oldest = { interval: nowMs - KEEP_INTERVALS_MS, hour: nowMs - KEEP_HOURS_MS, day: 0 };
  for (const span of SPANS) yield* forgetSpan(db, table, span, Math.max(beforeMs, oldest[span]), app);
}

/** A page ends with a time: what all nodes counted of all apps at that time goes with it. */
async function* forgetSpan(
  db: Kysely<Tables>,
  table: SpanTable,
  span: Span,
  beforeMs: number,
  app: string | undefined,
): AsyncGenerator<number> {
  while (true) {
    let old = db.selectFrom(table).where("span", "=", span).where("at", "<", beforeMs);
    if (app !== undefined) old = old.where("app", "=", app);
    const last = await old.select("at").orderBy("at").limit(1).offset(OLD_PAGE).executeTakeFirst();
    let page = db.deleteFrom(table).where("span", "=", span).where("at", "<", beforeMs);
    if (app !== undefined) page = page.where("app", "=", app);
    if (last) page = page.where("at", "<=", last.at);
    yield Number((await page.executeTakeFirst()).numDeletedRows);
    if (!last) return;
  }
}

type AskedSpans = Pick<StatisticsQuestion, "span" | "fromMs" | "toMs">;

/** Timers run late: a node that wrote in one of the latest intervals is taken to be there. */
const LATEST_INTERVALS = 3;
/** Spans after which no node counted at all, which are looked at closely: where a whole cluster stood still. */
const MOST_LAST_SPANS = 20;

type HasEnded = (node: string, atMs: number) => boolean;

/**
 * A node that is killed cannot write that its connections are gone, so they are taken off what it wrote of an hour or a day. Every
 * node writes its lag in every interval, however idle it is. Of one that never did nothing is known: it is taken to be there.
 */
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
