/** Who did what: in the database's table, or where there is none, the last of it in memory. */

import type { Database } from "../database/open.ts";
import { DELETE_PAGE } from "../database/retention.ts";
import type { App } from "../domain/app.ts";
import type { TokenBucket } from "../domain/connection.ts";
import type { HubEvent, Steered } from "../domain/hub-event.ts";
import type { PurgeRange } from "../domain/message.ts";
import { type Clock, ignoringPublications, type Observer } from "../domain/ports.ts";
import { takeToken } from "../hub/token-bucket.ts";
import type { AuditEntry } from "./api-types.ts";

export interface AuditLog {
  /** Whether it outlives the process. */
  readonly isPersistent: boolean;
  /** Never throws: what was done is done. */
  record(who: string, what: string, detail: Readonly<Record<string, unknown>>): Promise<void>;
  /** Newest first. Throws what the database says. */
  list(limit: number, before?: number): Promise<readonly AuditEntry[]>;
}

export interface AuditLogOptions {
  readonly database: Pick<Database, "query"> | undefined;
  readonly nowMs: () => number;
  readonly failed: (error: unknown, during: string) => void;
}

const MAX_IN_MEMORY = 500;

export function createAuditLog({ database, nowMs, failed }: AuditLogOptions): AuditLog {
  return database ? new SqlAuditLog(database, nowMs, failed) : new MemoryAuditLog(nowMs);
}

/** Deletes the entries before that time, page by page, and yields how many each page had. */
export async function* deleteAuditEntries(db: Database["query"], beforeMs: number): AsyncGenerator<number> {
  while (true) {
    const old = db.selectFrom("fanfare_audit").select("id").where("at", "<", beforeMs);
    const page = await old.orderBy("at").limit(DELETE_PAGE).execute();
    if (page.length === 0) return;
    const ids = page.map(({ id }) => id);
    yield Number((await db.deleteFrom("fanfare_audit").where("id", "in", ids).executeTakeFirst()).numDeletedRows);
    if (page.length < DELETE_PAGE) return;
  }
}

class SqlAuditLog implements AuditLog {
  readonly isPersistent = true;
  readonly #db: Database["query"];
  readonly #nowMs: () => number;
  readonly #failed: AuditLogOptions["failed"];
  /** What could not be written yet. */
  readonly #owed: { at: number; who: string; what: string; detail: string }[] = [];

  constructor(database: Pick<Database, "query">, nowMs: () => number, failed: AuditLogOptions["failed"]) {
    this.#db = database.query;
    this.#nowMs = nowMs;
    this.#failed = failed;
  }

  async record(who: string, what: string, detail: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.#owed.length >= MAX_IN_MEMORY) this.#owed.shift();
    this.#owed.push({ at: this.#nowMs(), who: columnText(who), what, detail: JSON.stringify(detail) });
    const rows = this.#owed.splice(0);
    try {
      await this.#db.insertInto("fanfare_audit").values(rows).execute();
    } catch (error) {
      this.#owed.unshift(...rows);
      this.#failed(error, `writing to the audit log that ${who} did ${what}`);
    }
  }

  async list(limit: number, before?: number): Promise<readonly AuditEntry[]> {
    let query = this.#db.selectFrom("fanfare_audit").selectAll();
    if (before !== undefined) query = query.where("id", "<", before);
    const rows = await query.orderBy("id", "desc").limit(limit).execute();
    return rows.map(({ id, at, who, what, detail }) => {
      return { id: Number(id), atMs: Number(at), who, what, detail: parseDetail(detail) };
    });
  }
}

class MemoryAuditLog implements AuditLog {
  readonly isPersistent = false;
  readonly #nowMs: () => number;
  readonly #entries: AuditEntry[] = [];
  #count = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  async record(who: string, what: string, detail: Readonly<Record<string, unknown>>): Promise<void> {
    this.#entries.push({ id: ++this.#count, atMs: this.#nowMs(), who, what, detail });
    if (this.#entries.length > MAX_IN_MEMORY) this.#entries.shift();
  }

  async list(limit: number, before = Number.POSITIVE_INFINITY): Promise<readonly AuditEntry[]> {
    return this.#entries
      .filter(({ id }) => id < before)
      .slice(-limit)
      .reverse();
  }
}

/** A name that a token or a program gave may be anything: as much of it as the column holds, and without what PostgreSQL refuses. */
function columnText(who: string): string {
  return who.slice(0, 255).replaceAll(/[\p{Cc}\p{Cs}]/gu, "\ufffd");
}

function parseDetail(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : { value };
  } catch {
    return { text };
  }
}

// ---- what back ends and programs do

const NAMES: Readonly<Record<Steered["act"], string>> = {
  subscribe: "channel.subscribe",
  unsubscribe: "channel.unsubscribe",
  kick: "channel.kick",
  ban: "user.ban",
  unban: "user.unban",
  disconnect: "connection.disconnect",
  reconnect: "connection.reconnect",
};
/** An app may do one thing for each of its users, all day: of each, so many at once are written, and one a second. */
const BURST = 60;
const PER_SECOND = 1;

interface Frequency {
  readonly bucket: TokenBucket;
  /** How many are not in the log since the last that is. */
  omitted: number;
}

/** What back ends and programs do to clients and to histories belongs in the log, beside what operators do. */
export function auditAppActs(audit: Pick<AuditLog, "record">, clock: Clock): Observer {
  const frequencies = new Map<string, Frequency>();
  return ignoringPublications((event) => {
    // An operator's is in the log already, under the operator's name.
    if ((event.type !== "purged" && event.type !== "steered") || event.byOperator) return;
    const { app } = event;
    const { what, detail } = event.type === "purged" ? purgeOf(event) : steeringOf(event);
    const nowMs = clock.monotonicMs();
    const key = `${what} ${app.id}`;
    const frequency = frequencies.get(key) ?? { bucket: { tokens: BURST, atMs: nowMs }, omitted: 0 };
    frequencies.set(key, frequency);
    if (takeToken(frequency.bucket, nowMs, PER_SECOND, BURST) !== undefined) return void frequency.omitted++;
    const { omitted } = frequency;
    frequency.omitted = 0;
    void audit.record(nameOf(app), what, { ...detail, ...(omitted > 0 && { omitted }) });
  });
}

interface Entry {
  readonly what: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

function purgeOf({ app, channel, purged, range }: Extract<HubEvent, { type: "purged" }>): Entry {
  return { what: "history.purge", detail: { app: app.id, channel, purged, ...boundOf(range) } };
}

function steeringOf({ app, act, whose, channel, connections }: Steered): Entry {
  const what = act === "disconnect" && "user" in whose ? "user.terminate" : NAMES[act];
  return { what, detail: { app: app.id, ...whose, ...(channel !== undefined && { channel }), connections } };
}

/** Whoever has the app's secret, or its program. No operator's name has a space. */
function nameOf({ id }: App): string {
  return `app ${id}`;
}

function boundOf(range: PurgeRange): Readonly<Record<string, unknown>> {
  switch (range.type) {
    case "all":
      return {};
    case "before":
      return { before: range.position };
    case "older":
      return { toMs: range.toMs };
    case "event":
      return { event: range.position };
  }
}
