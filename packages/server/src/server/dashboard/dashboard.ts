/** The dashboard in a running server: it observes the hub, and takes its requests and live connections. */

import { dashboardApp, LiveView } from "../../admin/live-view.ts";
import { People } from "../../admin/people.ts";
import { Receivers } from "../../admin/receivers.ts";
import type { AuthorizeDashboard, Principal } from "../../admin/sessions.ts";
import type { Config } from "../../config/schema/schema.ts";
import { type App, isReserved } from "../../domain/app.ts";
import { Connection } from "../../domain/connection.ts";
import { Disconnect } from "../../domain/error.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { Clock, Guard, Ledger, Observer } from "../../domain/ports.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import type { Hub } from "../../hub/hub.ts";
import { ChannelRates } from "../../observers/feed/channel-rates.ts";
import { Feed } from "../../observers/feed/feed.ts";
import { SecondSeries } from "../../observers/feed/second-series.ts";
import { RefusalCounts } from "../../observers/metrics/refusals.ts";
import { redactFramePayload, redactPayload } from "../../observers/redact.ts";
import { clusterShares } from "../cluster/cluster-shares.ts";
import type { ResolveCaller } from "../http/caller.ts";
import type { Route } from "../http/router.ts";
import type { Storage } from "../storage/storage.ts";
import type { Admin } from "./create-admin.ts";
import type { DashboardKey } from "./dashboard-key.ts";

export interface DashboardOptions {
  readonly hub: Hub;
  readonly config: Config;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly storage: Storage;
  readonly node: { readonly id: string; readonly name: string };
  /** The program's own check, where it has one now. */
  readonly authorize: () => AuthorizeDashboard | undefined;
  /** Opens it where there are no accounts. */
  readonly key: Pick<DashboardKey, "value">;
  /** Absent where nodes cannot be drained one by one. */
  readonly drain: ((isOn: boolean) => void) | undefined;
}

/** What routes and handshakes have to know of the dashboard. */
export interface DashboardEntry {
  readonly route: Route;
  /** Whether the handshake is meant for it. */
  isLive(url: RequestUrl): boolean;
  /** A client of the reserved app. Throws Disconnect. */
  admit(url: RequestUrl, address: string, id: string): Promise<Connection>;
}

/** How long a dashboard without a session may watch before it has to ask for another ticket. */
const RECHECK_MS = 15 * 60_000;

const LIVE_PATH = "/api/live";

export class Dashboard {
  readonly #options: DashboardOptions;
  readonly #app: App;
  readonly #feed: Feed;
  readonly #refusals = new RefusalCounts();
  readonly #seconds: SecondSeries;
  readonly #channelRates: ChannelRates;
  readonly #live: LiveView;
  readonly #people: People;
  readonly #receivers: Receivers;
  #admin: Promise<Admin> | undefined;
  readonly #unsubscribe: () => void;
  #apps: readonly App[];
  #settings: Config["dashboard"] | undefined;

  constructor(options: DashboardOptions) {
    const { hub, config, clock, storage, node, drain } = options;
    this.#options = options;
    this.#apps = config.apps;
    this.#app = dashboardApp(config.defaults);
    const { counters, metrics } = storage;
    const { deliveries } = metrics;
    this.#seconds = new SecondSeries({ totals: () => counters.apps, deliveries, refusals: this.#refusals, clock });
    this.#channelRates = new ChannelRates(clock);
    this.#unsubscribe = storage.onWebhookOutcome((...outcome) => this.#feed.webhookOutcome(...outcome));
    this.#feed = new Feed({
      clock,
      node: node.id,
      random: Math.random,
      connectionOf: (app, id) => hub.connection(app, id),
      keepsRecent: () => this.#settings?.enabled === true && this.#settings.recentEvents,
      send: (channel, batch) => this.#live.send(channel, "feed", batch),
    });
    this.#live = new LiveView({
      ...{ hub, drain, failed: this.#failed, app: this.#app, node: node.id, feed: this.#feed, seconds: this.#seconds },
      channelRates: this.#channelRates,
      redact: redactPayload,
      redactFrame: redactFramePayload,
      appById: (id) => this.#apps.find((app) => app.id === id),
    });
    this.#receivers = new Receivers(hub, () => storage.receivers.read());
    this.#people = new People({ hub, node: node.id, redact: redactPayload, recent: (fits) => this.#feed.find(fits) });
  }

  /** Of every app, the dashboard's own included. */
  readonly observe: Observer = (event: HubEvent) => {
    this.#feed.observe(event);
    if (event.type === "published") return this.#channelRates.observe(event);
    this.#refusals.observe(event);
    this.#live.observe(event);
  };

  /** Whether anybody would look at the headers of a handshake. */
  readonly wantsHeaders = (): boolean => this.#feed.wantsHeaders();

  /** Comes first: a dashboard's frames concern no other guard. */
  get guard(): Guard {
    return this.#live.guard;
  }

  /** When the hub is started. */
  start(): void {
    this.#live.start();
    this.#people.start();
    this.#receivers.start();
  }

  /** Shows what is watched, and looks at what was edited elsewhere. Call it every second. */
  tick(): void {
    this.#live.tick();
    // What fails to load is reported to those who asked for it.
    this.#admin?.then((admin) => admin.refresh()).catch(() => {});
  }

  stop(): void {
    this.#unsubscribe();
    this.#live.stop();
    this.#people.stop();
    this.#receivers.stop();
  }

  /** As these settings say, from now on. */
  entry(config: Config, identify: ResolveCaller, native: Connection["protocol"]): DashboardEntry {
    const { dashboard: settings, path: prefix } = config;
    if (this.#settings && !Bun.deepEquals(this.#settings, settings)) this.#live.endSessions();
    this.#settings = settings;
    this.#apps = config.apps;
    this.#admin = undefined;
    let loading: Promise<Admin> | undefined;
    const load = () => {
      loading ??= this.#load(config).catch((error) => {
        loading = undefined;
        throw error;
      });
      this.#admin = loading;
      return loading;
    };
    const bases = settings.enabled ? [settings.path, prefix + settings.path] : [];
    const livePaths = bases.map((base) => base + LIVE_PATH);
    const restOf = ({ pathname }: RequestUrl) => pathBelow(bases, pathname);
    return {
      route: (request, url, listener) => {
        const rest = restOf(url);
        if (rest === undefined) return undefined;
        const caller = identify(request, url, listener);
        return load().then((admin) => admin.handle(request, { url, rest, caller }));
      },
      isLive: ({ pathname }) => livePaths.includes(pathname),
      admit: async (url, address, id) => {
        const admin = await load();
        const principal = await admin.redeem(url.searchParams.get("ticket") ?? "");
        if (!principal) throw new Disconnect("token_invalid", "The ticket is used or too old: ask for another.");
        return this.#connectionOf(principal, new Connection(id, this.#app, native, address, this.#nowMs));
      },
    };
  }

  #connectionOf({ name, role, session = "", expiresAtMs }: Principal, connection: Connection): Connection {
    const recheckAtMs = expiresAtMs ?? this.#options.clock.wallMs() + RECHECK_MS;
    connection.user = { id: name, info: { role, session, expiresAtMs: recheckAtMs } };
    connection.isAuthenticated = true;
    return connection;
  }

  /** The server starts without it: most servers' dashboard is never opened. */
  #load(config: Config): Promise<Admin> {
    return import("./create-admin.ts").then(({ createAdmin }) => {
      const { hub, node, drain, storage } = this.#options;
      return createAdmin({
        ...this.#options,
        config,
        failed: this.#failed,
        live: {
          ...{ hub, node, live: this.#live, people: this.#people, receivers: this.#receivers },
          ...{ seconds: this.#seconds, audit: storage.audit },
          ...{ redact: redactPayload, canDrain: drain !== undefined, rebalance: () => clusterShares(hub, true) },
          apps: () => this.#apps.filter((app) => !isReserved(app)),
        },
      });
    });
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  readonly #failed = (error: unknown, during: string): void => {
    this.#options.hub.observe({ type: "failed", error, during });
  };
}

/** What comes behind the first of these paths: empty, or with a slash in front. */
function pathBelow(bases: readonly string[], pathname: string): string | undefined {
  const base = bases.find((one) => pathname === one || pathname.startsWith(`${one}/`));
  return base === undefined ? undefined : pathname.slice(base.length);
}
