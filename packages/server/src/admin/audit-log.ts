/** Who did what: in the database's table, or where there is none, the last of it in memory. */

import type { Database } from "../database/open.ts";
import { DELETE_PAGE } from "../database/retention.ts";
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
