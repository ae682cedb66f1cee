/** One call of the dashboard's API, and what calls have to work with. */

import type * as z from "zod/mini";
import { type App, isReserved } from "../domain/app.ts";
import type { StatisticsQuestion, StoredMeasure } from "../domain/app-statistics.ts";
import type { Awaitable } from "../domain/ports.ts";
import type { ReceiverBacklog, StoredDelivery } from "../domain/receiver-report.ts";
import { readShape } from "../http/body.ts";
import type { Hub } from "../hub/hub.ts";
import { AdminError } from "./admin-error.ts";
import type { AppStatistics, Explanation, OutboxEntry, Point, Question, Rebalanced } from "./api-types.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Redact } from "./connection-view.ts";
import type { LiveView } from "./live-view.ts";
import type { People } from "./people.ts";
import type { Receivers } from "./receivers.ts";
import { agentIn, type Principal } from "./sessions.ts";

/** The apps in the database. What cannot be done is thrown as AdminError. */
export interface AppEditor {
  /** As far as is known here: for looking. */
  has(id: string): boolean;
  /** For editing: looks before it says so, where it does not know it. */
  isEditable(id: string): Promise<boolean>;
  add(input: Readonly<Record<string, unknown>>): Promise<App>;
  edit(id: string, changes: Readonly<Record<string, unknown>>): Promise<App>;
  /** The newest secret. */
  rotate(id: string, forget: boolean): Promise<string>;
  remove(id: string): Promise<void>;
}

/** Statistics in the database. */
export interface StatisticsReader {
  series(question: StatisticsQuestion): Promise<readonly (AppStatistics & { readonly atMs: number })[]>;
  measures(question: StatisticsQuestion): Promise<readonly StoredMeasure[]>;
  /** When the first of these measures was stored. */
  since(): Promise<number | undefined>;
  readonly intervalMs: number;
}

/** Webhook events on their way, and failed deliveries. */
export interface WebhookDeliveries {
  backlog(): Promise<{ readonly waiting: number; readonly failed: number; readonly oldestAtMs?: number }>;
  backlogs(): Promise<readonly ReceiverBacklog[]>;
  failed(limit: number, app?: string): Promise<readonly StoredDelivery[]>;
  /** These, or all; of one app, or of all. Resolves with how many. */
  replay(which: { readonly ids: readonly number[] | undefined; readonly app: string | undefined }): Promise<number>;
}

/** The tables from which publications are read. */
export interface OutboxTables {
  list(): Promise<readonly OutboxEntry[]>;
  /** How many wait again; undefined where there is no such table. */
  retry(name: string, ids?: readonly number[]): Promise<number | undefined>;
}

/** Everything that calls work with; what is undefined, this server has not. */
export interface Services {
  readonly hub: Hub;
  readonly node: { readonly id: string; readonly name: string };
  /** The current ones, of the configuration and the database. */
  readonly apps: () => readonly App[];
  readonly appEditor: AppEditor | undefined;
  readonly statistics: StatisticsReader | undefined;
  readonly seconds: { series(app?: string): readonly Point[] } | undefined;
  readonly webhooks: WebhookDeliveries | undefined;
  readonly outboxes: OutboxTables | undefined;
  readonly audit: AuditLog;
  readonly live: LiveView;
  readonly people: People;
  readonly receivers: Receivers;
  readonly redact: Redact;
  /** Compares a signature with the right one; `nearby` are channels that may have been signed in place of the one that is asked for. */
  readonly explain: (app: App, others: readonly App[], question: Question, nearby: readonly string[]) => Explanation;
  /** Has connections spread evenly over the nodes. */
  readonly rebalance: () => Promise<Rebalanced>;
  /** Whether nodes can be drained one by one. */
  readonly canDrain: boolean;
  /** Whether `/metrics` answers. */
  readonly hasMetrics: boolean;
}

export interface Call {
  readonly services: Services;
  readonly principal: Principal;
  /** The parts of the path that have names in the table. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** As JSON; undefined where none was sent. */
  readonly body: unknown;
}

/** What it resolves with is answered as JSON. */
export type Handler = (call: Call) => Awaitable<unknown>;

const ID = /^[-\w.]{1,128}$/;

/** The app that the path names. Throws AdminError. */
export function appOf({ services, params }: Call): App {
  const app = services.apps().find(({ id }) => id === params.app);
  if (!app || isReserved(app)) throw new AdminError("not_found", "There is no such app.");
  return app;
}

/** What was sent, if it is what it has to be. Throws AdminError. */
export function inputOf<T>({ body }: Call, shape: z.ZodMiniType<T>): T {
  const read = readShape(shape, body ?? {});
  if ("data" in read) return read.data;
  throw new AdminError("input_invalid", `${read.where ? `${read.where}: ` : ""}${read.problem}.`);
}

/** A whole number in the address, between 1 and `most`. Throws AdminError. */
export function limitOf({ query }: Call, initial: number, most: number): number {
  const text = query.get("limit");
  if (text === null) return initial;
  if (!/^\d{1,6}$/.test(text) || Number(text) < 1)
    throw new AdminError("input_invalid", "limit has to be a number from 1.");
  return Math.min(Number(text), most);
}

/** The app that is asked about, if any; also one that is gone. Throws AdminError. */
export function idIn({ query }: Call): string | undefined {
  const id = query.get("app") ?? undefined;
  if (id !== undefined && !ID.test(id)) throw new AdminError("input_invalid", "app has to name an app, by its id.");
  return id;
}

/** Writes down who did what. */
export function recordInAudit(
  { services, principal }: Call,
  what: string,
  detail: Readonly<Record<string, unknown>>,
): Promise<void> {
  return services.audit.record(principal.name, what, { ...detail, ...agentIn(principal) });
}

/** What the server needs for it is not there. */
export function required<T>(part: T | undefined, message: string): T {
  if (part === undefined) throw new AdminError("not_available", message);
  return part;
}

/** Throws AdminError. */
export function outboxesOf({ services }: Call): OutboxTables {
  return required(services.outboxes, "This server reads no outbox: see `outbox` in the configuration.");
}
