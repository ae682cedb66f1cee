/** The dashboard in a running server: what it hears of the hub, where its requests and live connections come in. */

import manifest from "../../../package.json" with { type: "json" };
import { Access, type AuthorizeDashboard } from "../../admin/access.ts";
import { Accounts } from "../../admin/accounts.ts";
import { AdminHttp } from "../../admin/admin-http.ts";
import { type Assets, cachedAssets } from "../../admin/assets.ts";
import { type AuditLog, createAuditLog } from "../../admin/audit-log.ts";
import { dashboardApp } from "../../admin/dashboard-app.ts";
import { LiveView } from "../../admin/live-view.ts";
import { LoginThrottle } from "../../admin/login-throttle.ts";
import { deriveSessionKey } from "../../admin/session-key.ts";
import { Sessions } from "../../admin/sessions.ts";
import { TokenSigner } from "../../admin/token-signer.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { App } from "../../domain/app.ts";
import { isReserved } from "../../domain/app.ts";
import { Connection } from "../../domain/connection.ts";
import { Disconnect } from "../../domain/error.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { Clock, Guard, Ledger, Observer } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import { Feed } from "../../observers/feed/feed.ts";
import { redactFramePayload, redactPayload } from "../../observers/feed/redacted-payload.ts";
import { SecondSeries } from "../../observers/feed/second-series.ts";
import type { ResolveCaller } from "../http/caller.ts";
import type { Route } from "../http/router.ts";
import { dashboardFiles } from "../pages/files.ts";
import type { Storage } from "../storage.ts";
import type { DashboardKey } from "./dashboard-key.ts";
import { appEditor, signatureExplainer, statisticsReader, tokenVerifier, webhookDeliveries } from "./services.ts";

export interface DashboardOptions {
  readonly hub: Hub;
  readonly config: Config;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly storage: Storage;
  readonly node: { readonly id: string; readonly name: string };
  /** The program's own gate, where it has one now. */
  readonly authorize: () => AuthorizeDashboard | undefined;
  /** Opens it where nobody has an account. */
  readonly key: Pick<DashboardKey, "value">;
  /** Absent where nodes cannot be drained one by one. */
  readonly drain: ((isOn: boolean) => void) | undefined;
}

/** What the door has to know of the dashboard. */
export interface DashboardEntry {
  readonly route: Route;
  /** Whether the handshake is meant for it. */
  isLive(url: URL): boolean;
  /** A client of the reserved app. Throws Disconnect. */
  admit(url: URL, address: string, id: string): Promise<Connection>;
}

/** How long a worker may take to see what was edited elsewhere. */
const REFRESH_MS = 2_000;

/** How long whoever has no session may watch before they have to ask for another ticket. */
const RECHECK_MS = 15 * 60_000;

const assets: Assets = cachedAssets(dashboardFiles);

export class Dashboard {
  readonly #options: DashboardOptions;
  readonly #app: App;
  readonly #feed: Feed;
  readonly #seconds: SecondSeries;
  readonly #audit: AuditLog;
  readonly #editable: ReturnType<typeof appEditor>;
  readonly #view: LiveView;
  #refreshing: ReturnType<typeof setInterval> | undefined;
  #apps: readonly App[];
  #settings: Config["dashboard"] | undefined;

  constructor(options: DashboardOptions) {
    const { hub, config, clock, storage, node, drain } = options;
    this.#options = options;
    this.#apps = config.apps;
    this.#app = dashboardApp(config.defaults);
    this.#seconds = new SecondSeries({ totals: () => storage.counters.apps, clock });
    const failed = this.#failed;
    const database = config.database.url === undefined ? undefined : storage.database;
    this.#audit = createAuditLog({ database, nowMs: () => clock.wallMs(), failed });
    this.#editable = appEditor({ kept: storage, config, clock, failed });
    storage.onWebhookOutcome = (...told) => this.#feed.webhookOutcome(...told);
    this.#feed = new Feed({
      clock,
      node: node.id,
      random: Math.random,
      send: (channel, batch) => this.#view.send(channel, "feed", batch),
    });
    this.#view = new LiveView({
      ...{ hub, drain, failed, app: this.#app, node: node.id, feed: this.#feed, seconds: this.#seconds },
      redact: redactPayload,
      redactFrame: redactFramePayload,
      appById: (id) => this.#apps.find((app) => app.id === id),
    });
  }

  /** Of everything, the dashboards' own doings included. */
  readonly observe: Observer = (event: HubEvent) => {
    this.#feed.observe(event);
    this.#view.observe(event);
  };

  /** Comes before all others: a dashboard's frames are nobody else's business. */
  readonly guard: Guard = {
    command: (connection, command) => this.#view.guard.command?.(connection, command),
  };

  /** When the hub is started. */
  start(): void {
    this.#view.start();
    this.#refreshing = setInterval(() => this.#editable?.refresh(), REFRESH_MS);
  }

  stop(): void {
    clearInterval(this.#refreshing);
    this.#view.stop();
  }

  /** As these settings say, from now on. */
  entry(config: Config, identify: ResolveCaller, native: Connection["protocol"]): DashboardEntry {
    this.#apps = config.apps;
    const { dashboard: settings, path: prefix } = config;
    if (this.#settings && !Bun.deepEquals(this.#settings, settings)) this.#view.endSessions();
    this.#settings = settings;
    this.#editable?.refresh();
    const dashboard = this.#dashboard(config);
    const restOf = ({ pathname }: URL) => {
      if (!settings.enabled) return undefined;
      const base = [settings.path, prefix + settings.path].find(
        (one) => pathname === one || pathname.startsWith(`${one}/`),
      );
      return base === undefined ? undefined : pathname.slice(base.length);
    };
    return {
      route: (request, url, gate) => {
        const rest = restOf(url);
        if (rest === undefined) return undefined;
        const caller = identify(request, url, gate.requestIP(request)?.address);
        return dashboard.handle(request, url, rest, caller);
      },
      isLive: (url) => AdminHttp.isLive(restOf(url) ?? ""),
      admit: async (url, address, id) => {
        const person = await dashboard.admit(url);
        if (!person) throw new Disconnect("token_invalid", "The ticket is used or too old: ask for another.");
        const connection = new Connection(id, this.#app, native, address, this.#options.clock.monotonicMs());
        const { name, role, session = "", expiresAtMs = this.#options.clock.wallMs() + RECHECK_MS } = person;
        connection.user = { id: name, info: { role, session, expiresAtMs } };
        connection.isAuthenticated = true;
        return connection;
      },
    };
  }

  #dashboard(config: Config): AdminHttp {
    const { clock, ledger, node, authorize, key } = this.#options;
    const { dashboard: settings, mode } = config;
    const failed = this.#failed;
    const accounts = new Accounts({
      users: settings.users,
      password: settings.password,
      verifyToken: tokenVerifier(settings),
      key: () => key.value,
    });
    const secrets = () => secretsOf(config, key.value);
    const lifeMs = settings.sessionS * 1000;
    const sessions = new Sessions({
      signer: new TokenSigner(() => deriveSessionKey(secrets())),
      clock,
      ledger,
      lifeMs,
      failed,
    });
    return new AdminHttp({
      services: this.#means(config),
      access: new Access({ sessions, authorize }),
      sessions,
      accounts,
      loginThrottle: new LoginThrottle(ledger),
      assets,
      server: { name: node.name, version: manifest.version, mode },
      failed,
    });
  }

  #means(config: Config): ConstructorParameters<typeof AdminHttp>[0]["services"] {
    const { hub, clock, storage, node, drain } = this.#options;
    const failed = this.#failed;
    return {
      ...{ hub, live: this.#view, node, redact: redactPayload, canDrain: drain !== undefined },
      apps: () => this.#apps.filter((app) => !isReserved(app)),
      appEditor: this.#editable,
      statistics: statisticsReader(storage, config, failed),
      seconds: this.#seconds,
      webhooks: webhookDeliveries(storage, clock, failed),
      audit: this.#audit,
      explain: signatureExplainer(config, clock),
    };
  }

  readonly #failed = (error: unknown, during: string): void => {
    this.#options.hub.observe({ type: "failed", error, during });
  };
}

/** What sessions are signed with. Where there are none, only tickets, they have to be redeemed in another worker. */
function secretsOf({ dashboard: { users, password, token }, apps }: Config, key: string | undefined): unknown {
  if (users.length > 0 || password !== undefined || token) return { users, password, token };
  return key === undefined ? apps.map((app) => app.secrets) : { key };
}

/** The dashboards' own doings are told to nobody but the dashboard. */
export function ignoringDashboardApp(observer: Observer): Observer {
  return (event) => {
    const app = "connection" in event ? event.connection?.app : "app" in event ? event.app : undefined;
    if (app === undefined || !isReserved(app) || event.type === "failed") observer(event);
  };
}
