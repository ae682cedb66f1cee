/** The server in numbers: rare events are counted as they happen, everything else is read when it is scraped. */

import type { HubEvent } from "../../domain/hub-event.ts";
import { LATENCY_BOUNDS_S } from "../../domain/latency.ts";
import type { Observer } from "../../domain/ports.ts";
import { Counts, Durations, type Series } from "./counts.ts";
import type { Reading } from "./merge.ts";
import { WHY_CALL_REFUSED, WHY_CALL_UNKNOWN, WHY_CLOSED, WHY_REFUSED, WHY_TURNED_AWAY } from "./refusals.ts";
import type { MetricsRegistry } from "./registry.ts";
import { type AppTotals, Labels, type Scraped, type Snapshot, Totals } from "./snapshot.ts";

export interface MetricsOptions {
  readonly snapshot: () => Snapshot | Promise<Snapshot>;
  readonly version: string;
  /** soketi's names as well, for dashboards that were made for it. */
  readonly soketiNames: boolean;
  /** Whether all processes of the server read the same queue of webhooks. */
  readonly sharesWebhookQueue: boolean;
}

/** Of more apps than that, series begin with their first event: each app has about eighty. */
const MOST_ZEROED = 100;
const PROTOCOLS = ["pusher", "native", "events"];
const PUBLISHERS = ["client", "backend"];
const ACTS = ["subscribe", "unsubscribe", "kick", "ban", "unban", "disconnect", "reconnect"];
const OUTCOMES = ["sent", "retried", "dead"];
const STATUSES = [200, 400, 401, 403, 404, 409, 413, 429, 500, 503];

export class Metrics {
  readonly #labels = new Labels();
  readonly #totals = new Totals(this.#labels);
  readonly #options: MetricsOptions;
  /** Labels of the apps whose series there are from the start. */
  readonly #initialized = new Set<string>();
  #wasReachable = true;
  #registry: Promise<MetricsRegistry> | undefined;
  /** All of those below, for the registry. */
  readonly #counts: Counts[] = [];

  readonly #opened = this.#counted("connections_opened_total", "Connections that were welcomed.", "app", "protocol");
  readonly #closed = this.#counted("connections_closed_total", "Connections that ended, by why.", "app", "why");
  readonly #rejected = this.#counted("connections_refused_total", "Clients that were not let in, by why.", "why");
  readonly #refused = this.#counted("commands_refused_total", "Commands that were refused, by why.", "app", "why");
  readonly #published = this.#counted("publications_total", "Events published on this node.", "app", "by");
  /** Series of those, by apps that have a label of their own. */
  readonly #publishedByClients = new Map<string, Series>();
  readonly #publishedByBackends = new Map<string, Series>();
  readonly #gaps = this.#counted("gaps_total", "Channels of which publications may have been missed.", "app");
  readonly #slowReaders = this.#counted(
    "slow_readers_total",
    "Clients that were cut because they did not read.",
    "app",
  );
  readonly #apiRequests = this.#counted("api_requests_total", "Calls of the HTTP API, by the answer.", "status");
  readonly #apiRefused = this.#counted("api_refused_total", "Calls of the HTTP API refused, by why.", "app", "why");
  readonly #relocations = this.#counted(
    "relocations_total",
    "Connections that were asked to come back, so that the nodes fill evenly.",
  );
  readonly #engineLosses = this.#counted("engine_losses_total", "Times that the engine went away.");
  readonly #engineReturns = this.#counted("engine_reconnects_total", "Times that the engine was there again.");
  readonly #failures = this.#counted("failures_total", "Things that should not happen; each is in the log.");
  readonly #webhooks = this.#counted("webhooks_total", "Webhook events, by what became of them.", "app", "outcome");
  readonly #steered = this.#counted(
    "steering_total",
    "Acts on connections by back ends, programs and operators.",
    "app",
    "act",
  );
  readonly #purged = this.#counted("history_purged_total", "Events of histories that were forgotten on demand.", "app");
  readonly #outbox = this.#counted(
    "outbox_rows_total",
    "Rows of outboxes, by what became of them.",
    "source",
    "outcome",
  );
  readonly #hooks = this.#counted(
    "hooks_total",
    "Questions to back ends, by what became of them.",
    "app",
    "hook",
    "outcome",
  );
  readonly #hookBreakers = this.#counted(
    "hook_breakers_opened_total",
    "Times that a back end was given a rest since it failed too often.",
    "app",
    "hook",
  );
  readonly #hookTook = new Durations(
    "hook_seconds",
    "Time a back end took to answer, waiting for its turn included.",
    LATENCY_BOUNDS_S,
  );
  /** How long the engine took to take an event. */
  readonly publications = new Durations(
    "publish_seconds",
    "Time from publishing an event to the engine having it; with the memory engine that includes the delivery, of one event in 10 ms.",
    LATENCY_BOUNDS_S,
  );
  /** How long an event took to reach this node's readers, from when this node published it. */
  readonly deliveries = new Durations(
    "delivery_seconds",
    "Time from publishing an event to this node's readers being sent it, through the engine; one event in 10 ms is timed.",
    LATENCY_BOUNDS_S,
  );

  // What only soketi counts.
  readonly #calls = new Counts("http_calls_received_total", "Calls of the HTTP API.", "app");
  readonly #callBytesIn = new Counts("http_received_bytes", "Bytes in the bodies of calls of the HTTP API.", "app");
  readonly #callBytesOut = new Counts("http_transmitted_bytes", "Bytes in the bodies of its answers.", "app");

  constructor(options: MetricsOptions) {
    this.#options = options;
    for (const counts of [this.#relocations, this.#engineLosses, this.#engineReturns, this.#failures])
      counts.add([], 0);
    begin(this.#rejected, [], WHY_TURNED_AWAY);
    begin(this.#apiRequests, [], STATUSES);
    begin(this.#apiRefused, [""], WHY_CALL_UNKNOWN);
  }

  /**
   * These apps are there: whatever is counted of them is 0 until it happens. A series that begins with its first event has no
   * increase for it, and an alert on that would miss the one that matters most.
   */
  initialize(apps: readonly string[]): void {
    for (const id of apps) {
      if (this.#initialized.size >= MOST_ZEROED) return;
      const app = this.#labels.app(id);
      if (this.#initialized.has(app)) continue;
      this.#initialized.add(app);
      this.#totals.keep(id, { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 });
      for (const counts of [this.#gaps, this.#slowReaders, this.#purged, ...this.#soketiCalls]) counts.add([app], 0);
      begin(this.#opened, [app], PROTOCOLS);
      begin(this.#closed, [app], WHY_CLOSED);
      begin(this.#refused, [app], WHY_REFUSED);
      begin(this.#apiRefused, [app], WHY_CALL_REFUSED);
      begin(this.#published, [app], PUBLISHERS);
      begin(this.#webhooks, [app], OUTCOMES);
      begin(this.#steered, [app], ACTS);
    }
  }

  /** Of this process. */
  async scrape(): Promise<Scraped> {
    return await (await this.#loaded()).scrape();
  }

  /** The same for another process, which adds it to others'. */
  async read(): Promise<Reading> {
    return await (await this.#loaded()).read();
  }

  readonly observe: Observer = (event: HubEvent) => {
    switch (event.type) {
      case "opened":
        return this.#opened.addPair(this.#labels.app(event.connection.app.id), event.connection.protocol.name);
      case "closed":
        return this.#closed.addPair(this.#labels.app(event.connection.app.id), event.why?.code ?? "client");
      case "rejected":
        return this.#rejected.add([event.why.code]);
      case "refused":
        return this.#refused.add([this.#labels.app(event.connection.app.id), event.error.code]);
      case "api-refused":
        return this.#apiRefused.add([event.app ? this.#labels.app(event.app.id) : "", event.error.code]);
      case "published":
        return this.#countPublication(event.app.id, event.publication.from !== undefined);
      case "gap":
        return this.#gaps.add([this.#labels.app(event.app.id)]);
      case "slow-consumer":
        return this.#slowReaders.add([this.#labels.app(event.connection.app.id)]);
      case "steered":
        return this.#steered.add([this.#labels.app(event.app.id), event.act]);
      case "purged":
        return this.#purged.add([this.#labels.app(event.app.id)], event.purged);
      case "failed":
        return this.#failures.add();
      default:
        return;
    }
  };

  #countPublication(app: string, isClients: boolean): void {
    const known = isClients ? this.#publishedByClients : this.#publishedByBackends;
    let series = known.get(app);
    if (!series) {
      series = this.#published.seriesOf([this.#labels.app(app), isClients ? "client" : "backend"]);
      if (this.#labels.app(app) === app) known.set(app, series);
    }
    series.value++;
  }

  /** So many connections were asked to come back, to another node where there is room. */
  relocationAsked(count: number): void {
    this.#relocations.add([], count);
  }

  webhookOutcome(app: string, outcome: string, count: number): void {
    this.#webhooks.add([this.#labels.app(app), outcome], count);
  }

  /** What became of rows in a table of an application's. */
  outboxCounted(source: string, outcome: "published" | "failed", count: number): void {
    this.#outbox.add([source, outcome], count);
  }

  hookAnswered(app: string, hook: string, outcome: string, seconds: number): void {
    this.#hooks.add([this.#labels.app(app), hook, outcome]);
    if (outcome !== "unasked") this.#hookTook.add(seconds);
  }

  hookTurned(app: string, hook: string, isDown: boolean): void {
    if (isDown) this.#hookBreakers.add([this.#labels.app(app), hook]);
  }

  /** Whether calls of the HTTP API are to be measured, which costs each a copy of its answer. */
  get measuresCalls(): boolean {
    return this.#options.soketiNames;
  }

  /** A call of the HTTP API was answered. */
  apiAnswered(status: number): void {
    this.#apiRequests.add([String(status)]);
  }

  /** The same call of an app there is, where calls are measured. */
  apiMeasured(id: string, bytesIn: number, bytesOut: number): void {
    const app = [this.#labels.app(id)];
    this.#calls.add(app);
    this.#callBytesIn.add(app, bytesIn);
    this.#callBytesOut.add(app, bytesOut);
  }

  /** The app's totals begin anew elsewhere, and go on here. */
  keepTotals(app: string, totals: AppTotals): void {
    this.#totals.keep(app, totals);
  }

  /** Whether the engine is there now: call it every second or so. */
  engineChecked({ reachable }: Snapshot["engine"]): void {
    if (reachable === this.#wasReachable) return;
    this.#wasReachable = reachable;
    (reachable ? this.#engineReturns : this.#engineLosses).add();
  }

  get #soketiCalls(): readonly Counts[] {
    return this.#options.soketiNames ? [this.#calls, this.#callBytesIn, this.#callBytesOut] : [];
  }

  #counted(name: string, help: string, ...labelNames: readonly string[]): Counts {
    const counts = new Counts(name, help, ...labelNames);
    this.#counts.push(counts);
    return counts;
  }

  #loaded(): Promise<MetricsRegistry> {
    this.#registry ??= import("./registry.ts").then(({ MetricsRegistry }) => {
      const durations = [this.publications, this.deliveries, this.#hookTook];
      const [counts, labels, totals] = [this.#counts, this.#labels, this.#totals];
      const soketi = this.#options.soketiNames
        ? { opened: this.#opened, closed: this.#closed, calls: this.#soketiCalls }
        : undefined;
      return new MetricsRegistry({ ...this.#options, counts, durations, labels, totals, soketi });
    });
    return this.#registry;
  }
}

/** Begins a series at 0 for each value of the last label. */
function begin(counts: Counts, before: readonly string[], values: readonly (string | number)[]): void {
  for (const value of values) counts.add([...before, String(value)], 0);
}
