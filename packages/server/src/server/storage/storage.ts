/**
 * What the server stores and counts: the database with apps, statistics and webhooks in it, the metrics and the traces.
 */

import { type AuditLog, auditAppActs, createAuditLog, deleteAuditEntries } from "../../admin/audit-log.ts";
import { SqlApps } from "../../apps/sql.ts";
import { withDemoApp } from "../../config/demo-app.ts";
import type { Config } from "../../config/schema/schema.ts";
import { type Database, openDatabase } from "../../database/open.ts";
import { RetentionJob, type RetentionRule } from "../../database/retention.ts";
import { type App, isReserved } from "../../domain/app.ts";
import type { Clock, Observer } from "../../domain/ports.ts";
import type { TrafficMeter } from "../../domain/traffic.ts";
import type { Hub } from "../../hub/hub.ts";
import { Metrics } from "../../observers/metrics/metrics.ts";
import type { Snapshot } from "../../observers/metrics/snapshot.ts";
import { Counters } from "../../observers/statistics/counters.ts";
import { Measurements, OF_NODE } from "../../observers/statistics/measurements.ts";
import { SeriesStore } from "../../observers/statistics/series-store.ts";
import { Statistics, type StatisticsOptions } from "../../observers/statistics/statistics.ts";
import { StatisticsStore } from "../../observers/statistics/store.ts";
import { endpointOf } from "../../observers/telemetry/endpoints.ts";
import type { Tracing } from "../../observers/telemetry/tracing.ts";
import { ReceiverReports } from "../../observers/webhooks/receiver-reports.ts";
import type { WebhookQueue } from "../../observers/webhooks/webhook-queue.ts";
import { nodeName } from "../cluster/node-states.ts";
import { isSink } from "../implementations.ts";
import { withinTime } from "../system/promises.ts";
import { DatabaseStartup } from "./database-startup.ts";
import type { StorageHost, StorageOptions } from "./storage-options.ts";
import type { Telemetry } from "./telemetry.ts";
import { type OutcomeListener, WebhookPipeline } from "./webhook-pipeline.ts";

const IN_MEMORY = "sqlite::memory:";
/** Names this process in the tables: another at each start. */
const NODE_BYTES = 8;
/** A database that hangs does not keep the server from ending. */
const CLOSE_MS = 5_000;

export class Storage {
  readonly metrics: Metrics;
  readonly counters = new Counters((app, numbers) => this.metrics.keepTotals(app, numbers));
  readonly receivers: ReceiverReports;
  readonly measurements: Measurements;
  readonly series: SeriesStore | undefined;
  readonly database: Database | undefined;
  readonly audit: AuditLog;
  readonly sqlApps: SqlApps | undefined;
  readonly statistics: StatisticsStore | undefined;
  /** Where a collector is sent anything. */
  readonly telemetry: Telemetry | undefined;
  readonly #options: StorageOptions;
  /** What counts for the program's own sinks, each from one of its own numbers to the next. */
  readonly #sinkCounters: Counters[] = [];
  readonly #statisticsWriters: { start(): void; close(): Promise<void> }[] = [];
  readonly #pipeline: WebhookPipeline | undefined;
  readonly #outcomeListeners = new Set<OutcomeListener>();
  readonly #retention: RetentionJob | undefined;
  readonly #startup: DatabaseStartup | undefined;
  readonly #auditAppActs: Observer;

  /** Throws ConfigError where the tables are not what they have to be, and may not be changed. */
  static async open(options: StorageOptions): Promise<Storage> {
    const { config, given } = options;
    // Webhooks need a place to wait in: without a database they last as long as the process.
    const mayHaveWebhooks = config.apps.some(isTold) || given.apps !== undefined;
    const url = config.database.url ?? (mayHaveWebhooks ? IN_MEMORY : undefined);
    const telemetry = await openTelemetry(options);
    const storage = new Storage(options, url === undefined ? undefined : await openDatabase(url), telemetry);
    await storage.#start();
    return storage;
  }

  private constructor(options: StorageOptions, database: Database | undefined, telemetry: Telemetry | undefined) {
    const { config, clock, host, given, version } = options;
    this.#options = options;
    this.receivers = new ReceiverReports(() => clock.wallMs());
    this.database = database;
    this.telemetry = telemetry;
    this.audit = createAuditLog({
      database: config.database.url === undefined ? undefined : database,
      nowMs: () => clock.wallMs(),
      failed: (error, during) => host.failed(error, during),
    });
    this.#auditAppActs = auditAppActs(this.audit, clock);
    this.metrics = new Metrics({
      snapshot: metricsSnapshots(host, clock, this.counters, () => this.webhookQueue),
      version,
      soketiNames: config.metrics.soketiNames,
      sharesWebhookQueue: config.database.url !== undefined,
    });
    this.measurements = new Measurements({
      nodeName: nodeName(),
      appStats: () => host.hub?.appStats ?? [],
      memoryBytes: () => process.memoryUsage.rss(),
      deliveries: this.metrics.deliveries,
    });
    for (const sink of (given.observers ?? []).filter(isSink)) {
      const counters = new Counters();
      this.#sinkCounters.push(counters);
      this.#write(counters, sink);
    }
    if (!database) return;
    const node = Buffer.from(crypto.getRandomValues(new Uint8Array(NODE_BYTES))).toString("hex");
    if (config.database.url !== undefined) {
      if (options.keepsApps) this.sqlApps = this.#openApps(database);
      this.statistics = new StatisticsStore(database, node);
      this.series = new SeriesStore(database, node);
      this.#write(this.counters, this.statistics);
      this.#write(this.measurements, this.series);
    }
    const onOutcome: OutcomeListener = (...outcome) => this.#webhookOutcome(...outcome);
    const { receivers, tracing } = this;
    this.#pipeline = new WebhookPipeline({ ...options, database, node, tracing, onOutcome, receivers });
    this.#retention = new RetentionJob({
      rules: retentionRules(options, database, this.#pipeline.queue, this.statistics),
      wallMs: () => clock.wallMs(),
      failed: (error, during) => host.failed(error, during),
    });
    this.#startup = new DatabaseStartup(options, database, async () => {
      await this.sqlApps?.start();
      this.#retention?.start();
    });
  }

  #openApps(database: Database): SqlApps {
    const { config, clock, host } = this.#options;
    return new SqlApps({
      ...{ database, defaults: config.defaults, clock },
      changed: () => host.appsChanged(),
      failed: (error, during) => host.failed(error, during),
    });
  }

  #write<Counted>(counters: StatisticsOptions<Counted>["counters"], store: StatisticsOptions<Counted>["store"]): void {
    const { config, clock, host } = this.#options;
    const { enabled, intervalS } = config.statistics;
    if (!enabled) return;
    this.#statisticsWriters.push(
      new Statistics({
        ...{ counters, store, clock, intervalMs: intervalS * 1000 },
        wants: (app) => app === OF_NODE || (host.knownApp(app)?.statistics ?? false),
        failed: (error, during) => host.failed(error, during),
      }),
    );
  }

  #webhookOutcome(app: string, outcome: string, count: number): void {
    this.metrics.webhookOutcome(app, outcome, count);
    if (this.series) this.measurements.webhookOutcome(app, outcome, count);
    if (outcome === "dead") this.#options.log.warn({ app, count }, DEAD_LETTER);
    for (const listener of this.#outcomeListeners) listener(app, outcome, count);
  }

  /** Calls the listener with what became of webhook events. Returns what ends that. */
  onWebhookOutcome(listener: OutcomeListener): () => void {
    this.#outcomeListeners.add(listener);
    return () => void this.#outcomeListeners.delete(listener);
  }

  /** Where traces are wanted. */
  get tracing(): Tracing | undefined {
    return this.telemetry?.tracing;
  }

  get webhookQueue(): WebhookQueue | undefined {
    return this.#pipeline?.queue;
  }

  /**
   * The configuration with the database's apps beside its own, and the demo app where there is none at all. Throws ConfigError
   * where there has to be one.
   */
  async withApps(config: Config): Promise<Awaited<ReturnType<typeof withDemoApp>>> {
    const { log, given } = this.#options;
    if (!this.#pipeline && config.apps.some(isTold)) {
      log.warn("an app has its first webhooks: without a database they are sent after a restart only");
    }
    const stored = this.sqlApps?.list() ?? [];
    const hasApps = stored.length > 0 || given.apps !== undefined;
    const made = config.apps.length === 0 && hasApps ? { config } : await withDemoApp(config);
    const { apps } = made.config;
    // What the configuration says of an id or a key goes before the database.
    const others = stored.filter((app) => !apps.some(({ id, key }) => id === app.id || key === app.key));
    const all = [...apps, ...others];
    this.metrics.initialize(all.map(({ id }) => id));
    return { ...made, config: { ...made.config, apps: all } };
  }

  get observers(): readonly Observer[] {
    const webhooks = this.#pipeline ? [this.#pipeline.webhooks.observe] : [];
    const counters = this.#allCounters.map(({ observe }) => observe);
    const measured = this.series ? [this.measurements.observe] : [];
    return [...counters, this.metrics.observe, this.#auditAppActs, ...measured, ...webhooks];
  }

  /** Resolves when the queue has what was observed. Never rejects. */
  readonly flushed = (): Promise<void> => this.#pipeline?.webhooks.written ?? Promise.resolve();

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
      published: (tookMs) => this.metrics.publications.add(tookMs / 1000),
      delivered: (tookMs) => this.metrics.deliveries.add(tookMs / 1000),
    };
  }

  /**
   * Writes what is not yet written, and closes the database. What no receiver took yet stays in the queue; it is tried once
   * more where no other process has that queue, be it the cluster's last node or a process that has it in its own memory.
   */
  async close(isLast: boolean): Promise<void> {
    this.#startup?.stop();
    const finished = this.#finish(isLast || this.#isPrivate).then(() => true);
    if (await withinTime(CLOSE_MS, finished)) return;
    const error = new Error("The database or a receiver did not answer in time.");
    this.#options.host.failed(error, "writing the last statistics and webhooks");
  }

  async #finish(sendsRest: boolean): Promise<void> {
    // A receiver that takes its time does not cost the last numbers.
    await Promise.all([
      this.#pipeline?.webhooks.close(sendsRest),
      ...this.#statisticsWriters.map((writer) => writer.close()),
      this.#retention?.close(),
      this.sqlApps?.close(),
    ]);
    await this.#reportLost();
    await this.database?.close();
    await this.telemetry?.close();
  }

  /** No other process can read what is in it. */
  get #isPrivate(): boolean {
    return this.database?.name === IN_MEMORY;
  }

  async #reportLost(): Promise<void> {
    const waiting = this.#isPrivate ? ((await this.webhookQueue?.backlog())?.waiting ?? 0) : 0;
    if (waiting === 0) return;
    const message = `${waiting} webhook events were not taken, and are lost: they waited in memory (database.url is not set)`;
    this.#options.host.failed(new Error(message), "sending the last webhooks");
  }

  async #start(): Promise<void> {
    for (const writer of this.#statisticsWriters) writer.start();
    this.telemetry?.startMetrics(this.metrics);
    if (this.database) this.#warnOfSeparateDatabases(this.database);
    await this.#startup?.start();
    this.#pipeline?.delivery.start();
  }

  /** A leave on one node and a join on another are then two events in two outboxes, and both are sent. */
  #warnOfSeparateDatabases({ kind, name }: Database): void {
    const { config, keepsApps, log } = this.#options;
    if (config.engine === "memory" || kind !== "sqlite" || !keepsApps) return;
    if (!config.apps.some(isTold)) return;
    const what =
      "each node has a database of its own: give them one (database.url), or webhooks report a leave and a join when a user moves between nodes";
    log.warn({ database: name }, what);
  }
}

/** Whether what happens in the app is sent to anybody. */
function isTold({ webhooks, hooks }: App): boolean {
  return (webhooks?.length ?? 0) > 0 || hooks?.disconnect !== undefined;
}

function retentionRules(
  { config, clock }: StorageOptions,
  { query }: Database,
  queue: WebhookQueue,
  statistics: StatisticsStore | undefined,
): RetentionRule[] {
  const rules: RetentionRule[] = [
    { name: "dead letters", keepDays: config.webhooks.keepDays, forget: (before) => queue.forget(before) },
    { name: "audit", keepDays: config.audit.keepDays, forget: (before) => deleteAuditEntries(query, before) },
  ];
  if (statistics) {
    const forget = (before: number) => statistics.forget(before, clock.wallMs());
    rules.push({ name: "statistics", keepDays: config.statistics.keepDays, forget });
  }
  return rules;
}

/** Its libraries are loaded only where they are needed. */
async function openTelemetry({ config, version, host, clock }: StorageOptions): Promise<Telemetry | undefined> {
  const { telemetry: settings } = config;
  if (SIGNALS.every((signal) => endpointOf(signal, settings) === undefined)) return undefined;
  const { Telemetry } = await import("./telemetry.ts");
  const failed = (error: unknown, during: string) => host.failed(error, during);
  return new Telemetry({ settings, version, failed, node: nodeName(), wallMs: () => clock.wallMs() });
}

const SIGNALS = ["traces", "metrics", "logs"] as const;
const DEAD_LETTER = "no receiver took a webhook in time: `fanfare webhooks failed` lists it and says why";

/** Prometheus gives up after ten seconds, and then takes the whole server for down. */
const BACKLOG_MS = 1_000;

type Backlog = Awaited<ReturnType<WebhookQueue["backlog"]>>;

/** The numbers of a moment, for `/metrics`: of the hub, of the counters, and of the queue where it answers soon. */
function metricsSnapshots(
  host: StorageHost,
  clock: Clock,
  counters: Counters,
  queue: () => WebhookQueue | undefined,
): () => Promise<Snapshot> {
  /** The query that is under way: a database that hangs is not asked again by each scrape. */
  let counting: Promise<Backlog | undefined> | undefined;
  return async () => {
    const { hub, nodeState, outboxes } = host;
    const engine = hub?.health ?? { reachable: true as const };
    const snapshot = { apps: appsOf(hub?.appStats ?? [], counters), engine, ...nodeState, outboxes };
    counting ??= queue()
      ?.backlog()
      .catch(() => undefined)
      .finally(() => {
        counting = undefined;
      });
    // Where the database does not answer soon, everything else has to be seen.
    const backlog = counting && (await withinTime(BACKLOG_MS, counting));
    if (!backlog) return snapshot;
    const { waiting, failed, oldestAtMs } = backlog;
    const oldestS = oldestAtMs === undefined ? 0 : Math.max(0, (clock.wallMs() - oldestAtMs) / 1000);
    return { ...snapshot, webhooks: { waiting, failed, oldestS } };
  };
}

function appsOf(appStats: Hub["appStats"], counters: Counters): Snapshot["apps"] {
  const stats = new Map(appStats.map((one) => [one.app, one]));
  const ids = new Set([...stats.keys(), ...counters.apps.keys()]);
  return [...ids].map((id) => {
    const counted = counters.apps.get(id) ?? NO_TRAFFIC;
    return { ...counted, id, ...(stats.get(id) ?? NO_CONNECTIONS) };
  });
}

const NO_TRAFFIC = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
const NO_CONNECTIONS = {
  ...{ connections: 0, subscriptions: 0, transports: [] },
  channels: { public: 0, private: 0, presence: 0 },
};
