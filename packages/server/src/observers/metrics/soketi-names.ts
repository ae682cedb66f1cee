/** The numbers under the names and labels of soketi 1.6, so that dashboards and alerts made for it go on working. */

import { Counter, collectDefaultMetrics, Gauge, type Registry } from "prom-client";
import type { Labels } from "./labels.ts";
import type { AppTotals, Snapshot } from "./snapshot.ts";
import type { SoketiCounts } from "./soketi-counts.ts";

export interface SoketiOptions {
  readonly registry: Registry;
  /** How often the lag of the event loop is measured. */
  readonly lagEveryMs: number;
  readonly labels: Labels;
  readonly counts: SoketiCounts;
  /** The same for everything that one scrape reads. */
  readonly snapshot: () => Promise<Snapshot>;
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

export function addSoketiNames({ registry, lagEveryMs, labels, counts, snapshot, totals }: SoketiOptions): void {
  collectDefaultMetrics({ register: registry, prefix: PREFIX, eventLoopMonitoringPrecision: lagEveryMs });
  new Gauge({
    name: `${PREFIX}connected`,
    help: "Connections that are open.",
    labelNames: LABELS,
    registers: [registry],
    async collect() {
      const { apps, port } = await snapshot();
      this.reset();
      for (const { id, connections } of apps) this.inc({ app_id: labels.app(id), port }, connections);
    },
  });
  const counter = (name: string, help: string, entries: () => Promise<Iterable<readonly [string, number]>>) =>
    new Counter({
      name: `${PREFIX}${name}`,
      help,
      labelNames: LABELS,
      registers: [registry],
      async collect() {
        const { port } = await snapshot();
        const all = await entries();
        this.reset();
        for (const [app_id, value] of all) this.inc({ app_id, port }, value);
      },
    });
  for (const [name, help, key] of TOTALS) {
    counter(name, help, async () => [...(await totals())].map(([app, numbers]) => [app, numbers[key]] as const));
  }
  for (const each of counts.all) {
    counter(each.name, each.help, async () =>
      Array.from(each.series, ({ labels: { app_id = "" }, value }) => [app_id, value] as const),
    );
  }
}
