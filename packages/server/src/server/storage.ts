/**
 * What the server keeps beyond its own life, and what it counts: the database with the apps, statistics and webhooks in it,
 * and the metrics. A database that is away when the server starts is tried again until it is there.
 */

import type { Logger } from "pino";
import { deleteAuditEntries } from "../admin/audit-log.ts";
import { SqlApps } from "../apps/sql.ts";
import { ConfigError } from "../config/config-error.ts";
import { withDemoApp } from "../config/demo-app.ts";
import type { Config } from "../config/schema/schema.ts";
import { migrate, migratesAutomatically, NewerDatabaseError, pendingMigrations } from "../database/migrate.ts";
import { type Database, openDatabase } from "../database/open.ts";
import { RetentionJob, type RetentionRule } from "../database/retention.ts";
import { type App, isReserved } from "../domain/app.ts";
import type { Awaitable, Clock, Observer, StatisticsSink } from "../domain/ports.ts";
import type { TrafficMeter } from "../domain/traffic.ts";
import { isPublic } from "../guards/ip.ts";
import type { Hub } from "../hub/hub.ts";
import { Metrics } from "../observers/metrics/metrics.ts";
import type { Snapshot } from "../observers/metrics/snapshot.ts";
import { Counters } from "../observers/statistics/counters.ts";
import { Statistics } from "../observers/statistics/statistics.ts";
import { StatisticsStore } from "../observers/statistics/store.ts";
import type { Tracing } from "../observers/tracing/tracing.ts";
import { Delivery } from "../observers/webhooks/delivery.ts";
import { Outbox } from "../observers/webhooks/outbox.ts";
import { Webhooks } from "../observers/webhooks/webhooks.ts";
import { nodeName } from "./cluster/node-name.ts";
import { type Implementations, isSink } from "./implementations.ts";

export interface StorageOptions {
  /** Whether the apps are this process' to look after: a worker is told of them. */
  readonly keepsApps: boolean;
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly version: string;
  /** The app as it is now, wherever it is kept. */
  readonly app: (id: string) => App | undefined;
  /** The same; asks the program's provider where it has one. */
  readonly findApp: (id: string) => Awaitable<App | undefined>;
  readonly given: Implementations;
  readonly hub: () => Pick<Hub, "appStats" | "health" | "members" | "summary" | "nodes"> | undefined;
  readonly node: () => { readonly lagMs: number; readonly draining: boolean; readonly port: number | undefined };
  /** The apps in the database are others. */
  readonly changed: () => void;
  readonly failed: (error: unknown, during: string) => void;
}

const IN_MEMORY = "sqlite::memory:";
/** Names this process in the tables: another at each start. */
const NODE_BYTES = 8;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
/** A database that hangs does not keep the server from ending. */
const CLOSE_MS = 5_000;
/** Prometheus gives up after ten seconds, and then takes the whole server for down. */
const BACKLOG_MS = 1_000;

/** How old may be what is known of other nodes, and for how long one that leaves may be late with what it writes. */
const ASK_NODES_MS = 250;
const LEAVING_MS = 2_000;

type Backlog = Awaited<ReturnType<Outbox["backlog"]>>;

export class Storage {
  readonly metrics: Metrics;
  readonly counters = new Counters((app, numbers) => this.metrics.keepTotals(app, numbers));
  readonly database: Database | undefined;
  readonly sqlApps: SqlApps | undefined;
  readonly statistics: StatisticsStore | undefined;
  readonly outbox: Outbox | undefined;
  /** Where traces are wanted. */
  readonly tracing: Tracing | undefined;
  readonly #options: StorageOptions;
  /** What counts for the program's own sinks, each from one of its own numbers to the next. */
  readonly #sinkCounters: Counters[] = [];
  readonly #statisticsWriters: Statistics[] = [];
  readonly #delivery: Delivery | undefined;
  readonly #webhooks: Webhooks | undefined;
  readonly #cleaning: RetentionJob | undefined;
  /** Who else wants to know what became of webhook events. */
  onWebhookOutcome: ((app: string, outcome: string, count: number) => void) | undefined;
  /** The question that is under way: a database that hangs is not asked again by each scrape. */
  #counting: Promise<Backlog | undefined> | undefined;
  #nodesAskedAtMs = Number.NEGATIVE_INFINITY;
  #leavingSeenAtMs = Number.NEGATIVE_INFINITY;
  #retrying: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** Throws ConfigError where the tables are not what they have to be, and nobody may change them. */
  static async open(options: StorageOptions): Promise<Storage> {
    const { url } = options.config.database;
    // Webhooks need a place to wait in: without a database they last as long as the process.
    const hasWebhooks = options.config.apps.some(({ webhooks }) => webhooks?.length);
    const where = url ?? (hasWebhooks || options.given.apps ? IN_MEMORY : undefined);
    const tracing = await tracingOf(options);
    const records = new Storage(options, where === undefined ? undefined : await openDatabase(where), tracing);
    await records.#start();
    return records;
  }

  private constructor(options: StorageOptions, database: Database | undefined, tracing: Tracing | undefined) {
    const { config, clock, failed } = options;
    this.#options = options;
    this.database = database;
    this.tracing = tracing;
    this.metrics = new Metrics({
      snapshot: () => this.#vitals(),
      version: options.version,
      soketiNames: config.metrics.soketiNames,
      sharesOutbox: config.database.url !== undefined,
    });
    for (const sink of (options.given.observers ?? []).filter(isSink)) {
      const counters = new Counters();
      this.#sinkCounters.push(counters);
      this.#writeStatistics(counters, sink);
    }
    if (!database) return;
    const node = Buffer.from(crypto.getRandomValues(new Uint8Array(NODE_BYTES))).toString("hex");
    if (config.database.url !== undefined) {
      const changed = () => options.changed();
      if (options.keepsApps)
        this.sqlApps = new SqlApps({ database, defaults: config.defaults, clock, changed, failed });
      this.statistics = new StatisticsStore(database, node);
    }
    if (this.statistics) this.#writeStatistics(this.counters, this.statistics);
    const timeoutMs = config.webhooks.timeoutS * 1000;
    this.outbox = new Outbox(database, node, timeoutMs * 2);
    this.#delivery = new Delivery({
      outbox: this.outbox,
      apps: { byId: options.findApp, byKey: () => undefined },
      clock,
      random: Math.random,
      timeoutMs,
      retryForMs: config.webhooks.retryForS * 1000,
      mayReach: config.webhooks.allowPrivate ? undefined : isPublic,
      version: options.version,
      ...(tracing && { trace: (...step) => tracing.webhook(...step) }),
      failed,
      onOutcome: (app, outcome, count) => {
        this.metrics.webhookOutcome(app, outcome, count);
        if (outcome === "dead") options.log.warn({ app, count }, DEAD_LETTER);
        this.onWebhookOutcome?.(app, outcome, count);
      },
    });
    this.#webhooks = new Webhooks({
      outbox: this.outbox,
      delivery: this.#delivery,
      clock,
      leaveDelayMs: config.webhooks.leaveDelayS * 1000,
      isPresent: (app, event) => this.#isHere(app, event.channel, event.user_id),
      ...(isShared(options) && { isAnotherNodeDraining: () => this.#isOtherLeaving() }),
      failed,
    });
    this.#cleaning = cleaningOf(options, database, this.outbox, this.statistics);
  }

  #writeStatistics(counters: Counters, store: StatisticsSink): void {
    const { config, clock, failed, app: appOf } = this.#options;
    const { enabled, intervalS } = config.statistics;
    if (!enabled) return;
    const wants = (app: string) => appOf(app)?.statistics ?? false;
    this.#statisticsWriters.push(
      new Statistics({ counters, store, clock, intervalMs: intervalS * 1000, wants, failed }),
    );
  }

  /** For a while after the last word of it as well: whoever has left the cluster may still be writing. */
  async #isOtherLeaving(): Promise<boolean> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#nodesAskedAtMs > ASK_NODES_MS) {
      this.#nodesAskedAtMs = nowMs;
      try {
        const nodes = await this.#options.hub()?.nodes();
        if (nodes?.some(({ draining }) => draining)) this.#leavingSeenAtMs = nowMs;
      } catch {
        // An engine that is away says nothing of the others.
      }
    }
    return !this.#options.node().draining && nowMs - this.#leavingSeenAtMs < LEAVING_MS;
  }

  async #isHere(app: App, channel: string, user: string | undefined): Promise<boolean> {
    const hub = this.#options.hub();
    if (!hub) return false;
    if (user === undefined) return (await hub.summary(app, channel)) !== undefined;
    return (await hub.members(app, channel)).some(({ id }) => id === user);
  }

  /**
   * The configuration with the database's apps beside its own, and the demo app where there is none at all. Throws ConfigError
   * where there has to be one.
   */
  async withApps(config: Config): Promise<Awaited<ReturnType<typeof withDemoApp>>> {
    if (!this.outbox && config.apps.some(({ webhooks }) => webhooks?.length)) {
      this.#options.log.warn("an app has its first webhooks: without a database they are told after a restart only");
    }
    const kept = this.sqlApps?.list() ?? [];
    const made =
      config.apps.length === 0 && (kept.length > 0 || this.#options.given.apps)
        ? { config }
        : await withDemoApp(config);
    const { apps } = made.config;
    // What the configuration says of an id or a key goes before the database.
    const others = kept.filter((app) => !apps.some(({ id, key }) => id === app.id || key === app.key));
    const all = [...apps, ...others];
    this.metrics.initialize(all.map(({ id }) => id));
    return { ...made, config: { ...made.config, apps: all } };
  }

  get observers(): readonly Observer[] {
    const webhooks = this.#webhooks ? [this.#webhooks.observe] : [];
    return [...this.#allCounters.map(({ observe }) => observe), this.metrics.observe, ...webhooks];
  }

  /** Resolves when the outbox has what was observed. Never rejects. */
  readonly flushed = (): Promise<void> => this.#webhooks?.written ?? Promise.resolve();

  get #allCounters(): readonly Counters[] {
    return [this.counters, ...this.#sinkCounters];
  }

  get traffic(): TrafficMeter {
    const all = this.#allCounters;
    return {
      received: (app, bytes) => {
        if (isReserved(app)) return;
        for (const counters of all) counters.received(app, bytes);
      },
      sent: (app, readers, bytes) => {
        if (isReserved(app)) return;
        for (const counters of all) counters.sent(app, readers, bytes);
      },
      published: (tookMs) => this.metrics.publishTook(tookMs / 1000),
      delivered: (tookMs) => this.metrics.deliveryTook(tookMs / 1000),
    };
  }

  /**
   * Writes what is not yet written, and lets the database go. What no receiver took yet stays in the outbox; it is tried once
   * more where no other process has that outbox, be it the cluster's last node or a process that has it in its own memory.
   */
  async close(isLast: boolean): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retrying);
    const late = Promise.withResolvers<true>();
    const timer = setTimeout(() => late.resolve(true), CLOSE_MS);
    const isLate = await Promise.race([this.#finish(isLast || this.#isPrivate), late.promise]);
    clearTimeout(timer);
    if (!isLate) return;
    this.#options.failed(
      new Error("The database or a receiver did not answer in time."),
      "writing the last statistics and webhooks",
    );
  }

  async #finish(sendsRest: boolean): Promise<void> {
    // A receiver that takes its time does not cost the last numbers.
    await Promise.all([
      this.#webhooks?.close(sendsRest),
      ...this.#statisticsWriters.map((writer) => writer.close()),
      this.#cleaning?.close(),
      this.sqlApps?.close(),
    ]);
    await this.#tellLost();
    await this.database?.close();
    await this.tracing?.close();
  }

  /** No other process can read what is in it. */
  get #isPrivate(): boolean {
    return this.database?.name === IN_MEMORY;
  }

  async #tellLost(): Promise<void> {
    const waiting = this.#isPrivate ? ((await this.outbox?.backlog())?.waiting ?? 0) : 0;
    if (waiting === 0) return;
    const message = `${waiting} webhook events were not taken, and are lost: they waited in memory (database.url is not set)`;
    this.#options.failed(new Error(message), "sending the last webhooks");
  }

  async #start(): Promise<void> {
    const { database } = this;
    for (const writer of this.#statisticsWriters) writer.start();
    if (!database) return;
    this.#warnOfTwins(database);
    try {
      await this.#prepare(database);
    } catch (error) {
      // Waiting makes neither right.
      if (error instanceof ConfigError || error instanceof NewerDatabaseError) {
        await database.close();
        throw new ConfigError([error.message]);
      }
      this.#tryAgain(database, error, FIRST_RETRY_MS);
    }
    this.#delivery?.start();
  }

  /** What goes on one node and comes back on another is then two facts in two outboxes, and both are told. */
  #warnOfTwins({ kind, name }: Database): void {
    const { config, keepsApps, log } = this.#options;
    if (config.engine === "memory" || kind !== "sqlite" || !keepsApps) return;
    if (!config.apps.some(({ webhooks }) => webhooks?.length)) return;
    const what =
      "each node has a database of its own: give them one (database.url), or webhooks tell of moves between nodes";
    log.warn({ database: name }, what);
  }

  async #prepare(database: Database): Promise<void> {
    const { config, log } = this.#options;
    if (migratesAutomatically(database, config.database.migrate)) {
      const { done } = await migrate(database);
      if (done.length > 0) log.debug({ database: database.name, done }, "the database's tables are up to date");
    } else {
      const missing = await pendingMigrations(database);
      if (missing.length > 0) throw new ConfigError([`${database.name} lacks tables: run \`fanfare migrate\` first`]);
    }
    await this.sqlApps?.start();
    this.#cleaning?.start();
  }

  /** A server whose apps are in its configuration does its work meanwhile. */
  #tryAgain(database: Database, error: unknown, pauseMs: number): void {
    this.#options.failed(error, `reaching the database ${database.name}`);
    this.#retrying = setTimeout(async () => {
      try {
        await this.#prepare(database);
        this.#options.log.info({ database: database.name }, "the database is there");
        this.#options.changed();
      } catch (again) {
        if (!this.#closed) this.#tryAgain(database, again, Math.min(LONGEST_RETRY_MS, pauseMs * 2));
      }
    }, pauseMs);
    this.#retrying.unref?.();
  }

  /** Undefined where the database does not say so soon: whoever reads the metrics has to see everything else then. */
  async #backlog(): Promise<Backlog | undefined> {
    this.#counting ??= this.outbox
      ?.backlog()
      .catch(() => undefined)
      .finally(() => {
        this.#counting = undefined;
      });
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(resolve, BACKLOG_MS, undefined);
    try {
      return await Promise.race([this.#counting, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #vitals(): Promise<Snapshot> {
    const { hub, node, clock } = this.#options;
    const running = hub();
    const tallies = new Map(running?.appStats.map((tally) => [tally.app, tally]));
    const ids = new Set([...tallies.keys(), ...this.counters.apps.keys()]);
    const apps = [...ids].map((id) => {
      const counted = this.counters.apps.get(id) ?? NOTHING;
      return { ...counted, id, ...(tallies.get(id) ?? NOBODY) };
    });
    const vitals = { apps, engine: running?.health ?? { reachable: true as const }, ...node() };
    const backlog = await this.#backlog();
    if (!backlog) return vitals;
    const { waiting, failed, oldestAtMs } = backlog;
    const oldestS = oldestAtMs === undefined ? 0 : Math.max(0, (clock.wallMs() - oldestAtMs) / 1000);
    return { ...vitals, webhooks: { waiting, failed, oldestS } };
  }
}

/** Whether other processes write into the same outbox. */
function isShared({ config: { engine, workers, database }, given }: StorageOptions): boolean {
  return database.url !== undefined && (engine !== "memory" || given.engine !== undefined || workers > 1);
}

function cleaningOf(
  { config, clock, failed }: StorageOptions,
  { query }: Database,
  outbox: Outbox,
  statistics: StatisticsStore | undefined,
): RetentionJob {
  const wallMs = () => clock.wallMs();
  const { webhooks, audit, statistics: numbers } = config;
  const all: RetentionRule[] = [
    { name: "dead letters", keepDays: webhooks.keepDays, forget: (before) => outbox.forget(before) },
    { name: "audit", keepDays: audit.keepDays, forget: (before) => deleteAuditEntries(query, before) },
  ];
  if (statistics) {
    const forget = (before: number) => statistics.forget(before, wallMs());
    all.push({ name: "statistics", keepDays: numbers.keepDays, forget });
  }
  return new RetentionJob({ rules: all, wallMs, failed });
}

/** Its libraries are read only where they are needed. */
async function tracingOf({ config, version, failed }: StorageOptions): Promise<Tracing | undefined> {
  const { endpoint, ...settings } = config.tracing;
  if (endpoint === undefined) return undefined;
  const { Tracing } = await import("../observers/tracing/tracing.ts");
  return new Tracing({ ...settings, endpoint, version, failed, node: nodeName() });
}

const DEAD_LETTER = "no receiver took a webhook in time: `fanfare webhooks failed` lists it and says why";
const NOTHING = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
const NOBODY = { connections: 0, subscriptions: 0, channels: { public: 0, private: 0, presence: 0 } };
