/** The spans of time for which numbers are stored, and how long each is kept: intervals for looking closely, days for long. */

import type { Kysely } from "kysely";
import { DELETE_PAGE as OLD_PAGE } from "../../database/retention.ts";
import type { Tables } from "../../database/schema.ts";

export const SPANS = ["interval", "hour", "day"] as const;
export type Span = (typeof SPANS)[number];

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Rows of intervals and hours are for looking closely; what is older is kept by the day. */
const KEEP_INTERVALS_MS = 2 * DAY_MS;
const KEEP_HOURS_MS = 31 * DAY_MS;

export function spanSteps(intervalMs: number): Readonly<Record<Span, number>> {
  return { interval: intervalMs, hour: HOUR_MS, day: DAY_MS };
}

export function floor(ms: number, spanMs: number): number {
  return Math.floor(ms / spanMs) * spanMs;
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
