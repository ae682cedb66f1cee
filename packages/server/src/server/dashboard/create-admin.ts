/**
 * The dashboard's HTTP for one configuration, and what it works with, made of the parts of the server: errors of configuration and
 * database as AdminError. Loaded when the first request asks for it.
 */

import manifest from "../../../package.json" with { type: "json" };
import { Accounts } from "../../admin/accounts.ts";
import { type AdminApp, type Assets, cachedAssets, createAdminApp } from "../../admin/admin-app.ts";
import { AdminError } from "../../admin/admin-error.ts";
import { type Explanation, type OutboxEntry, type Question, ROLES } from "../../admin/api-types.ts";
import type { AppEditor, OutboxTables, Services, StatisticsReader, WebhookDeliveries } from "../../admin/call.ts";
import {
  type Account,
  type AuthorizeDashboard,
  deriveSessionKey,
  type Principal,
  Sessions,
  TokenSigner,
} from "../../admin/sessions.ts";
import { LoginThrottle, SignIn } from "../../admin/sign-in.ts";
import { AppError, SqlApps } from "../../apps/sql.ts";
import { ConfigError } from "../../config/config-error.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { App, TokenAlgorithm, TokenRules } from "../../domain/app.ts";
import type { Clock, Ledger } from "../../domain/ports.ts";
import { claimsVerifier } from "../../guards/token.ts";
import { explainChannel, explainUser } from "../../protocols/pusher/explain/permission.ts";
import { explainRequest } from "../../protocols/pusher/explain/request.ts";
import { otherSignedPaths } from "../../protocols/pusher/request-signature.ts";
import { dashboardFiles } from "../pages/files.ts";
import type { Storage } from "../storage/storage.ts";
import type { DashboardKey } from "./dashboard-key.ts";

export interface CreateAdminOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly storage: Storage;
  readonly node: Services["node"];
  /** The program's own check, where it has one now. */
  readonly authorize: () => AuthorizeDashboard | undefined;
  /** Opens the dashboard where there is no account. */
  readonly key: Pick<DashboardKey, "value">;
  /** What the dashboard works with, as far as it was there before. */
  readonly live: Omit<Services, "appEditor" | "statistics" | "webhooks" | "outboxes" | "explain" | "hasMetrics">;
  readonly failed: (error: unknown, during: string) => void;
}

export interface Admin {
  readonly handle: AdminApp;
  /** Whose ticket it is; undefined where it is not valid. */
  redeem(ticket: string): Promise<Principal | undefined>;
  /** Looks for apps that were edited elsewhere. */
  refresh(): Promise<void>;
}

const assets: Assets = cachedAssets(dashboardFiles);

export async function createAdmin(options: CreateAdminOptions): Promise<Admin> {
  const { config, clock, ledger, storage, node, key, failed } = options;
  const { dashboard: settings, mode } = config;
  const editor = appEditor({ storage, config, clock, failed });
  await editor?.refresh();
  const services: Services = {
    ...options.live,
    appEditor: editor,
    statistics: statisticsReader(storage, config, failed),
    webhooks: webhookDeliveries(storage, clock, failed),
    outboxes: outboxTables(config, failed),
    explain: signatureExplainer(config, clock),
    hasMetrics: config.metrics.enabled,
  };
  const signer = new TokenSigner(() => deriveSessionKey(secretsOf(config, key.value)));
  const sessions = new Sessions({
    ...{ signer, clock, ledger, authorize: options.authorize, failed },
    lifeMs: settings.sessionS * 1000,
  });
  const { users, password } = settings;
  const accounts = new Accounts({ users, password, verifyToken: tokenVerifier(settings), key: () => key.value });
  const server = { name: node.name, version: manifest.version, mode, path: settings.path };
  const signIn = new SignIn({ services, sessions, accounts, loginThrottle: new LoginThrottle(ledger), server });
  return {
    handle: createAdminApp({ services, sessions, signIn, assets, failed }),
    redeem: (ticket) => sessions.redeem(ticket),
    refresh: async () => editor?.refresh(),
  };
}

/** What sessions are signed with. Without accounts there are only tickets, which another worker has to be able to redeem. */
function secretsOf({ dashboard: { users, password, token }, apps }: Config, key: string | undefined): unknown {
  if (users.length > 0 || password !== undefined || token) return { users, password, token };
  return key === undefined ? apps.map((app) => app.secrets) : { key };
}

type Failed = (error: unknown, during: string) => void;
type StorageParts = Pick<Storage, "database" | "sqlApps" | "statistics" | "series" | "webhookQueue">;

interface AppsOptions {
  readonly storage: StorageParts;
  readonly config: Config;
  readonly clock: Clock;
  readonly failed: Failed;
}

/** A worker gets its apps from the first process, and edits them in the database all the same: the first process sees it there. */
function appEditor({
  storage,
  config,
  clock,
  failed,
}: AppsOptions): (AppEditor & { refresh(): Promise<void> }) | undefined {
  const { database, sqlApps } = storage;
  if (!database || config.database.url === undefined) return undefined;
  const apps = sqlApps ?? new SqlApps({ database, defaults: config.defaults, clock, failed });
  const tried = <T>(act: () => Promise<T>) => withDatabaseErrors(act, failed);
  return {
    refresh: async () => {
      if (!sqlApps) await apps.refresh();
    },
    has: (id) => apps.byId(id) !== undefined,
    isEditable: async (id) => {
      if (!apps.byId(id)) await apps.refresh();
      return apps.byId(id) !== undefined;
    },
    add: (input) => tried(() => apps.add(input)),
    edit: (id, changes) => tried(() => apps.edit(id, changes)),
    rotate: (id, forget) => tried(() => apps.rotate(id, forget)),
    remove: (id) => tried(() => apps.remove(id)),
  };
}

function statisticsReader(
  { statistics, series }: StorageParts,
  config: Config,
  failed: Failed,
): StatisticsReader | undefined {
  if (!statistics || !series || !config.statistics.enabled) return undefined;
  return {
    intervalMs: config.statistics.intervalS * 1000,
    series: (question) => withDatabaseErrors(() => statistics.series(question), failed),
    measures: (question) => withDatabaseErrors(() => series.series(question), failed),
    since: () => withDatabaseErrors(() => series.since(), failed),
  };
}

function webhookDeliveries(
  { webhookQueue: queue }: StorageParts,
  clock: Clock,
  failed: Failed,
): WebhookDeliveries | undefined {
  if (!queue) return undefined;
  return {
    backlog: () => withDatabaseErrors(() => queue.backlog(), failed),
    backlogs: () => withDatabaseErrors(() => queue.backlogs(), failed),
    failed: (limit, app) => withDatabaseErrors(() => queue.failed(limit, app), failed),
    replay: ({ ids, app }) => withDatabaseErrors(() => queue.replay(clock.wallMs(), ids, app), failed),
  };
}

/** Asked only when somebody looks: each time by a connection of its own, as the command line does. */
function outboxTables({ outbox }: Config, failed: Failed): OutboxTables | undefined {
  if (outbox.length === 0) return undefined;
  const open = async (settings: Config["outbox"][number]) => {
    const [{ sourceSettings }, { OutboxSource }] = await Promise.all([
      import("../../outbox/outboxes.ts"),
      import("../../outbox/source.ts"),
    ]);
    return OutboxSource.open(sourceSettings(settings), OUTBOX_BUSY_MS);
  };
  const entryOf = async (settings: Config["outbox"][number]): Promise<OutboxEntry> => {
    await using source = await open(settings);
    const { name, place } = source;
    try {
      return { name, place, failed: await source.failed(MOST_FAILED_ROWS) };
    } catch (error) {
      failed(error, `reading the outbox ${name} for the dashboard`);
      return { name, place };
    }
  };
  return {
    list: () => Promise.all(outbox.map(entryOf)),
    retry: async (wanted, ids) => {
      const settings = outbox.find(({ name, table }) => (name ?? table) === wanted);
      if (!settings) return undefined;
      return withDatabaseErrors(async () => {
        await using source = await open(settings);
        return await source.retry(ids);
      }, failed);
    },
  };
}

const MOST_FAILED_ROWS = 100;
/** A file that another process writes to is waited for so long. */
const OUTBOX_BUSY_MS = 2_000;

/** Anything but a mistake of the caller is the database's failure. */
async function withDatabaseErrors<T>(act: () => Promise<T>, failed: Failed): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof AppError) throw new AdminError("conflict", error.message);
    if (error instanceof ConfigError) throw new AdminError("input_invalid", error.message);
    failed(error, "reading the database for the dashboard");
    throw new AdminError("unavailable", "The database is unavailable; the log says why. Retry.");
  }
}

/** `nearby` are channels that may have been signed in place of the one that is asked for. */
type Explain = (app: App, others: readonly App[], question: Question, nearby: readonly string[]) => Explanation;

/** By the very code that checks signatures. */
function signatureExplainer({ path: prefix, signatureWindowS: windowS }: Config, clock: Clock): Explain {
  return (app, others, question, nearby) => {
    switch (question.type) {
      case "channel":
        return explainChannel({ app, others, nearby, ...question });
      case "user":
        return explainUser({ app, others, ...question });
      case "request": {
        const url = URL.parse(question.path, "http://localhost");
        if (!url) throw new AdminError("input_invalid", "The path cannot be read.");
        const { pathname: path } = url;
        const otherPaths = [...otherSignedPaths(path, prefix)];
        const { method, body } = question;
        const asked = { method: method.toUpperCase(), path, otherPaths, query: url.searchParams, body };
        return explainRequest({ app, others, ...asked, nowMs: clock.wallMs(), windowS });
      }
    }
  };
}

const CLOCK_TOLERANCE_S = 5;

/** Undefined where tokens do not sign in. */
function tokenVerifier({ token }: Config["dashboard"]): ((token: string) => Promise<Account | undefined>) | undefined {
  if (!token) return undefined;
  const algorithms: readonly TokenAlgorithm[] = token.secret === undefined ? ["RS256", "ES256", "EdDSA"] : ["HS256"];
  const rules: TokenRules = { ...token, algorithms, clockToleranceS: CLOCK_TOLERANCE_S };
  const verify = claimsVerifier(rules);
  return async (token) => {
    const claims = await verify(token).catch(() => undefined);
    const role = ROLES.find((one) => one === claims?.role);
    if (claims?.sub === undefined || claims.exp === undefined || !role) return undefined;
    return { name: claims.sub.slice(0, 64), role, expiresAtMs: claims.exp * 1000 };
  };
}
