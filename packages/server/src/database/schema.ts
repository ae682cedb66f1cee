/** The tables, as the code sees them; named so that they can live in a database beside others. Times are Unix milliseconds; JSON is text, so that all three databases keep it alike. */

import type { Generated } from "kysely";

/** 0 or 1: SQLite has no other switch. */
type Switch = number;

export interface AppTable {
  readonly id: string;
  readonly key: string;
  readonly name: string;
  /** JSON: the secrets, the first of which signs. */
  readonly secrets: string;
  readonly enabled: Switch;
  /** JSON: everything that differs from the defaults, as in the configuration file. */
  readonly settings: string;
  readonly created_at: number;
  readonly updated_at: number;
}

/** What one app did on one node within one span of time. */
export interface StatisticTable {
  readonly app: string;
  readonly node: string;
  /** "interval", "hour" or "day". */
  readonly span: string;
  /** When the span began. */
  readonly at: number;
  readonly peak_connections: number;
  readonly connections: number;
  readonly messages_in: number;
  readonly messages_out: number;
  readonly api_messages: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly subscribe_failures: number;
  readonly auth_failures: number;
}

/** One number of what the statistics are made of, of one app, or of the node where `app` is empty, within one span of time. */
export interface SeriesTable {
  readonly app: string;
  readonly node: string;
  readonly span: string;
  readonly at: number;
  readonly measure: string;
  readonly label: string;
  readonly value: number;
}

/** A webhook event that has been decided on and not yet taken by its receiver. */
export interface OutboxTable {
  readonly id: Generated<number>;
  readonly app: string;
  readonly channel: string;
  /** The address it goes to. */
  readonly target: string;
  /** Short for the app and the target: whose queue it stands in. */
  readonly receiver: string;
  /** Short for the app, the target and the channel: within a lane the order is kept. */
  readonly lane: string;
  /** Short for what it says, where that can still be undone before its turn. */
  readonly undo: string | null;
  /** JSON: the event as the protocol spells it. */
  readonly event: string;
  readonly created_at: number;
  /** Its place in the lane; later than `created_at` for what is held back a while. */
  readonly turn_at: number;
  /** Not to be tried before; of a dead letter, when it died. */
  readonly due_at: number;
  readonly attempts: number;
  /** "waiting" or "failed". */
  readonly state: string;
  /** The node that has it in hand, until `claimed_until`. */
  readonly claimed_by: string | null;
  readonly claimed_until: number;
  readonly last_error: string | null;
}

/** What somebody did through the dashboard or the command line. */
export interface AuditTable {
  readonly id: Generated<number>;
  readonly at: number;
  readonly who: string;
  readonly what: string;
  /** JSON, without secrets. */
  readonly detail: string;
}

export interface Tables {
  readonly fanfare_apps: AppTable;
  readonly fanfare_statistics: StatisticTable;
  readonly fanfare_series: SeriesTable;
  readonly fanfare_outbox: OutboxTable;
  readonly fanfare_audit: AuditTable;
}
