/** The server in numbers for Prometheus: rare events are counted as they happen, everything else is read when it is scraped. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { Observer } from "../../domain/ports.ts";
import * as zeros from "./initial-series.ts";
import { Labels } from "./labels.ts";
import type { Reading } from "./merge.ts";
import type { AppTotals, Snapshot } from "./snapshot.ts";
import { SoketiNames } from "./soketi-names.ts";
import { Totals } from "./totals.ts";

export interface MetricsOptions {
  readonly snapshot: () => Snapshot | Promise<Snapshot>;
  readonly version: string;
  /** soketi's names as well, for dashboards that were made for it. */
  readonly soketiNames: boolean;
  /** Whether all processes of the server read the same outbox. */
  readonly sharesOutbox: boolean;
}

/** As Prometheus reads it. */
export interface Scraped {
  readonly type: string;
  readonly text: string;
}

/** How numbers of several processes become one. */
type Together = "sum" | "first" | "max";

/** In seconds. Redis on the same machine answers in a tenth of a millisecond. */
const BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** As what a Redis may refuse everything: there at 0 from the start. */
const REFUSALS = ["OOM", "READONLY", "NOPERM", "NOAUTH"] as const;

export class Metrics {
  readonly #registry = new Registry();
  readonly #labels = new Labels();
  readonly #totals = new Totals(this.#labels);
  readonly #options: MetricsOptions;
  readonly #soketi: SoketiNames | undefined;
  /** Labels of the apps whose series there are from the start. */
  readonly #expected = new Set<string>();
  #wasReachable = true;
  /** The answer to the scrape that is under way: its gauges are all set from one look. */
  #vitals: Promise<Snapshot> | undefined;

  readonly #opened = this.#counter("connections_opened_total", "Connections that were welcomed.", "app", "protocol");
  readonly #closed = this.#counter("connections_closed_total", "Connections that ended, by why.", "app", "why");
  readonly #turnedAway = this.#counter("connections_refused_total", "Clients that were not let in, by why.", "why");
  readonly #refused = this.#counter("commands_refused_total", "Commands that were refused, by why.", "app", "why");
  readonly #published = this.#counter("publications_total", "Events published on this node.", "app", "by");
  readonly #gaps = this.#counter("gaps_total", "Channels of which publications may have been missed.", "app");
  readonly #fellBehind = this.#counter("slow_readers_total", "Clients that were cut because they did not read.", "app");
  readonly #apiRequests = this.#counter("api_requests_total", "Calls of the HTTP API, by the answer.", "status");
  readonly #apiRefused = this.#counter("api_refused_total", "Calls of the HTTP API refused, by why.", "app", "why");
  readonly #engineLosses = this.#counter("engine_losses_total", "Times that the engine went away.");
  readonly #engineReturns = this.#counter("engine_reconnects_total", "Times that the engine was there again.");
  readonly #failures = this.#counter("failures_total", "Things that should not happen; each is in the log.");
  readonly #webhooks = this.#counter("webhooks_total", "Webhook events, by what became of them.", "app", "outcome");
  readonly #publishTook = new Histogram({
    name: "fanfare_publish_seconds",
    help: "Time from publishing an event to the engine having it; with the memory engine that includes the delivery.",
    buckets: BUCKETS,
    registers: [this.#registry],
  });
  readonly #deliveryTook = new Histogram({
    name: "fanfare_delivery_seconds",
    help: "Time from publishing an event to this node's readers being sent it, through the engine; one event in 10 ms is timed.",
    buckets: BUCKETS,
    registers: [this.#registry],
  });

  constructor(options: MetricsOptions) {
    this.#options = options;
    collectDefaultMetrics({ register: this.#registry });
    const sayVersion = (gauge: Gauge) => gauge.set({ version: options.version }, 1);
    this.#gauge("info", "The server's version.", ["version"], sayVersion, "first");
    this.#perApp();
    this.#perNode();
    this.#perOutbox();
    this.#begin(this.#turnedAway, "why", zeros.WHY_TURNED_AWAY);
    this.#begin(this.#apiRequests, "status", zeros.STATUSES);
    this.#begin(this.#apiRefused, "why", zeros.WHY_CALL_UNKNOWN, { app: "" });
    if (!options.soketiNames) return;
    const [registry, labels] = [this.#registry, this.#labels];
    this.#soketi = new SoketiNames({
      ...{ registry, labels },
      engineChecked: () => this.#look(),
      totals: async () => this.#totals.of((await this.#look()).apps),
    });
  }

  /** These apps are there: whatever is counted of them is 0 until it happens. */
  initialize(apps: readonly string[]): void {
    for (const id of apps) {
      if (this.#expected.size >= zeros.MOST_ZEROED) return;
      const app = { app: this.#labels.app(id) };
      if (this.#expected.has(app.app)) continue;
      this.#expected.add(app.app);
      this.#totals.keep(id, { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 });
      this.#soketi?.initialize(id);
      for (const counter of [this.#gaps, this.#fellBehind]) counter.inc(app, 0);
      this.#begin(this.#opened, "protocol", zeros.PROTOCOLS, app);
      this.#begin(this.#closed, "why", zeros.WHY_CLOSED, app);
      this.#begin(this.#refused, "why", zeros.WHY_REFUSED, app);
      this.#begin(this.#apiRefused, "why", zeros.WHY_CALL_REFUSED, app);
      this.#begin(this.#published, "by", zeros.PUBLISHERS, app);
      this.#begin(this.#webhooks, "outcome", zeros.OUTCOMES, app);
    }
  }

  #begin(counter: Counter, label: string, values: readonly (string | number)[], more: object = {}): void {
    for (const value of values) counter.inc({ ...more, [label]: value }, 0);
  }

  /** Of this process. */
  async scrape(): Promise<Scraped> {
    this.#vitals = undefined;
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  /** The same for another process, which adds it to others'. */
  async read(): Promise<Reading> {
    this.#vitals = undefined;
    const metrics = (await this.#registry.getMetricsAsJSON()) as unknown as Reading;
    // JSON has no word for what is no number, and Prometheus none for null.
    return metrics.map((metric) => ({
      ...metric,
      values: metric.values.filter(({ value }) => Number.isFinite(value)),
    }));
  }

  readonly observe: Observer = (event: HubEvent) => {
    this.#soketi?.observe(event);
    switch (event.type) {
      case "opened": {
        const { app, protocol } = event.connection;
        return this.#opened.inc({ app: this.#labels.app(app.id), protocol: protocol.name });
      }
      case "closed": {
        const app = this.#labels.app(event.connection.app.id);
        return this.#closed.inc({ app, why: event.why?.code ?? "client" });
      }
      case "rejected":
        return this.#turnedAway.inc({ why: event.why.code });
      case "refused":
        return this.#refused.inc({ app: this.#labels.app(event.connection.app.id), why: event.error.code });
      case "api-refused":
        return this.#apiRefused.inc({ app: event.app ? this.#labels.app(event.app.id) : "", why: event.error.code });
      case "published": {
        const by = event.publication.from ? "client" : "backend";
        return this.#published.inc({ app: this.#labels.app(event.app.id), by });
      }
      case "gap":
        return this.#gaps.inc({ app: this.#labels.app(event.app.id) });
      case "slow-consumer":
        return this.#fellBehind.inc({ app: this.#labels.app(event.connection.app.id) });
      case "failed":
        return this.#failures.inc();
      default:
        return;
    }
  };

  /** The engine took an event after so long. */
  publishTook(seconds: number): void {
    this.#publishTook.observe(seconds);
  }

  /** An event reached this node's readers so long after this node published it. */
  deliveryTook(seconds: number): void {
    this.#deliveryTook.observe(seconds);
  }

  webhookOutcome(app: string, outcome: string, count: number): void {
    this.#webhooks.inc({ app: this.#labels.app(app), outcome }, count);
  }

  /** Whether calls of the HTTP API are to be measured, which costs each a copy of its answer. */
  get measuresCalls(): boolean {
    return this.#soketi !== undefined;
  }

  /** A call of the HTTP API was answered. */
  apiAnswered(status: number): void {
    this.#apiRequests.inc({ status });
  }

  /** The same call of an app there is, where calls are measured. */
  apiMeasured(app: string, bytesIn: number, bytesOut: number): void {
    this.#soketi?.called(app, bytesIn, bytesOut);
  }

  /** The app's totals begin anew elsewhere, and go on here. */
  keepTotals(app: string, totals: AppTotals): void {
    this.#totals.keep(app, totals);
  }

  /** Whether the engine is there now: call it every second or so. */
  look({ reachable }: Snapshot["engine"]): void {
    if (reachable === this.#wasReachable) return;
    this.#wasReachable = reachable;
    (reachable ? this.#engineReturns : this.#engineLosses).inc();
  }

  #perApp(): void {
    const gauges = {
      connections: "Connections that are open.",
      subscriptions: "Subscriptions of this node's connections.",
    } as const;
    for (const [name, help] of Object.entries(gauges)) {
      const key = name as keyof typeof gauges;
      this.#gauge(name, help, ["app"], (gauge, { apps }) => {
        for (const app of apps) gauge.inc({ app: this.#labels.app(app.id) }, app[key]);
      });
    }
    this.#gauge("channels", "Channels with subscribers on this node.", ["app", "kind"], (gauge, { apps }) => {
      for (const { id, channels } of apps) {
        for (const [kind, count] of Object.entries(channels)) gauge.inc({ app: this.#labels.app(id), kind }, count);
      }
    });
    this.#total("frames_received_total", "Frames from clients.", "messagesIn");
    this.#total("received_bytes_total", "Bytes in frames from clients.", "bytesIn");
    this.#total("deliveries_total", "Frames to clients.", "messagesOut");
    this.#total("sent_bytes_total", "Bytes in frames to clients.", "bytesOut");
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

  #perOutbox(): void {
    const pending = (gauge: Gauge, { webhooks }: Snapshot) => {
      if (!webhooks) return;
      gauge.set({ state: "waiting" }, webhooks.waiting);
      gauge.set({ state: "failed" }, webhooks.failed);
    };
    const together = this.#options.sharesOutbox ? "max" : "sum";
    this.#gauge("webhooks_pending", "Webhook events in the outbox.", ["state"], pending, together);
    // Nought would say that nothing waits, when nobody can tell.
    const oldest = (gauge: Gauge, { webhooks }: Snapshot) => (webhooks ? gauge.set(webhooks.oldestS) : gauge.remove());
    this.#gauge("webhooks_oldest_seconds", "How long the oldest webhook event has waited.", [], oldest, "max");
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name: `fanfare_${name}`, help, labelNames, registers: [this.#registry] });
  }

  /** Counted elsewhere, where it costs an addition and no look-up of labels. */
  #total(name: string, help: string, key: keyof AppTotals): void {
    const totals = async () => this.#totals.of((await this.#look()).apps);
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
    set: (gauge: Gauge, vitals: Snapshot) => void,
    aggregator: Together = "sum",
  ): void {
    const look = () => this.#look();
    new Gauge({
      name: `fanfare_${name}`,
      help,
      labelNames,
      aggregator,
      registers: [this.#registry],
      async collect() {
        const vitals = await look();
        this.reset();
        set(this, vitals);
      },
    });
  }

  #look(): Promise<Snapshot> {
    this.#vitals ??= Promise.resolve(this.#options.snapshot());
    return this.#vitals;
  }
}
