/** The dashboard in a running server: what it hears of the hub, where its requests and live connections come in. */

import manifest from "../../../package.json" with { type: "json" };
import { Accounts } from "../../admin/accounts.ts";
import { adminApp } from "../../admin/app.ts";
import { type Assets, remembered } from "../../admin/assets.ts";
import { Attempts } from "../../admin/attempts.ts";
import { type Audit, auditOf } from "../../admin/audit.ts";
import { Dashboard } from "../../admin/dashboard.ts";
import { type AuthorizeDashboard, Door } from "../../admin/door.ts";
import { keyFrom } from "../../admin/key.ts";
import { Seal } from "../../admin/seal.ts";
import { Sessions } from "../../admin/sessions.ts";
import { View } from "../../admin/view.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { App } from "../../domain/app.ts";
import { isReserved } from "../../domain/app.ts";
import { Connection } from "../../domain/connection.ts";
import { Disconnect } from "../../domain/error.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { Clock, Guard, Ledger, Observer } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import { Feed } from "../../observers/feed/feed.ts";
import { shown, shownFrame } from "../../observers/feed/payload.ts";
import { Seconds } from "../../observers/feed/seconds.ts";
import type { Identify } from "../door/address.ts";
import type { Route } from "../http/routes.ts";
import { dashboardFiles } from "../pages/files.ts";
import type { Records } from "../records.ts";
import type { PanelKey } from "./panel-key.ts";
import { editableApps, explainer, keptNumbers, letters, tokenAccounts } from "./panel-means.ts";

export interface PanelOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly records: Records | undefined;
  readonly node: { readonly id: string; readonly name: string };
  /** The program's own gate, where it has one now. */
  readonly authorize: () => AuthorizeDashboard | undefined;
  /** Opens it where nobody has an account. */
  readonly key: Pick<PanelKey, "value">;
  /** Absent where nodes cannot be drained one by one. */
  readonly drain: ((isOn: boolean) => void) | undefined;
}

/** What the door has to know of the dashboard. */
export interface PanelDoor {
  readonly route: Route;
  /** Whether the handshake is meant for it. */
  isLive(url: URL): boolean;
  /** A client of the reserved app. Throws Disconnect. */
  admit(url: URL, address: string, id: string): Promise<Connection>;
}

/** How long a worker may take to see what was edited elsewhere. */
const REFRESH_MS = 2_000;

/** How long whoever has no session may watch before they have to ask for another ticket. */
const ASKED_AGAIN_MS = 15 * 60_000;

const assets: Assets = remembered(dashboardFiles);

export class Panel {
  readonly #options: PanelOptions;
  readonly #app: App;
  readonly #feed: Feed;
  readonly #seconds: Seconds | undefined;
  readonly #audit: Audit;
  readonly #editable: ReturnType<typeof editableApps>;
  #refreshing: ReturnType<typeof setInterval> | undefined;
  #view: View | undefined;
  #hub: Hub | undefined;
  #apps: readonly App[];
  #settings: Config["dashboard"] | undefined;

  constructor(options: PanelOptions) {
    const { config, clock, records, node } = options;
    this.#options = options;
    this.#apps = config.apps;
    this.#app = adminApp(config.defaults);
    this.#seconds = records && new Seconds({ totals: () => records.counters.apps, clock });
    const failed = this.#failed;
    const database = config.database.url === undefined ? undefined : records?.database;
    this.#audit = auditOf({ database, nowMs: () => clock.wallMs(), failed });
    this.#editable = records && editableApps({ kept: records, config, clock, failed });
    if (records) records.webhookTold = (...told) => this.#feed.webhookTold(...told);
    this.#feed = new Feed({
      clock,
      node: node.id,
      random: Math.random,
      send: (channel, batch) => this.#view?.send(channel, "feed", batch),
    });
  }

  /** Of everything, the dashboards' own doings included. */
  readonly observe: Observer = (event: HubEvent) => {
    this.#feed.observe(event);
    this.#view?.observe(event);
  };

  /** Comes before all others: a dashboard's frames are nobody else's business. */
  readonly guard: Guard = {
    command: (connection, command) => this.#view?.guard.command?.(connection, command),
  };

  attach(hub: Hub): void {
    const { node, drain } = this.#options;
    this.#hub = hub;
    this.#view = new View({
      hub,
      app: this.#app,
      node: node.id,
      show: shown,
      showFrame: shownFrame,
      feed: this.#feed,
      seconds: this.#seconds,
      appById: (id) => this.#apps.find((app) => app.id === id),
      drain,
      failed: this.#failed,
    });
  }

  /** When the hub is started. */
  start(): void {
    this.#view?.start();
    this.#refreshing = setInterval(() => this.#editable?.refresh(), REFRESH_MS);
  }

  stop(): void {
    clearInterval(this.#refreshing);
    this.#view?.stop();
  }

  /** As these settings say, from now on. */
  door(config: Config, identify: Identify, native: Connection["protocol"]): PanelDoor {
    this.#apps = config.apps;
    const { dashboard: settings, path: prefix } = config;
    if (this.#settings && !Bun.deepEquals(this.#settings, settings)) this.#view?.endSessions();
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
        return dashboard.answer(request, url, rest, caller);
      },
      isLive: (url) => Dashboard.isLive(restOf(url) ?? ""),
      admit: async (url, address, id) => {
        const person = await dashboard.admit(url);
        if (!person) throw new Disconnect("token_invalid", "The ticket is used or too old: ask for another.");
        const connection = new Connection(id, this.#app, native, address, this.#options.clock.monotonicMs());
        const { name, role, session = "", expiresAtMs = this.#options.clock.wallMs() + ASKED_AGAIN_MS } = person;
        connection.user = { id: name, info: { role, session, expiresAtMs } };
        connection.isAuthenticated = true;
        return connection;
      },
    };
  }

  #dashboard(config: Config): Dashboard {
    const { clock, ledger, node, authorize, key } = this.#options;
    const { dashboard: settings, mode } = config;
    const failed = this.#failed;
    const accounts = new Accounts({
      users: settings.users,
      password: settings.password,
      verifyToken: tokenAccounts(settings),
      key: () => key.value,
    });
    const secrets = () => secretsOf(config, key.value);
    const lifeMs = settings.sessionS * 1000;
    const sessions = new Sessions({ seal: new Seal(() => keyFrom(secrets())), clock, ledger, lifeMs, failed });
    return new Dashboard({
      means: this.#means(config),
      door: new Door({ sessions, authorize }),
      sessions,
      accounts,
      attempts: new Attempts(ledger),
      assets,
      server: { name: node.name, version: manifest.version, mode },
      failed,
    });
  }

  #means(config: Config): ConstructorParameters<typeof Dashboard>[0]["means"] {
    const { clock, records, node, drain } = this.#options;
    const failed = this.#failed;
    const hub = this.#hub;
    const view = this.#view;
    if (!hub || !view) throw new Error("The dashboard has no hub yet.");
    const kept = records ?? { database: undefined, sqlApps: undefined, statistics: undefined, outbox: undefined };
    return {
      ...{ hub, view, node, show: shown, canDrain: drain !== undefined },
      apps: () => this.#apps.filter((app) => !isReserved(app)),
      editable: this.#editable,
      numbers: keptNumbers(kept, config, failed),
      seconds: this.#seconds,
      letters: letters(kept, clock, failed),
      audit: this.#audit,
      explain: explainer(config, clock),
    };
  }

  readonly #failed = (error: unknown, during: string): void => {
    this.#hub?.observe({ type: "failed", error, during });
  };
}

/** What sessions are signed with. Where there are none, only tickets, they have to be redeemed in another worker. */
function secretsOf({ dashboard: { users, password, token }, apps }: Config, key: string | undefined): unknown {
  if (users.length > 0 || password !== undefined || token) return { users, password, token };
  return key === undefined ? apps.map((app) => app.secrets) : { key };
}

/** The dashboards' own doings are told to nobody but the dashboard. */
export function withoutReserved(observer: Observer): Observer {
  return (event) => {
    const app = "connection" in event ? event.connection?.app : "app" in event ? event.app : undefined;
    if (app === undefined || !isReserved(app) || event.type === "failed") observer(event);
  };
}
