/** What a collector is sent of this process: the parts of it that are wanted. Loaded only where any is. */

import type { Config } from "../../config/schema/schema.ts";
import type { Metrics } from "../../observers/metrics/metrics.ts";
import { endpointOf } from "../../observers/telemetry/endpoints.ts";
import { LogsExport } from "../../observers/telemetry/logs-export.ts";
import { MetricsExport } from "../../observers/telemetry/metrics-export.ts";
import type { OtlpOptions } from "../../observers/telemetry/otlp.ts";
import { Tracing } from "../../observers/telemetry/tracing.ts";

export interface TelemetryOptions extends Omit<OtlpOptions, "settings"> {
  readonly settings: Config["telemetry"];
  readonly wallMs: () => number;
}

export class Telemetry {
  readonly tracing: Tracing | undefined;
  readonly logs: LogsExport | undefined;
  readonly #options: TelemetryOptions;
  #metrics: MetricsExport | undefined;

  constructor(options: TelemetryOptions) {
    const { settings } = options;
    this.#options = options;
    const [traces, logs] = [endpointOf("traces", settings), endpointOf("logs", settings)];
    const { sampler, sampleRatio, traceparent } = settings;
    this.tracing =
      traces === undefined ? undefined : new Tracing({ ...options, url: traces, sampler, sampleRatio, traceparent });
    this.logs = logs === undefined ? undefined : new LogsExport({ ...options, url: logs });
  }

  startMetrics(metrics: Metrics): void {
    const { settings } = this.#options;
    const url = endpointOf("metrics", settings);
    if (url === undefined) return;
    const intervalMs = settings.metricsIntervalS * 1000;
    this.#metrics = new MetricsExport({ ...this.#options, url, intervalMs, read: () => metrics.read() });
    this.#metrics.start();
  }

  /** Sends what waits, if that is possible soon. Never rejects. */
  async close(): Promise<void> {
    await Promise.all([this.tracing?.close(), this.#metrics?.close()]);
    // What went wrong until now is said there.
    await this.logs?.close();
  }
}
