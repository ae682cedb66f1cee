/** Who did what: in the database's table, or where there is none, the last of it in memory. */

import { PAGE } from "../database/cleaning.ts";
import type { Database } from "../database/open.ts";
import type { AuditEntry } from "./wire.ts";

export interface Audit {
  /** Whether it outlives the process. */
  readonly isKept: boolean;
  /** Never throws: what was done is done. */
  note(who: string, what: string, detail: Readonly<Record<string, unknown>>): Promise<void>;
  /** Newest first. Throws what the database says. */
  list(limit: number, before?: number): Promise<readonly AuditEntry[]>;
}

export interface AuditOptions {
  readonly database: Pick<Database, "query"> | undefined;
  readonly nowMs: () => number;
  readonly failed: (error: unknown, during: string) => void;
}

const KEPT = 500;

export function auditOf({ database, nowMs, failed }: AuditOptions): Audit {
  return database ? new SqlAudit(database, nowMs, failed) : new RecentAudit(nowMs);
}

/** Forgets what was done before that time, and tells after each page how many entries went with it. */
export async function* forgetAudit(db: Database["query"], beforeMs: number): AsyncGenerator<number> {
  while (true) {
    const old = db.selectFrom("fanfare_audit").select("id").where("at", "<", beforeMs);
    const page = await old.orderBy("at").limit(PAGE).execute();
    if (page.length === 0) return;
    const ids = page.map(({ id }) => id);
    yield Number((await db.deleteFrom("fanfare_audit").where("id", "in", ids).executeTakeFirst()).numDeletedRows);
    if (page.length < PAGE) return;
  }
}

class SqlAudit implements Audit {
  readonly isKept = true;
  readonly #db: Database["query"];
  readonly #nowMs: () => number;
  readonly #failed: AuditOptions["failed"];
  /** What could not be written yet. */
  readonly #owed: { at: number; who: string; what: string; detail: string }[] = [];

  constructor(database: Pick<Database, "query">, nowMs: () => number, failed: AuditOptions["failed"]) {
    this.#db = database.query;
    this.#nowMs = nowMs;
    this.#failed = failed;
  }

  async note(who: string, what: string, detail: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.#owed.length >= KEPT) this.#owed.shift();
    this.#owed.push({ at: this.#nowMs(), who: fitting(who), what, detail: JSON.stringify(detail) });
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
      return { id: Number(id), atMs: Number(at), who, what, detail: detailIn(detail) };
    });
  }
}

class RecentAudit implements Audit {
  readonly isKept = false;
  readonly #nowMs: () => number;
  readonly #entries: AuditEntry[] = [];
  #count = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  async note(who: string, what: string, detail: Readonly<Record<string, unknown>>): Promise<void> {
    this.#entries.push({ id: ++this.#count, atMs: this.#nowMs(), who, what, detail });
    if (this.#entries.length > KEPT) this.#entries.shift();
  }

  async list(limit: number, before = Number.POSITIVE_INFINITY): Promise<readonly AuditEntry[]> {
    return this.#entries
      .filter(({ id }) => id < before)
      .slice(-limit)
      .reverse();
  }
}

/** A name that a token or a program gave may be anything: as much of it as the column holds, and without what PostgreSQL refuses. */
function fitting(who: string): string {
  return who.slice(0, 255).replaceAll(/[\p{Cc}\p{Cs}]/gu, "\ufffd");
}

function detailIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : { value };
  } catch {
    return { text };
  }
}
