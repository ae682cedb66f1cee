/** The numbers of each app and node in a table: one row an interval, added up to rows of hours and days as they come. */

import type { Point } from "../../admin/api-types.ts";
import type { Database } from "../../database/open.ts";
import type { StatisticTable } from "../../database/schema.ts";
import {
  type AppStatistics,
  addStatistics,
  type StatisticsQuestion,
  statisticsOf,
} from "../../domain/app-statistics.ts";
import { addToSpans, endedNodes, forgetSpans, type Span } from "./spans.ts";

/** What is forgotten together. */
const TABLES = ["fanfare_statistics", "fanfare_series"] as const;

export class StatisticsStore {
  readonly #db: Database["query"];
  readonly #node: string;

  constructor(database: Database, node: string) {
    this.#db = database.query;
    this.#node = node;
  }

  /** `intervalMs` says how long a span the numbers are of. */
  async add(numbers: ReadonlyMap<string, AppStatistics>, nowMs: number, intervalMs: number): Promise<void> {
    await addToSpans(this.#db, [...numbers], { nowMs, intervalMs }, (...page) => this.#put(...page));
  }

  /** Oldest first; spans in which nothing was counted are missing. The nodes' peaks are added up: no node knows the others'. */
  async series(question: StatisticsQuestion): Promise<readonly Point[]> {
    if (question.nodes?.length === 0) return [];
    const sums = this.#asked(question).select(({ fn }) => [
      "at",
      ...Object.values(COLUMNS).map((name) => fn.sum(name).as(name)),
    ]);
    const rows = await sums.groupBy("at").orderBy("at").execute();
    const gone = await this.#goneConnections(question);
    return rows.map((row) => {
      const [atMs, numbers] = [Number(row.at), numbersOf(row)];
      return { atMs, ...numbers, connections: numbers.connections - (gone.get(atMs) ?? 0) };
    });
  }

  #asked({ app, nodes, span, fromMs, toMs }: StatisticsQuestion) {
    let query = this.#db.selectFrom("fanfare_statistics").where("span", "=", span);
    query = query.where("at", ">=", fromMs).where("at", "<=", toMs);
    if (app !== undefined) query = query.where("app", "=", app);
    return nodes === undefined ? query : query.where("node", "in", nodes);
  }

  /** Of nodes that ended before their hour or day was over: they could not write that their connections are gone. */
  async #goneConnections(question: StatisticsQuestion): Promise<ReadonlyMap<number, number>> {
    const gone = new Map<number, number>();
    if (question.span === "interval") return gone;
    const hasEnded = await endedNodes(this.#db, question);
    const connections = this.#asked(question).select(({ fn }) => ["node", "at", fn.sum("connections").as("sum")]);
    for (const { node, at, sum } of await connections.groupBy(["node", "at"]).execute()) {
      const atMs = Number(at);
      if (hasEnded(node, atMs)) gone.set(atMs, (gone.get(atMs) ?? 0) + Number(sum));
    }
    return gone;
  }

  /** Forgets what is from before that time, of one app or of all, and yields after each page how many rows went with it. */
  async *forget(beforeMs: number, nowMs: number, app?: string): AsyncGenerator<number> {
    for (const table of TABLES) yield* forgetSpans(this.#db, table, { beforeMs, nowMs, app });
  }

  /** Forgets everything, of one app or of all; how many rows. */
  async flush(app?: string): Promise<number> {
    let count = 0;
    for (const table of TABLES) {
      let query = this.#db.deleteFrom(table);
      if (app !== undefined) query = query.where("app", "=", app);
      count += Number((await query.executeTakeFirst()).numDeletedRows);
    }
    return count;
  }

  /** Only this node writes its rows, so nobody comes between the reading and the writing. */
  async #put(
    inside: Database["query"],
    page: readonly (readonly [app: string, numbers: AppStatistics])[],
    span: Span,
    at: number,
  ): Promise<void> {
    const key = { node: this.#node, span, at };
    const apps = page.map(([app]) => app);
    const rows = await inside
      .selectFrom("fanfare_statistics")
      .selectAll()
      .where("app", "in", apps)
      .where(({ and }) => and(key))
      .execute();
    const known = new Map(rows.map((row) => [row.app, numbersOf(row)]));
    if (rows.length > 0) {
      const old = inside.deleteFrom("fanfare_statistics").where("app", "in", [...known.keys()]);
      await old.where(({ and }) => and(key)).execute();
    }
    const values = page.map(([app, now]) => ({ app, ...key, ...columnsOf(together(known.get(app), now)) }));
    await inside.insertInto("fanfare_statistics").values(values).execute();
  }
}

/** The counts of both; the connections as they are now. */
function together(before: AppStatistics | undefined, now: AppStatistics): AppStatistics {
  if (!before) return now;
  const peakConnections = Math.max(before.peakConnections, now.peakConnections);
  return { ...addStatistics(before, now), connections: now.connections, peakConnections };
}

type Columns = Omit<StatisticTable, "app" | "node" | "span" | "at">;

const COLUMNS: Readonly<Record<keyof AppStatistics, keyof Columns>> = {
  peakConnections: "peak_connections",
  connections: "connections",
  messagesIn: "messages_in",
  messagesOut: "messages_out",
  apiMessages: "api_messages",
  bytesIn: "bytes_in",
  bytesOut: "bytes_out",
  subscribeFailures: "subscribe_failures",
  authFailures: "auth_failures",
};

function columnsOf(numbers: AppStatistics): Columns {
  const names = Object.keys(COLUMNS) as (keyof AppStatistics)[];
  return Object.fromEntries(names.map((name) => [COLUMNS[name], numbers[name]])) as unknown as Columns;
}

/** Databases answer a sum as a number or as text. */
function numbersOf(row: Readonly<Record<keyof Columns, unknown>>): AppStatistics {
  return statisticsOf((name) => Number(row[COLUMNS[name]]));
}
