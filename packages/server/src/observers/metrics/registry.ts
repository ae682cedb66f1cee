/** Writes the server's numbers for Prometheus. Loaded by the first scrape: prom-client takes 19 MB and 50 ms. */

import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import type { Counts, Durations } from "./counts.ts";
import type { Labels } from "./labels.ts";
import type { Reading } from "./merge.ts";
import type { AppTotals, OutboxSnapshot, Scraped, Snapshot } from "./snapshot.ts";
import type { SoketiCounts } from "./soketi-counts.ts";
import { addSoketiNames } from "./soketi-names.ts";
import type { Totals } from "./totals.ts";

export interface MetricsRegistryOptions {
  readonly counts: readonly Counts[];
  readonly durations: readonly Durations[];
  readonly labels: Labels;
  readonly totals: Totals;
  /** Where soketi's names are wanted. */
  readonly soketi: SoketiCounts | undefined;
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

export class MetricsRegistry {
  readonly #options: MetricsRegistryOptions;
  readonly #registry = new Registry();
  /** The answer to the scrape that is under way: its gauges are all set from one snapshot. */
  #current: Promise<Snapshot> | undefined;

  constructor(options: MetricsRegistryOptions) {
    this.#options = options;
    const { counts, durations, labels, soketi, version } = options;
    for (const each of counts) this.#counter(each);
    for (const each of durations) this.#registry.registerMetric(histogram(each));
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: LAG_EVERY_MS });
    const setVersion = (gauge: Gauge) => gauge.set({ version }, 1);
    this.#gauge("info", "The server's version.", ["version"], setVersion, "first");
    this.#perApp();
    this.#perNode();
    this.#perWebhookQueue();
    this.#perOutbox();
    if (!soketi) return;
    const [snapshot, totals] = [() => this.#snapshot(), () => this.#totals()];
    addSoketiNames({
      ...{ registry: this.#registry, lagEveryMs: LAG_EVERY_MS },
      labels,
      counts: soketi,
      snapshot,
      totals,
    });
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
