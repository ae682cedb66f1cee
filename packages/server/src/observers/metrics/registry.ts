/** Writes the server's numbers for Prometheus. Loaded by the first scrape: prom-client takes 19 MB and 50 ms. */

import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import type { Counts, Durations } from "./counts.ts";
import type { Reading } from "./merge.ts";
import type { AppTotals, Labels, OutboxSnapshot, Scraped, Snapshot, Totals } from "./snapshot.ts";

export interface MetricsRegistryOptions {
  readonly counts: readonly Counts[];
  readonly durations: readonly Durations[];
  readonly labels: Labels;
  readonly totals: Totals;
  /** Where soketi's names are wanted, what has a name of its own there. */
  readonly soketi: { readonly opened: Counts; readonly closed: Counts; readonly calls: readonly Counts[] } | undefined;
  readonly snapshot: () => Snapshot | Promise<Snapshot>;
  readonly version: string;
  /** Whether all processes of the server read the same queue of webhooks. */
  readonly sharesWebhookQueue: boolean;
}

/** How numbers of several processes become one. */
type Together = "sum" | "first" | "max";

/** The reasons for which Redis may refuse everything: there at 0 from the start. */
const REFUSALS = ["OOM", "READONLY", "NOPERM", "NOAUTH"] as const;

/** How often the lag of the event loop is measured. Every 10 ms, which is prom-client's own, a server without clients does little else. */
const LAG_EVERY_MS = 200;

/** soketi's default for `METRICS_PROMETHEUS_PREFIX`. */
const SOKETI = "soketi_";
const SOKETI_LABELS = ["app_id", "port"];

export class MetricsRegistry {
  readonly #options: MetricsRegistryOptions;
  readonly #registry = new Registry();
  /** The answer to the scrape that is under way: its gauges are all set from one snapshot. */
  #current: Promise<Snapshot> | undefined;

  constructor(options: MetricsRegistryOptions) {
    this.#options = options;
    const { counts, durations, version } = options;
    for (const each of counts) this.#counter(each);
    for (const each of durations) this.#registry.registerMetric(histogram(each));
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: LAG_EVERY_MS });
    const setVersion = (gauge: Gauge) => gauge.set({ version }, 1);
    this.#gauge("info", "The server's version.", ["version"], setVersion, "first");
    this.#perApp();
    this.#perNode();
    this.#perWebhookQueue();
    this.#perOutbox();
    this.#perSoketiName();
  }

  /** Of this process. */
  async scrape(): Promise<Scraped> {
    this.#current = undefined;
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  /** The same for another process, which adds it to others'. */
  async read(): Promise<Reading> {
    this.#current = undefined;
    const metrics = (await this.#registry.getMetricsAsJSON()) as unknown as Reading;
    // JSON has no word for what is no number, and Prometheus none for null.
    return metrics.map((metric) => ({
      ...metric,
      values: metric.values.filter(({ value }) => Number.isFinite(value)),
    }));
  }

  #perApp(): void {
    const gauges = {
      connections: "Connections that are open.",
      subscriptions: "Subscriptions of this node's connections.",
    } as const;
    for (const [name, help] of Object.entries(gauges)) {
      const key = name as keyof typeof gauges;
      this.#gauge(name, help, ["app"], (gauge, { apps }) => {
        for (const app of apps) gauge.inc({ app: this.#options.labels.app(app.id) }, app[key]);
      });
    }
    this.#gauge("channels", "Channels with subscribers on this node.", ["app", "kind"], (gauge, { apps }) => {
      for (const { id, channels } of apps) {
        for (const [kind, count] of Object.entries(channels))
          gauge.inc({ app: this.#options.labels.app(id), kind }, count);
      }
    });
    this.#perTransport();
    this.#total("frames_received_total", "Frames from clients.", "messagesIn");
    this.#total("received_bytes_total", "Bytes in frames from clients.", "bytesIn");
    this.#total("deliveries_total", "Frames to clients.", "messagesOut");
    this.#total("sent_bytes_total", "Bytes in frames to clients.", "bytesOut");
  }

  /** What was there once is 0 when it is gone: a graph of a series that ends does not fall. */
  #perTransport(): void {
    const known = new Map<string, Record<"app" | "protocol" | "transport", string>>();
    const help = "Connections that are open, by protocol and transport.";
    this.#gauge("transport_connections", help, ["app", "protocol", "transport"], (gauge, { apps }) => {
      for (const labels of known.values()) gauge.set(labels, 0);
      for (const { id, transports } of apps) {
        for (const { protocol, transport, connections } of transports) {
          const labels = { app: this.#options.labels.app(id), protocol, transport };
          known.set(Object.values(labels).join("\0"), labels);
          gauge.inc(labels, connections);
        }
      }
    });
  }

  #perNode(): void {
    this.#gauge("engine_up", "Whether the engine can be reached.", [], (gauge, { engine }) =>
      gauge.set(engine.reachable ? 1 : 0),
    );
    this.#gauge(
      "engine_refusing",
      "Whether the engine answers and refuses, and why.",
      ["reason"],
      (gauge, { engine }) => {
        for (const reason of REFUSALS) gauge.set({ reason }, 0);
        if (!engine.reachable && engine.refusal !== undefined) gauge.set({ reason: engine.refusal }, 1);
      },
    );
    this.#gauge("draining", "Whether the node tells its clients to leave.", [], (gauge, { draining }) =>
      gauge.set(draining ? 1 : 0),
    );
    this.#gauge("event_loop_lag_seconds", "How late the last timer ran.", [], (gauge, { lagMs }) =>
      gauge.set(lagMs / 1000),
    );
  }

  /** Of one node of the cluster, which reads it: elsewhere there is no series. */
  #perOutbox(): void {
    const set =
      (value: (outbox: OutboxSnapshot) => number | undefined) =>
      (gauge: Gauge, { outboxes }: Snapshot) => {
        for (const outbox of outboxes) {
          const number = value(outbox);
          if (number !== undefined) gauge.set({ source: outbox.source }, number);
        }
      };
    const up = set(({ isReading, isUp }) => (isReading && isUp !== undefined ? Number(isUp) : undefined));
    this.#gauge("outbox_up", "Whether the outbox's database answers the node that reads it.", ["source"], up, "max");
    const oldest = set(({ oldestS }) => oldestS);
    this.#gauge(
      "outbox_oldest_seconds",
      "How long the oldest row of the outbox had waited.",
      ["source"],
      oldest,
      "max",
    );
  }

  #perWebhookQueue(): void {
    const pending = (gauge: Gauge, { webhooks }: Snapshot) => {
      if (!webhooks) return;
      gauge.set({ state: "waiting" }, webhooks.waiting);
      gauge.set({ state: "failed" }, webhooks.failed);
    };
    const together = this.#options.sharesWebhookQueue ? "max" : "sum";
    this.#gauge("webhooks_pending", "Webhook events in the outbox.", ["state"], pending, together);
    // 0 would say that nothing waits, when that is not known.
    const oldest = (gauge: Gauge, { webhooks }: Snapshot) => (webhooks ? gauge.set(webhooks.oldestS) : gauge.remove());
    this.#gauge("webhooks_oldest_seconds", "How long the oldest webhook event has waited.", [], oldest, "max");
  }

  /** The numbers under the names and labels of soketi 1.6, so that dashboards and alerts made for it go on working. */
  #perSoketiName(): void {
    const { soketi, labels } = this.#options;
    if (!soketi) return;
    collectDefaultMetrics({ register: this.#registry, prefix: SOKETI, eventLoopMonitoringPrecision: LAG_EVERY_MS });
    const snapshot = () => this.#snapshot();
    new Gauge({
      name: `${SOKETI}connected`,
      help: "Connections that are open.",
      labelNames: SOKETI_LABELS,
      registers: [this.#registry],
      async collect() {
        const { apps, port } = await snapshot();
        this.reset();
        for (const { id, connections } of apps) this.inc({ app_id: labels.app(id), port }, connections);
      },
    });
    this.#soketiTotal("socket_received_bytes", "Bytes in frames from clients.", "bytesIn");
    this.#soketiTotal("socket_transmitted_bytes", "Bytes in frames to clients.", "bytesOut");
    this.#soketiTotal("ws_messages_received_total", "Frames from clients.", "messagesIn");
    this.#soketiTotal("ws_messages_sent_total", "Frames to clients.", "messagesOut");
    this.#soketiCounter("new_connections_total", "Connections that were welcomed.", async () => byApp(soketi.opened));
    this.#soketiCounter("new_disconnections_total", "Connections that ended.", async () => byApp(soketi.closed));
    for (const calls of soketi.calls) this.#soketiCounter(calls.name, calls.help, async () => byApp(calls));
  }

  #soketiTotal(name: string, help: string, key: keyof AppTotals): void {
    this.#soketiCounter(name, help, async () =>
      Array.from(await this.#totals(), ([app, numbers]) => [app, numbers[key]] as const),
    );
  }

  /** Of one app there may be several values, which are added up. */
  #soketiCounter(
    name: string,
    help: string,
    read: () => Promise<Iterable<readonly [app: string, value: number]>>,
  ): void {
    const snapshot = () => this.#snapshot();
    new Counter({
      name: `${SOKETI}${name}`,
      help,
      labelNames: SOKETI_LABELS,
      registers: [this.#registry],
      async collect() {
        const { port } = await snapshot();
        const all = await read();
        this.reset();
        for (const [app_id, value] of all) this.inc({ app_id, port }, value);
      },
    });
  }

  #counter(counts: Counts): void {
    new Counter({
      name: `fanfare_${counts.name}`,
      help: counts.help,
      labelNames: [...counts.labelNames],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const { labels, value } of counts.series) this.inc(labels, value);
      },
    });
  }

  /** Counted elsewhere, where it costs an addition and no look-up of labels. */
  #total(name: string, help: string, key: keyof AppTotals): void {
    const totals = () => this.#totals();
    new Counter({
      name: `fanfare_${name}`,
      help,
      labelNames: ["app"],
      registers: [this.#registry],
      async collect() {
        const all = await totals();
        this.reset();
        for (const [app, numbers] of all) this.inc({ app }, numbers[key]);
      },
    });
  }

  #gauge(
    name: string,
    help: string,
    labelNames: string[],
    set: (gauge: Gauge, snapshot: Snapshot) => void,
    aggregator: Together = "sum",
  ): void {
    const snapshot = () => this.#snapshot();
    new Gauge({
      name: `fanfare_${name}`,
      help,
      labelNames,
      aggregator,
      registers: [this.#registry],
      async collect() {
        const current = await snapshot();
        this.reset();
        set(this, current);
      },
    });
  }

  #snapshot(): Promise<Snapshot> {
    this.#current ??= Promise.resolve(this.#options.snapshot());
    return this.#current;
  }

  async #totals(): Promise<ReadonlyMap<string, AppTotals>> {
    return this.#options.totals.of((await this.#snapshot()).apps);
  }
}

function byApp({ series }: Counts): readonly (readonly [app: string, value: number])[] {
  return Array.from(series, ({ labels: { app = "" }, value }) => [app, value] as const);
}

/** As prom-client has it of a histogram of its own, which cannot be set to what was counted elsewhere. */
function histogram(durations: Durations): Metric {
  const { name, help, bounds, counts } = durations;
  const full = `fanfare_${name}`;
  const get = async () => {
    let atMost = 0;
    const buckets = bounds.map((le, index) => {
      atMost += counts[index] ?? 0;
      return { metricName: `${full}_bucket`, labels: { le }, value: atMost };
    });
    const all = { metricName: `${full}_bucket`, labels: { le: "+Inf" }, value: durations.count };
    const values = [
      ...buckets,
      all,
      { metricName: `${full}_sum`, labels: {}, value: durations.sum },
      { metricName: `${full}_count`, labels: {}, value: durations.count },
    ];
    return { name: full, help, type: "histogram", values, aggregator: "sum" };
  };
  return { name: full, get } as unknown as Metric;
}
