/** The tables, as the code sees them. Times are Unix milliseconds; JSON is text, so that all three databases keep it alike. */

import type { ColumnType, Generated } from "kysely";

/** Whole numbers beyond 32 bits: drivers hand them out as text, numbers or bigints. Read them with `Number`. */
type Big = ColumnType<number | string | bigint, number, number>;
/** 0 or 1: SQLite has no other switch. */
type Switch = ColumnType<number, number, number>;

export interface AppTable {
  readonly id: string;
  readonly key: string;
  readonly name: string;
  /** JSON: the secrets, the first of which signs. */
  readonly secrets: string;
  readonly enabled: Switch;
  /** JSON: everything that differs from the defaults, as in the configuration file. */
  readonly settings: string;
  readonly created_at: Big;
  readonly updated_at: Big;
}

/** What one app did on one node within one span of time. */
export interface StatisticTable {
  readonly app: string;
  readonly node: string;
  /** "interval", "hour" or "day". */
  readonly span: string;
  /** When the span began. */
  readonly at: Big;
  readonly peak_connections: Big;
  readonly connections: Big;
  readonly messages_in: Big;
  readonly messages_out: Big;
  readonly api_messages: Big;
  readonly bytes_in: Big;
  readonly bytes_out: Big;
  readonly subscribe_failures: Big;
  readonly auth_failures: Big;
}

/** A webhook that has been decided on and not yet taken by its receiver. */
export interface OutboxTable {
  readonly id: Generated<Big>;
  readonly app: string;
  readonly channel: string;
  /** Which of the app's webhooks: its address. */
  readonly target: string;
  /** JSON: the events as the protocol spells them. */
  readonly events: string;
  readonly created_at: Big;
  readonly attempts: number;
  /** Not before. */
  readonly due_at: Big;
  /** "waiting" or "failed". */
  readonly state: string;
  /** The node that has it in hand, until `claimed_until`. */
  readonly claimed_by: string | null;
  readonly claimed_until: Big;
  readonly last_error: string | null;
}

/** What somebody did through the dashboard or the command line. */
export interface AuditTable {
  readonly id: Generated<Big>;
  readonly at: Big;
  readonly who: string;
  readonly what: string;
  /** JSON, without secrets. */
  readonly detail: string;
}

export interface Tables {
  readonly apps: AppTable;
  readonly statistics: StatisticTable;
  readonly outbox: OutboxTable;
  readonly audit: AuditTable;
}
