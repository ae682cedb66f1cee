/** Writes the server's numbers for Prometheus. Loaded by the first scrape: prom-client takes 19 MB and 50 ms. */

import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import type { Awaitable } from "../../domain/ports.ts";
import type { Counts, Durations } from "./counts.ts";
import type { Reading } from "./merge.ts";
import type { AppTotals, Labels, Scraped, Snapshot, Totals } from "./snapshot.ts";

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

/** Values of the same labels are added up. */
type Row = readonly [labels: Readonly<Record<string, string | number | undefined>>, value: number];

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
    for (const each of counts) {
      this.#counter(`fanfare_${each.name}`, each.help, each.labelNames, () => rowsOf(each));
    }
    for (const each of durations) this.#registry.registerMetric(histogram(each));
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: LAG_EVERY_MS });
    this.#gauge("fanfare_info", "The server's version.", ["version"], () => [[{ version }, 1]], "first");
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
    const { labels } = this.#options;
    this.#gauge("fanfare_connections", "Connections that are open.", ["app"], ({ apps }) =>
      apps.map(({ id, connections }) => [{ app: labels.app(id) }, connections]),
    );
    this.#gauge("fanfare_subscriptions", "Subscriptions of this node's connections.", ["app"], ({ apps }) =>
      apps.map(({ id, subscriptions }) => [{ app: labels.app(id) }, subscriptions]),
    );
    const channels = "Channels with subscribers on this node.";
    this.#gauge("fanfare_channels", channels, ["app", "kind"], ({ apps }) =>
      apps.flatMap(({ id, channels }) =>
        Object.entries(channels).map(([kind, count]): Row => [{ app: labels.app(id), kind }, count]),
      ),
    );
    this.#perTransport();
    this.#total("fanfare_frames_received_total", "Frames from clients.", "messagesIn");
    this.#total("fanfare_received_bytes_total", "Bytes in frames from clients.", "bytesIn");
    this.#total("fanfare_deliveries_total", "Frames to clients.", "messagesOut");
    this.#total("fanfare_sent_bytes_total", "Bytes in frames to clients.", "bytesOut");
  }

  /** What was there once is 0 when it is gone: a graph of a series that ends does not fall. */
  #perTransport(): void {
    const { labels } = this.#options;
    const known = new Map<string, Row>();
    const help = "Connections that are open, by protocol and transport.";
    this.#gauge("fanfare_transport_connections", help, ["app", "protocol", "transport"], ({ apps }) => {
      const open = apps.flatMap(({ id, transports }) =>
        transports.map(({ protocol, transport, connections }): Row => {
          return [{ app: labels.app(id), protocol, transport }, connections];
        }),
      );
      for (const [its] of open) known.set(Object.values(its).join("\0"), [its, 0]);
      return [...known.values(), ...open];
    });
  }

  #perNode(): void {
    this.#gauge("fanfare_engine_up", "Whether the engine can be reached.", [], ({ engine }) => [
      [{}, Number(engine.reachable)],
    ]);
    const refusing = "Whether the engine answers and refuses, and why.";
    this.#gauge("fanfare_engine_refusing", refusing, ["reason"], ({ engine }) => {
      const reason = engine.reachable ? undefined : engine.refusal;
      return [
        ...REFUSALS.map((one): Row => [{ reason: one }, 0]),
        ...(reason === undefined ? [] : [[{ reason }, 1] as const]),
      ];
    });
    this.#gauge("fanfare_draining", "Whether the node tells its clients to leave.", [], ({ draining }) => [
      [{}, Number(draining)],
    ]);
    this.#gauge("fanfare_event_loop_lag_seconds", "How late the last timer ran.", [], ({ lagMs }) => [
      [{}, lagMs / 1000],
    ]);
  }

  /** Of one node of the cluster, which reads it: elsewhere there is no series. */
  #perOutbox(): void {
    const up = "Whether the outbox's database answers the node that reads it.";
    this.#gauge(
      "fanfare_outbox_up",
      up,
      ["source"],
      ({ outboxes }) =>
        outboxes.flatMap(({ source, isReading, isUp }): Row[] =>
          isReading && isUp !== undefined ? [[{ source }, Number(isUp)]] : [],
        ),
      "max",
    );
    const oldest = "How long the oldest row of the outbox had waited.";
    this.#gauge(
      "fanfare_outbox_oldest_seconds",
      oldest,
      ["source"],
      ({ outboxes }) =>
        outboxes.flatMap(({ source, oldestS }): Row[] => (oldestS === undefined ? [] : [[{ source }, oldestS]])),
      "max",
    );
  }

  /** 0 would say that nothing waits, when that is not known. */
  #perWebhookQueue(): void {
    const together = this.#options.sharesWebhookQueue ? "max" : "sum";
    const pending = ({ webhooks }: Snapshot): Row[] =>
      webhooks
        ? [
            [{ state: "waiting" }, webhooks.waiting],
            [{ state: "failed" }, webhooks.failed],
          ]
        : [];
    this.#gauge("fanfare_webhooks_pending", "Webhook events in the outbox.", ["state"], pending, together);
    const oldest = ({ webhooks }: Snapshot): Row[] => (webhooks ? [[{}, webhooks.oldestS]] : []);
    const help = "How long the oldest webhook event has waited.";
    this.#gauge("fanfare_webhooks_oldest_seconds", help, [], oldest, "max");
  }

  /** The numbers under the names and labels of soketi 1.6, so that dashboards and alerts made for it go on working. */
  #perSoketiName(): void {
    const { soketi, labels } = this.#options;
    if (!soketi) return;
    collectDefaultMetrics({ register: this.#registry, prefix: SOKETI, eventLoopMonitoringPrecision: LAG_EVERY_MS });
    this.#gauge(`${SOKETI}connected`, "Connections that are open.", SOKETI_LABELS, ({ apps, port }) =>
      apps.map(({ id, connections }) => [{ app_id: labels.app(id), port }, connections]),
    );
    this.#soketiTotal("socket_received_bytes", "Bytes in frames from clients.", "bytesIn");
    this.#soketiTotal("socket_transmitted_bytes", "Bytes in frames to clients.", "bytesOut");
    this.#soketiTotal("ws_messages_received_total", "Frames from clients.", "messagesIn");
    this.#soketiTotal("ws_messages_sent_total", "Frames to clients.", "messagesOut");
    this.#soketiCounter("new_connections_total", "Connections that were welcomed.", () => rowsOf(soketi.opened));
    this.#soketiCounter("new_disconnections_total", "Connections that ended.", () => rowsOf(soketi.closed));
    for (const calls of soketi.calls) this.#soketiCounter(calls.name, calls.help, () => rowsOf(calls));
  }

  #soketiTotal(name: string, help: string, key: keyof AppTotals): void {
    this.#soketiCounter(name, help, () => this.#totals(key));
  }

  #soketiCounter(name: string, help: string, read: () => Awaitable<readonly Row[]>): void {
    this.#counter(`${SOKETI}${name}`, help, SOKETI_LABELS, async () => {
      const { port } = await this.#snapshot();
      return (await read()).map(([{ app }, value]) => [{ app_id: app, port }, value]);
    });
  }

  #total(name: string, help: string, key: keyof AppTotals): void {
    this.#counter(name, help, ["app"], () => this.#totals(key));
  }

  /** Counted elsewhere, where it costs an addition and no look-up of labels. */
  #counter(name: string, help: string, labelNames: readonly string[], read: () => Awaitable<readonly Row[]>): void {
    new Counter({
      ...{ name, help, labelNames: [...labelNames], registers: [this.#registry] },
      async collect() {
        const rows = await read();
        this.reset();
        for (const row of rows) this.inc(...row);
      },
    });
  }

  /** Where there is nothing to read, there is no series. */
  #gauge(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: (snapshot: Snapshot) => readonly Row[],
    aggregator: Together = "sum",
  ): void {
    const snapshot = () => this.#snapshot();
    new Gauge({
      ...{ name, help, labelNames: [...labelNames], aggregator, registers: [this.#registry] },
      async collect() {
        const rows = read(await snapshot());
        this.reset();
        // A gauge without labels is 0 after that.
        if (rows.length === 0 && labelNames.length === 0) this.remove();
        for (const row of rows) this.inc(...row);
      },
    });
  }

  #snapshot(): Promise<Snapshot> {
    this.#current ??= Promise.resolve(this.#options.snapshot());
    return this.#current;
  }

  async #totals(key: keyof AppTotals): Promise<readonly Row[]> {
    const all = this.#options.totals.of((await this.#snapshot()).apps);
    return Array.from(all, ([app, numbers]) => [{ app }, numbers[key]]);
  }
}

function rowsOf({ series }: Counts): readonly Row[] {
  return Array.from(series, ({ labels, value }) => [labels, value]);
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
