/** `/metrics` of a server of several processes: asked of any worker, answered by the first process for all of them. */

import type { Reading } from "../../observers/metrics/merge.ts";
import type { Metrics } from "../../observers/metrics/metrics.ts";
import type { Scraped } from "../../observers/metrics/snapshot.ts";
import type { Readings } from "./supervisor.ts";

export interface WorkerMetricsOptions {
  /** The first process' own. */
  readonly metrics: Pick<Metrics, "read">;
  readonly read: (withinMs: number) => Promise<Readings>;
  /** How many there ought to be. */
  readonly count: number;
}

/** Less than a worker waits for the whole. */
const READ_MS = 2_000;

export class WorkerMetrics {
  readonly #options: WorkerMetricsOptions;
  /** What workers had counted that have ended. */
  #ended: Promise<Reading> = Promise.resolve([]);
  #scraping: Promise<Scraped> | undefined;

  constructor(options: WorkerMetricsOptions) {
    this.#options = options;
  }

  /** Those who ask at the same time get the same answer. */
  scrape(): Promise<Scraped> {
    this.#scraping ??= this.#scrape().finally(() => {
      this.#scraping = undefined;
    });
    return this.#scraping;
  }

  /** A worker's process is no more: its share stays. */
  addFinal(last: Reading): void {
    this.#ended = this.#ended.then(async (before) => (await merging()).mergeFinal(before, last));
  }

  async #scrape(): Promise<Scraped> {
    const { metrics, read, count } = this.#options;
    const [{ merge }, { Gauge }] = await Promise.all([merging(), import("prom-client")]);
    const [own, { now, answered }] = await Promise.all([metrics.read(), read(READ_MS)]);
    // At one moment: a worker that ends in between would count twice, or not at all.
    const [living, ended] = [now(), this.#ended];
    const registry = merge([{ worker: "first", reading: own }, ...living], await ended);
    const registers = [registry];
    new Gauge({ name: "fanfare_workers", help: "Workers that there ought to be.", registers }).set(count);
    const help = "Workers whose numbers these are; of the others they are as old as their last word.";
    new Gauge({ name: "fanfare_workers_answering", help, registers }).set(answered);
    return { type: registry.contentType, text: await registry.metrics() };
  }
}

/** Its library is loaded when the numbers are asked for. */
function merging(): Promise<typeof import("../../observers/metrics/merge.ts")> {
  return import("../../observers/metrics/merge.ts");
}
