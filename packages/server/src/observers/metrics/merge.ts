/**
 * The numbers of several processes that are one server. What they count is summed, and a process that has ended keeps its
 * share: a sum that falls would be read as a restart, and everything in it counted again.
 */

import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue, type Registry } from "prom-client";

/** What one process has, as it crosses to another. */
export type Reading = readonly MetricObjectWithValues<MetricValue<string>>[];

export interface ProcessReading {
  /** Whose it is: the value of the label `worker`. */
  readonly worker: string;
  readonly reading: Reading;
}

/** What makes sense of one process alone. */
const OF_A_PROCESS = /^(soketi_)?(process|nodejs)_|^fanfare_(event_loop_lag_seconds|engine_up|draining)$/;

/** One set of numbers for all of them and for those that have ended. */
export function merge(reads: readonly ProcessReading[], ended: Reading): Registry {
  return sum([...reads.map(withWorker), ended]);
}

/** What is left of a process that has ended: whatever only grows. */
export async function mergeFinal(ended: Reading, last: Reading): Promise<Reading> {
  const lasting = last.filter(({ name, type }) => !OF_A_PROCESS.test(name) && isGrowing(type));
  return (await sum([ended, lasting]).getMetricsAsJSON()) as unknown as Reading;
}

function sum(readings: readonly Reading[]): Registry {
  return AggregatorRegistry.aggregate([...readings]);
}

function withWorker({ worker, reading }: ProcessReading): Reading {
  return reading.map((metric) => {
    if (!OF_A_PROCESS.test(metric.name)) return metric;
    const values = metric.values.map((value) => ({ ...value, labels: { ...value.labels, worker } }));
    // Nothing is left to be added up, and prom-client would leave some of them out.
    return { ...metric, values, aggregator: "first" as const };
  });
}

/** As text, in what has crossed from another process. */
function isGrowing(type: unknown): boolean {
  return type === "counter" || type === "histogram";
}
