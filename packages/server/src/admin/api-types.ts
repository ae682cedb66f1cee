/**
 * Everything that goes between the dashboard's page and the server, as types: the JSON API below `api/`, and what comes over
 * the live connection. The page is built from it, so of the server it imports words only. All addresses are relative to the page.
 *
 * Every call that changes something carries the header `X-Fanfare-Dashboard: 1`. What is refused is answered
 * `{ error: { code, message } }` with a status that fits. Times are Unix milliseconds, sizes bytes, unless named otherwise.
 */

import type { AppStatistics } from "../domain/app-statistics.ts";
import type { NodeState } from "../domain/ports.ts";
import type { ReceiverReport, StoredDelivery } from "../domain/receiver-report.ts";
import type { Payload, Point } from "./live-types.ts";

export * from "./channel-types.ts";
export * from "./live-types.ts";
export * from "./people-types.ts";

/** The header that no other site's page can send without being asked first. Any value counts. */
export const GUARD_HEADER = "X-Fanfare-Dashboard";

export type Role = "view" | "operate" | "admin";

/** In order: each may do what those before it may. */
export const ROLES: readonly Role[] = ["view", "operate", "admin"];

// ---- api/session

/** GET api/session (never refused). POST signs in, DELETE signs out; both answer with the session as it is then. */
export interface Session {
  /** Undefined where the visitor is not signed in. */
  readonly user?: { readonly name: string; readonly role: Role };
  /** How one can sign in here. None of them: nothing is configured, and the page has to say what to do (`dashboard.users`). */
  readonly ways: readonly ("password" | "token" | "key")[];
  /** When one has to sign in again. Undefined without a session: before the sign-in, and where the program's own check decides. */
  readonly expiresAtMs?: number;
  readonly server: {
    readonly name: string;
    readonly version: string;
    readonly mode: "development" | "production";
    /** The dashboard's: what stands in front of it in the page's address stands in front of everything. */
    readonly path: string;
  };
}

/** POST api/session. 401 `credentials_wrong`; 429 `too_many_attempts` with the header Retry-After. */
export type SignIn = SignInLimits &
  (
    | { readonly name: string; readonly password: string }
    | { readonly token: string }
    /** The one in the address that the server prints; that address signs in by itself. */
    | { readonly key: string }
  );

/** For a program that acts for a person, and is trusted with less. */
export interface SignInLimits {
  /** The most that the session may do, where the account may do more. */
  readonly role?: Role;
  /** The program's name, at most 64 characters. The audit log has it beside everything that the session does. */
  readonly agent?: string;
}

// ---- every refusal

export type ErrorCode =
  /** 401: not signed in, or the session is over: show the sign-in. */
  | "signed_out"
  | "credentials_wrong"
  /** 403: the role is too small. */
  | "role_too_small"
  /** 403: the header is missing, or the page is of another site. */
  | "foreign_page"
  | "too_many_attempts"
  | "not_found"
  | "method_unknown"
  /** 400, 413: `message` says what is wrong with what was sent. */
  | "input_invalid"
  | "input_too_large"
  /** 409: as it is now it cannot be done; for example an app that is written in the configuration cannot be edited. */
  | "conflict"
  /** 501: the server has no database, or cannot do this. `message` says what to configure. */
  | "not_available"
  /** 503: the engine or the database cannot be reached at the moment. */
  | "unavailable"
  | "internal";

export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

// ---- api/overview

/** GET api/overview. Cheap: may be asked every few seconds. */
export interface Overview {
  readonly node: { readonly id: string; readonly name: string };
  readonly engine: { readonly reachable: true } | { readonly reachable: false; readonly why: string };
  /** None where the engine is away: then the connections are those of the answering node. */
  readonly nodes: readonly NodeEntry[];
  /** Of all nodes. */
  readonly connections: number;
  readonly apps: readonly AppSummary[];
  /** What this server has: the page leaves out, or explains, what it has not. */
  readonly has: Abilities;
}

export interface Abilities {
  /** Statistics are kept in a database (GET api/statistics with a span other than `second`). */
  readonly statistics: boolean;
  /** Live numbers by the second. */
  readonly seconds: boolean;
  /** Apps can be created and edited; without a database they are written in the configuration only. */
  readonly apps: boolean;
  /** Webhooks go through an outbox: backlog and failed deliveries. */
  readonly webhooks: boolean;
  /** Publications are read from tables in applications' databases. */
  readonly outboxes: boolean;
  /** The audit log outlives the process, and is of the whole cluster. */
  readonly audit: boolean;
  /** Nodes can be drained. */
  readonly drain: boolean;
  /** `/metrics` answers, beside the dashboard, to those whom the settings let read it. */
  readonly metrics: boolean;
}

// ---- api/nodes

/** A node whose timers run later than that is overloaded. */
export const OVERLOADED_LAG_MS = 100;

/**
 * GET api/nodes: NodeEntry[]. POST api/nodes/:id/drain (admin) answers Done, and so does DELETE, which ends it. Nodes of an earlier
 * version do not report `memoryBytes`.
 */
export interface NodeEntry extends Omit<NodeState, "unready" | "connectionsLimit" | "portGroup"> {
  /** The one that answers this call. */
  readonly isThis: boolean;
}

/** POST api/nodes/rebalance (admin): nodes that have more connections than their even share ask some to come back, to the others. */
export type { ClusterShares as Rebalanced } from "../domain/ports.ts";

// ---- api/apps

export interface AppSummary {
  readonly id: string;
  readonly name: string;
  readonly key: string;
  readonly enabled: boolean;
  /** Those of the configuration can only be looked at. */
  readonly source: "config" | "database";
}

/** GET api/apps: AppDetail[]. GET api/apps/:id: AppDetail. Never a secret: `secrets` says how many there are. */
export interface AppDetail extends AppSummary {
  readonly secrets: number;
  /** Connections of the answering node. */
  readonly connections: number;
  /** Every setting of the app as the configuration spells it (limits, clientEvents, channels, …), without what is secret. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * POST api/apps (admin): id and key are made where not given. PATCH api/apps/:id (admin): what is named changes, `null` takes
 * the default again; `id`, `key` and secrets cannot be named. `enabled: false` disconnects everybody of the app.
 */
export interface AppChange {
  readonly id?: string;
  readonly key?: string;
  readonly name?: string | null;
  readonly enabled?: boolean | null;
  readonly clientEvents?: boolean | null;
  readonly subscriptionCounts?: boolean | null;
  readonly limits?: Readonly<Record<string, number | "unlimited">> | null;
  readonly [setting: string]: unknown;
}

/**
 * Answer to POST api/apps, to POST api/apps/:id/rotate with `{ forget?: boolean }`, and to POST api/apps/:id/secret (all
 * admin): the only times a secret is shown, and each is in the audit log. PATCH answers AppDetail, DELETE api/apps/:id (admin) answers Done.
 */
export interface AppWithSecret {
  readonly app: AppDetail;
  readonly secret: string;
}

// ---- what an operator does, and what is sent for it: see `handlers/actions.ts`

/** Answer to what is done: `asked` where other nodes were asked and have not said that they did it. */
export interface Done {
  readonly outcome: "done" | "asked";
}

/**
 * Answer to what is done with connections, wherever they are. POST api/apps/:app/connections/:id/disconnect with
 * `{ message?: string }`: that one. POST api/apps/:app/users/:id/terminate: every connection of the user, whose tokens until now
 * are refused from then on. POST api/apps/:app/subscribe, unsubscribe, kick and reconnect: whose they are, and what is to be done. All of it takes the role operate.
 */
export interface Acted extends Done {
  /** On how many connections, at least. */
  readonly connections: number;
  /** Nodes that did not answer in time: they do it as soon as they can. */
  readonly nodesMissing: number;
}

export interface Purged {
  /** How many events are forgotten. */
  readonly purged: number;
}

// ---- statistics

export type Span = "second" | "interval" | "hour" | "day";

/**
 * GET api/statistics?app=ID&span=…&from=MS&to=MS. `second`: the last five minutes of the answering node, without `app` of all
 * apps; the others: of the whole cluster, from the database. Spans in which nothing was counted are missing.
 */
export interface Series {
  readonly app?: string;
  readonly span: Span;
  /** How long one point is. */
  readonly stepMs: number;
  readonly points: readonly Point[];
}

/**
 * GET api/insights?app=ID&node=NAME&span=interval|hour|day&from=MS&to=MS: from the database; without `app` of all apps, without `node`
 * of all nodes.
 * Every list of values goes with `times`.
 */
export interface Insights {
  readonly app?: string;
  readonly span: "interval" | "hour" | "day";
  /** How long one span is. */
  readonly stepMs: number;
  /** When the first number was stored that is still there. Absent where none is. */
  readonly sinceMs?: number;
  /** Beginnings of the spans in which a node counted, oldest first. Of others nothing is known: it was not zero. */
  readonly times: readonly number[];
  readonly totals: Readonly<Record<keyof AppStatistics, readonly number[]>>;
  readonly measures: readonly InsightLine[];
  /** The names of all nodes that counted in this time, of whichever was asked. */
  readonly nodes: readonly string[];
  /** When nodes started in this time, oldest first; again, where one of this name was there before. */
  readonly starts: readonly { readonly node: string; readonly atMs: number; readonly isAgain: boolean }[];
}

export interface InsightLine {
  /**
   * `connections` by protocol and transport ("native websocket", with " tls" where they are over it), and `nodes`, the same by the node's name: at the end of the span. `refused` by its code,
   * `resumed` ("recovered" or "lost"), `webhooks` by what became of them, `latency` by the class of the timer for
   * `latencyQuantileMs`: added up. `lag` in milliseconds and `memory` in bytes by the node's name: the highest.
   */
  readonly measure: "connections" | "nodes" | "refused" | "resumed" | "webhooks" | "latency" | "lag" | "memory";
  readonly label: string;
  readonly values: readonly number[];
}

// ---- webhooks

/** GET api/webhooks?app=ID&limit=100. The counts are of all apps. */
export interface Webhooks {
  readonly waiting: number;
  readonly failed: number;
  readonly oldestAtMs?: number;
  /** Failed deliveries, newest first. */
  readonly deliveries: readonly FailedDelivery[];
  /** Of the app, or of all: those that are set, those that something waits for, and those that were asked lately. */
  readonly receivers: readonly WebhookReceiver[];
  /** Nodes that did not answer: how receivers answered them is not in it. */
  readonly nodesMissing: number;
}

/** All nodes' reports together. `target` is without what may be secret in it. */
export interface WebhookReceiver extends Omit<ReceiverReport, "durations"> {
  readonly waiting: number;
  readonly failed: number;
  /** How long 95 of 100 took at most. */
  readonly p95Ms?: number;
}

/** `target` is without what may be secret in it. */
export interface FailedDelivery extends Omit<StoredDelivery, "event"> {
  readonly payload: Payload;
}

/** Answer to POST api/webhooks/replay and to POST api/outboxes/:id/retry (operate). */
export interface Replayed {
  readonly count: number;
}

// ---- outboxes

/** GET api/outboxes: OutboxEntry[]. What is in the tables of applications' databases, whichever node reads them. */
export interface OutboxEntry {
  readonly name: string;
  /** The database, without what may be secret in its address. */
  readonly place: string;
  /** Rows that can never be published as they are, the latest first; at most 100. Undefined where the database cannot be asked now. */
  readonly failed?: readonly FailedRow[];
}

export interface FailedRow {
  readonly id: number;
  readonly app: string | null;
  /** One of the two. */
  readonly channel: string | null;
  readonly userId: string | null;
  readonly event: string;
  /** As ISO 8601 has it. */
  readonly failedAt: string;
  readonly error: string;
}

/** POST api/outboxes/:id/retry (operate), by the outbox's name, with the numbers of the rows, or `all: true` for all that failed. Answers Replayed. */

// ---- audit

/** GET api/audit?limit=100&before=ID (operate): AuditEntry[], newest first. */
export interface AuditEntry {
  readonly id: number;
  readonly atMs: number;
  readonly who: string;
  /** Such as `app.create`, `connection.disconnect`, `event.send`, `session.start`: a noun and a verb. */
  readonly what: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

// ---- the signature explainer

/** POST api/apps/:app/explain (operate). Answers Explanation. */
export type Question =
  | {
      readonly type: "channel";
      readonly socketId: string;
      readonly channel: string;
      readonly channelData?: string;
      /** `KEY:HEX`, what the back end made. Without it the right one is made and nothing is compared. */
      readonly auth?: string;
    }
  | { readonly type: "user"; readonly socketId: string; readonly userData: string; readonly auth?: string }
  /** `path` with its whole query, as it was called: `/apps/1/events?auth_key=…&auth_signature=…`. */
  | { readonly type: "request"; readonly method: string; readonly path: string; readonly body: string };

export interface Explanation {
  /** The exact string that is signed. */
  readonly text: string;
  /** What it gives with the app's first secret. For admins only: with it one can do whatever the app's back end can. */
  readonly signature?: string;
  /** Present when a signature was given. */
  readonly verdict?: {
    readonly accepted: boolean;
    /** Why not, in the server's words. */
    readonly refusal?: string;
    /** What differs from what is right. */
    readonly findings: readonly { readonly part: string; readonly says: string }[];
    /** What was signed instead, where that was found out. */
    readonly signedText?: string;
    readonly notes: readonly string[];
  };
}
