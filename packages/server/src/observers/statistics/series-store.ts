/** Measurements of each app and node in a table: one row an interval, hour and day for each measure and label. */

import type { Database } from "../../database/open.ts";
import type { Measured, StatisticsQuestion, StoredMeasure } from "../../domain/app-statistics.ts";
import { MEASURES, type Measure } from "./measurements.ts";
import { addToSpans, endedNodes, type Span, spanSteps } from "./spans.ts";

/** That are read at most: a chart of a day with 30 values a minute takes 45 000. */
const MOST_ROWS = 200_000;
/** What was refused of no app that there is is no other app's, though it is the node's. */
const OF_NODES: readonly Measure[] = ["latency", "lag", "memory"];

export class SeriesStore {
  readonly #db: Database["query"];
  readonly #node: string;

  constructor(database: Pick<Database, "query">, node: string) {
    this.#db = database.query;
    this.#node = node;
  }

  async add(taken: ReadonlyMap<string, readonly Measured[]>, nowMs: number, intervalMs: number): Promise<void> {
    await addToSpans(this.#db, [...taken], { nowMs, intervalMs }, (...page) => this.#put(...page));
  }

  /**
   * Oldest first; of more than `MOST_ROWS` the newest. What a node had that ended before its hour or day was over is zero at the end.
   * What is of whole nodes is always among it.
   */
  async series({ app, span, fromMs, toMs }: StatisticsQuestion): Promise<readonly StoredMeasure[]> {
    let query = this.#db
      .selectFrom("fanfare_series")
      .select(({ fn }) => ["node", "at", "measure", "label", fn.sum("value").as("value")])
      .where("span", "=", span)
      .where("at", ">=", fromMs)
      .where("at", "<=", toMs);
    if (app !== undefined)
      query = query.where(({ eb, or }) => or([eb("app", "=", app), eb("measure", "in", OF_NODES)]));
    const summed = query.groupBy(["node", "at", "measure", "label"]);
    const rows = await summed.orderBy("at", "desc").limit(MOST_ROWS).execute();
    const hasEnded = await endedNodes(this.#db, { span, fromMs, toMs });
    return rows.reverse().map(({ at, node, label, value, ...row }) => {
      const [measure, atMs] = [row.measure as Measure, Number(at)];
      const isGone = MEASURES[measure] === "last" && hasEnded(node, atMs);
      return { node, measure, label, value: isGone ? 0 : Number(value), atMs };
    });
  }

  /** When the first was stored, as closely as it is still known. */
  async since(): Promise<number | undefined> {
    const [interval, hour, day] = [await this.#first("interval"), await this.#first("hour"), await this.#first("day")];
    const steps = spanSteps(0);
    let first = interval;
    // An hour and a day begin before they were written to for the first time.
    if (hour < first - steps.hour) first = hour;
    if (day < first - steps.day) first = day;
    return Number.isFinite(first) ? first : undefined;
  }

  /** By the index: to group by the span, a database goes through all of it. */
  async #first(span: Span): Promise<number> {
    const rows = this.#db.selectFrom("fanfare_series").select("at").where("span", "=", span);
    return Number((await rows.orderBy("at").limit(1).executeTakeFirst())?.at ?? Number.POSITIVE_INFINITY);
  }

  /** Only this node writes its rows, so nobody comes between the reading and the writing. */
  async #put(
    inside: Database["query"],
    page: readonly (readonly [string, readonly Measured[]])[],
    span: Span,
    at: number,
  ): Promise<void> {
    const key = { node: this.#node, span, at };
    const apps = page.map(([app]) => app);
    const stored = await inside
      .selectFrom("fanfare_series")
      .select(["app", "measure", "label", "value"])
      .where("app", "in", apps)
      .where(({ and }) => and(key))
      .execute();
    const rows = new Map(stored.map((row) => [nameOf(row), { ...row, value: Number(row.value) }]));
    for (const [app, all] of page) {
      for (const { measure, label, value } of all) {
        const row = { app, measure, label };
        rows.set(nameOf(row), { ...row, value: together(measure, rows.get(nameOf(row))?.value, value) });
      }
    }
    if (stored.length > 0) {
      const old = inside.deleteFrom("fanfare_series").where("app", "in", apps);
      await old.where(({ and }) => and(key)).execute();
    }
    const values = Array.from(rows.values(), (row) => ({ ...key, ...row }));
    await inside.insertInto("fanfare_series").values(values).execute();
  }
}

function together(measure: Measure, before: number | undefined, now: number): number {
  if (before === undefined || MEASURES[measure] === "last") return Math.round(now);
  return Math.round(MEASURES[measure] === "sum" ? before + now : Math.max(before, now));
}

function nameOf({ app, measure, label }: { readonly app: string; readonly measure: string; readonly label: string }) {
  return JSON.stringify([app, measure, label]);
}
