/** The numbers under the names and labels of soketi 1.6, so that dashboards and alerts made for it go on working. */

import { Counter, collectDefaultMetrics, Gauge, type Registry } from "prom-client";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { Labels } from "./labels.ts";
import type { AppTotals, Snapshot } from "./snapshot.ts";

export interface SoketiOptions {
  readonly registry: Registry;
  readonly labels: Labels;
  /** What stands now; the same for everything that one scrape reads. */
  readonly engineChecked: () => Promise<Snapshot>;
  readonly totals: () => Promise<ReadonlyMap<string, AppTotals>>;
}

/** soketi's default for `METRICS_PROMETHEUS_PREFIX`. */
const PREFIX = "soketi_";
const LABELS = ["app_id", "port"];

const TOTALS: readonly (readonly [name: string, help: string, key: keyof AppTotals])[] = [
  ["socket_received_bytes", "Bytes in frames from clients.", "bytesIn"],
  ["socket_transmitted_bytes", "Bytes in frames to clients.", "bytesOut"],
  ["ws_messages_received_total", "Frames from clients.", "messagesIn"],
  ["ws_messages_sent_total", "Frames to clients.", "messagesOut"],
];

export class SoketiNames {
  readonly #options: SoketiOptions;
  readonly #opened: Counted;
  readonly #closed: Counted;
  readonly #calls: Counted;
  readonly #callBytesIn: Counted;
  readonly #callBytesOut: Counted;

  constructor(options: SoketiOptions) {
    this.#options = options;
    collectDefaultMetrics({ register: options.registry, prefix: PREFIX });
    this.#connected();
    for (const [name, help, key] of TOTALS) {
      this.#counter(name, help, async () =>
        [...(await options.totals())].map(([app, totals]) => [app, totals[key]] as const),
      );
    }
    this.#opened = this.#counted("new_connections_total", "Connections that were welcomed.");
    this.#closed = this.#counted("new_disconnections_total", "Connections that ended.");
    this.#callBytesIn = this.#counted("http_received_bytes", "Bytes in the bodies of calls of the HTTP API.");
    this.#callBytesOut = this.#counted("http_transmitted_bytes", "Bytes in the bodies of its answers.");
    this.#calls = this.#counted("http_calls_received_total", "Calls of the HTTP API.");
  }

  observe(event: HubEvent): void {
    if (event.type === "opened") this.#opened.add(event.connection.app.id, 1);
    if (event.type === "closed") this.#closed.add(event.connection.app.id, 1);
  }

  /** The app is there: what is counted of it is 0 until it happens. */
  initialize(app: string): void {
    for (const counted of [this.#opened, this.#closed]) counted.add(app, 0);
    this.called(app, 0, 0, 0);
  }

  /** A call of the HTTP API was answered. */
  called(app: string, bytesIn: number, bytesOut: number, count = 1): void {
    this.#calls.add(app, count);
    this.#callBytesIn.add(app, bytesIn);
    this.#callBytesOut.add(app, bytesOut);
  }

  #connected(): void {
    const { registry, engineChecked: look, labels } = this.#options;
    new Gauge({
      name: `${PREFIX}connected`,
      help: "Connections that are open.",
      labelNames: LABELS,
      registers: [registry],
      async collect() {
        const { apps, port } = await look();
        this.reset();
        for (const { id, connections } of apps) this.inc({ app_id: labels.app(id), port }, connections);
      },
    });
  }

  #counted(name: string, help: string): Counted {
    const counted = new Counted(this.#options.labels);
    this.#counter(name, help, async () => counted.entries());
    return counted;
  }

  /** The port is known only when somebody asks. */
  #counter(name: string, help: string, entries: () => Promise<Iterable<readonly [string, number]>>): void {
    const { registry, engineChecked: look } = this.#options;
    new Counter({
      name: `${PREFIX}${name}`,
      help,
      labelNames: LABELS,
      registers: [registry],
      async collect() {
        const { port } = await look();
        const all = await entries();
        this.reset();
        for (const [app_id, value] of all) this.inc({ app_id, port }, value);
      },
    });
  }
}

/** One number for each app. */
class Counted {
  readonly #labels: Labels;
  readonly #numbers = new Map<string, number>();

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  add(app: string, count: number): void {
    const label = this.#labels.app(app);
    this.#numbers.set(label, (this.#numbers.get(label) ?? 0) + count);
  }

  entries(): Iterable<readonly [string, number]> {
    return this.#numbers;
  }
}
