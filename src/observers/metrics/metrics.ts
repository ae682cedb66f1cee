/** The server in numbers for Prometheus: rare events are counted as they happen, everything else is read when it is scraped. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { HubEvent } from "../../domain/event.ts";
import type { Observer } from "../../domain/ports.ts";
import { Labels } from "./labels.ts";
import { addSoketiNames } from "./soketi.ts";
import type { Vitals } from "./vitals.ts";

export interface MetricsOptions {
  readonly vitals: () => Vitals | Promise<Vitals>;
  readonly version: string;
  /** soketi's names as well, for dashboards that were made for it. */
  readonly soketiNames: boolean;
}

/** In seconds. Redis on the same machine answers in a tenth of a millisecond. */
const BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export class Metrics {
  readonly #registry = new Registry();
  readonly #labels = new Labels();
  readonly #options: MetricsOptions;
  /** The answer to the scrape that is under way: its gauges are all set from one look. */
  #vitals: Promise<Vitals> | undefined;

  readonly #opened = this.#counter("connections_opened_total", "Connections that were welcomed.", "app", "protocol");
  readonly #closed = this.#counter("connections_closed_total", "Connections that ended, by why.", "app", "why");
  readonly #turnedAway = this.#counter("connections_refused_total", "Clients that were not let in, by why.", "why");
  readonly #refused = this.#counter("commands_refused_total", "Commands that were refused, by why.", "app", "why");
  readonly #published = this.#counter("publications_total", "Events published on this node.", "app", "by");
  readonly #gaps = this.#counter("gaps_total", "Channels of which publications may have been missed.", "app");
  readonly #failures = this.#counter("failures_total", "Things that should not happen; each is in the log.");
  readonly #webhooks = this.#counter("webhooks_total", "Webhook events, by what became of them.", "app", "outcome");
  readonly #publishTook = new Histogram({
    name: "fanfare_publish_seconds",
    help: "Time from publishing an event to the engine having it; with the memory engine that includes the delivery.",
    buckets: BUCKETS,
    registers: [this.#registry],
  });

  constructor(options: MetricsOptions) {
    this.#options = options;
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge("info", "The server's version.", ["version"], (gauge) => gauge.set({ version: options.version }, 1));
    this.#perApp();
    this.#perNode();
    if (options.soketiNames) addSoketiNames(this.#registry, async () => (await this.#look()).apps, this.#labels);
  }

  /** As Prometheus reads it. */
  async scrape(): Promise<{ readonly type: string; readonly text: string }> {
    this.#vitals = undefined;
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  readonly observe: Observer = (event: HubEvent) => {
    switch (event.type) {
      case "opened": {
        const { app, protocol } = event.connection;
        return this.#opened.inc({ app: this.#labels.app(app.id), protocol: protocol.name });
      }
      case "closed": {
        const app = this.#labels.app(event.connection.app.id);
        return this.#closed.inc({ app, why: event.why?.code ?? "client" });
      }
      case "turned-away":
        return this.#turnedAway.inc({ why: event.why.code });
      case "refused":
        return this.#refused.inc({ app: this.#labels.app(event.connection.app.id), why: event.error.code });
      case "published": {
        const by = event.publication.from ? "client" : "backend";
        return this.#published.inc({ app: this.#labels.app(event.app.id), by });
      }
      case "gap":
        return this.#gaps.inc({ app: this.#labels.app(event.app.id) });
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

  webhookTold(app: string, outcome: string, count: number): void {
    this.#webhooks.inc({ app: this.#labels.app(app), outcome }, count);
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
    this.#total("api_calls_total", "Signed calls of the HTTP API.", "apiMessages");
  }

  #perNode(): void {
    this.#gauge("engine_up", "Whether the engine can be reached.", [], (gauge, { engine }) =>
      gauge.set(engine.reachable ? 1 : 0),
    );
    this.#gauge("draining", "Whether the node tells its clients to leave.", [], (gauge, { draining }) =>
      gauge.set(draining ? 1 : 0),
    );
    this.#gauge("event_loop_lag_seconds", "How late the last timer ran.", [], (gauge, { lagMs }) =>
      gauge.set(lagMs / 1000),
    );
    this.#gauge("webhooks_pending", "Webhook events in the outbox.", ["state"], (gauge, { webhooks }) => {
      if (!webhooks) return;
      gauge.set({ state: "waiting" }, webhooks.waiting);
      gauge.set({ state: "failed" }, webhooks.failed);
    });
    this.#gauge("webhooks_oldest_seconds", "How long the oldest webhook event has waited.", [], (gauge, { webhooks }) =>
      gauge.set(webhooks?.oldestS ?? 0),
    );
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name: `fanfare_${name}`, help, labelNames, registers: [this.#registry] });
  }

  /** Counted elsewhere, where it costs an addition and no look-up of labels. */
  #total(name: string, help: string, key: "messagesIn" | "messagesOut" | "bytesIn" | "bytesOut" | "apiMessages"): void {
    const look = () => this.#look();
    const label = (id: string) => this.#labels.app(id);
    new Counter({
      name: `fanfare_${name}`,
      help,
      labelNames: ["app"],
      registers: [this.#registry],
      async collect() {
        const { apps } = await look();
        this.reset();
        for (const app of apps) this.inc({ app: label(app.id) }, app[key]);
      },
    });
  }

  #gauge(name: string, help: string, labelNames: string[], set: (gauge: Gauge, vitals: Vitals) => void): void {
    const look = () => this.#look();
    new Gauge({
      name: `fanfare_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      async collect() {
        const vitals = await look();
        this.reset();
        set(this, vitals);
      },
    });
  }

  #look(): Promise<Vitals> {
    this.#vitals ??= Promise.resolve(this.#options.vitals());
    return this.#vitals;
  }
}
