/** The numbers of each app and node in a table: one row an interval, added up to rows of hours and days as they come. */

import type { Transaction } from "kysely";
import type { Database } from "../../database/open.ts";
import type { StatisticTable, Tables } from "../../database/schema.ts";
import { type Numbers, nothing, sum } from "../../domain/numbers.ts";

export const SPANS = ["interval", "hour", "day"] as const;
export type Span = (typeof SPANS)[number];

/** What all nodes together counted in one span of time that began at `atMs`. */
export interface Point extends Numbers {
  readonly atMs: number;
}

export interface Question {
  readonly app: string;
  readonly span: Span;
  readonly fromMs: number;
  readonly toMs: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Rows of intervals and hours are for looking closely; what is older is kept by the day. */
const KEEP_INTERVALS_MS = 2 * DAY_MS;
const KEEP_HOURS_MS = 31 * DAY_MS;

export class StatisticsStore {
  readonly #db: Database["query"];
  readonly #node: string;

  constructor(database: Database, node: string) {
    this.#db = database.query;
    this.#node = node;
  }

  /** All of it or nothing. `intervalMs` says how long a span the numbers are of. */
  async add(numbers: ReadonlyMap<string, Numbers>, nowMs: number, intervalMs: number): Promise<void> {
    if (numbers.size === 0) return;
    await this.#db.transaction().execute(async (inside) => {
      for (const [app, its] of numbers) {
        await this.#put(inside, app, "interval", floor(nowMs, intervalMs), its);
        await this.#put(inside, app, "hour", floor(nowMs, HOUR_MS), its);
        await this.#put(inside, app, "day", floor(nowMs, DAY_MS), its);
      }
    });
  }

  /** Oldest first; spans in which nothing was counted are missing. The nodes' peaks are added up: no node knows the others'. */
  async series({ app, span, fromMs, toMs }: Question): Promise<readonly Point[]> {
    const rows = await this.#db
      .selectFrom("fanfare_statistics")
      .selectAll()
      .where("app", "=", app)
      .where("span", "=", span)
      .where("at", ">=", fromMs)
      .where("at", "<=", toMs)
      .orderBy("at")
      .execute();
    const points = new Map<number, Numbers>();
    for (const row of rows) points.set(row.at, sum(points.get(row.at) ?? nothing(), numbersOf(row)));
    return [...points].map(([atMs, numbers]) => ({ atMs, ...numbers }));
  }

  /** Forgets what is older than so many days, of one app or of all; how many rows. */
  async clean(nowMs: number, days: number, app?: string): Promise<number> {
    const oldest = { interval: KEEP_INTERVALS_MS, hour: KEEP_HOURS_MS, day: Number.POSITIVE_INFINITY };
    let count = 0;
    for (const span of SPANS) {
      const before = nowMs - Math.min(days * DAY_MS, oldest[span]);
      let query = this.#db.deleteFrom("fanfare_statistics").where("span", "=", span).where("at", "<", before);
      if (app !== undefined) query = query.where("app", "=", app);
      count += Number((await query.executeTakeFirst()).numDeletedRows);
    }
    return count;
  }

  /** Forgets everything, of one app or of all; how many rows. */
  async flush(app?: string): Promise<number> {
    let query = this.#db.deleteFrom("fanfare_statistics");
    if (app !== undefined) query = query.where("app", "=", app);
    return Number((await query.executeTakeFirst()).numDeletedRows);
  }

  /** Only this node writes its rows, so nobody comes between the reading and the writing. */
  async #put(inside: Transaction<Tables>, app: string, span: Span, at: number, numbers: Numbers): Promise<void> {
    const key = { app, node: this.#node, span, at };
    const known = await inside
      .selectFrom("fanfare_statistics")
      .selectAll()
      .where(({ and }) => and(key))
      .executeTakeFirst();
    if (!known) {
      await inside
        .insertInto("fanfare_statistics")
        .values({ ...key, ...columnsOf(numbers) })
        .execute();
      return;
    }
    const before = numbersOf(known);
    const peakConnections = Math.max(before.peakConnections, numbers.peakConnections);
    const after = { ...sum(before, numbers), connections: numbers.connections, peakConnections };
    await inside
      .updateTable("fanfare_statistics")
      .set(columnsOf(after))
      .where(({ and }) => and(key))
      .execute();
  }
}

function floor(ms: number, spanMs: number): number {
  return Math.floor(ms / spanMs) * spanMs;
}

type Columns = Omit<StatisticTable, "app" | "node" | "span" | "at">;

function columnsOf(numbers: Numbers): Columns {
  return {
    peak_connections: numbers.peakConnections,
    connections: numbers.connections,
    messages_in: numbers.messagesIn,
    messages_out: numbers.messagesOut,
    api_messages: numbers.apiMessages,
    bytes_in: numbers.bytesIn,
    bytes_out: numbers.bytesOut,
    subscribe_failures: numbers.subscribeFailures,
    auth_failures: numbers.authFailures,
  };
}

function numbersOf(row: Columns): Numbers {
  return {
    peakConnections: row.peak_connections,
    connections: row.connections,
    messagesIn: row.messages_in,
    messagesOut: row.messages_out,
    apiMessages: row.api_messages,
    bytesIn: row.bytes_in,
    bytesOut: row.bytes_out,
    subscribeFailures: row.subscribe_failures,
    authFailures: row.auth_failures,
  };
}
