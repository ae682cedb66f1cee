/** Sends the numbers of `/metrics` to a collector, under the same names: they are counted once and read twice. */

import { type HrTime, ValueType } from "@opentelemetry/api";
import type { ExportResult } from "@opentelemetry/core";
import {
  JsonMetricsSerializer,
  MetricsExporterMetricsHelper,
  ProtobufMetricsSerializer,
} from "@opentelemetry/otlp-transformer";
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import type { Reading } from "../metrics/merge.ts";
import { closeSoon, type OtlpOptions, otlpExporter, resourceOf } from "./otlp.ts";

export interface MetricsExportOptions extends OtlpOptions {
  readonly url: string;
  readonly intervalMs: number;
  readonly read: () => Promise<Reading>;
  readonly wallMs: () => number;
}

type Metric = Reading[number];
type Value = Metric["values"][number];

export class MetricsExport {
  readonly #options: MetricsExportOptions;
  readonly #exporter: ReturnType<typeof otlpExporter<ResourceMetrics, unknown>>;
  readonly #startedAt: HrTime;
  #timer: ReturnType<typeof setInterval> | undefined;
  #sending: Promise<void> | undefined;

  constructor(options: MetricsExportOptions) {
    this.#options = options;
    this.#startedAt = hrTime(options.wallMs());
    this.#exporter = otlpExporter("metrics", options.url, options, {
      protobuf: ProtobufMetricsSerializer,
      json: JsonMetricsSerializer,
      helper: MetricsExporterMetricsHelper,
    });
  }

  start(): void {
    this.#timer = setInterval(() => void this.#send(), this.#options.intervalMs);
  }

  /** Sends the last numbers, if that is possible soon. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await closeSoon(this.#send().then(() => this.#exporter.shutdown()));
  }

  /** Never rejects. One at a time. */
  #send(): Promise<void> {
    this.#sending ??= this.#readAndSend()
      .catch((error) => this.#options.failed(error, "sending metrics"))
      .finally(() => {
        this.#sending = undefined;
      });
    return this.#sending;
  }

  async #readAndSend(): Promise<void> {
    const reading = await this.#options.read();
    const times = { startTime: this.#startedAt, endTime: hrTime(this.#options.wallMs()) };
    const metrics = reading.flatMap((metric) => toOtlp(metric, times) ?? []);
    const scope = { name: "fanfare", version: this.#options.version };
    const all = { resource: resourceOf(this.#options), scopeMetrics: [{ scope, metrics }] };
    await new Promise<ExportResult>((resolve) => this.#exporter.export(all, resolve));
  }
}

interface Times {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
}

function toOtlp(metric: Metric, times: Times): MetricData | undefined {
  const { name, help: description, values } = metric;
  if (values.length === 0) return undefined;
  const descriptor = { name, description, unit: unitOf(name), valueType: ValueType.DOUBLE };
  const shared = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE };
  const type = String(metric.type);
  if (type === "histogram")
    return { ...shared, dataPointType: DataPointType.HISTOGRAM, dataPoints: histograms(values, times) };
  const dataPoints = values.map(({ labels, value }) => ({ ...times, attributes: attributesOf(labels), value }));
  if (type === "counter") return { ...shared, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
  return { ...shared, dataPointType: DataPointType.GAUGE, dataPoints };
}

/** Prometheus's buckets contain those before them, OTLP's do not. */
function histograms(values: readonly Value[], times: Times) {
  const groups = Map.groupBy(values, ({ labels: { le: _, ...labels } }) => JSON.stringify(labels));
  return [...groups].map(([labels, group]) => {
    const numberOf = (suffix: string) => group.find((value) => nameOf(value).endsWith(suffix))?.value ?? 0;
    const buckets = group
      .filter(({ labels: { le } }) => le !== undefined && le !== "+Inf")
      .sort((a, b) => bound(a) - bound(b));
    const atMost = [...buckets.map(({ value }) => value), numberOf("_count")];
    const counts = atMost.map((value, at) => value - (atMost[at - 1] ?? 0));
    const value = {
      buckets: { boundaries: buckets.map(bound), counts },
      sum: numberOf("_sum"),
      count: numberOf("_count"),
    };
    return { ...times, attributes: attributesOf(JSON.parse(labels)), value };
  });
}

function bound({ labels: { le } }: Value): number {
  return Number(le);
}

function nameOf(value: Value): string {
  return "metricName" in value ? String(value.metricName) : "";
}

function attributesOf(labels: object): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, String(value)]));
}

function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return "s";
  return /_bytes(_total)?$/.test(name) ? "By" : "1";
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}
