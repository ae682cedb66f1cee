/** The dashboard's HTTP for one configuration. Loaded when the first request asks for it. */

import manifest from "../../../package.json" with { type: "json" };
import { Accounts } from "../../admin/accounts.ts";
import { type AdminApp, type Assets, cachedAssets, createAdminApp } from "../../admin/admin-app.ts";
import type { Services } from "../../admin/call.ts";
import {
  type AuthorizeDashboard,
  deriveSessionKey,
  type Principal,
  Sessions,
  TokenSigner,
} from "../../admin/sessions.ts";
import { LoginThrottle, SignIn } from "../../admin/sign-in.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { Clock, Ledger } from "../../domain/ports.ts";
import { dashboardFiles } from "../pages/files.ts";
import type { Storage } from "../storage/storage.ts";
import type { DashboardKey } from "./dashboard-key.ts";
import {
  appEditor,
  outboxTables,
  signatureExplainer,
  statisticsReader,
  tokenVerifier,
  webhookDeliveries,
} from "./services.ts";

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
