/** Sends the lines of the log to a collector. Its own failures are said in the log, and not sent again for ever: once at a time. */

import { SeverityNumber } from "@opentelemetry/api-logs";
import { JsonLogsSerializer, LogsExporterMetricsHelper, ProtobufLogsSerializer } from "@opentelemetry/otlp-transformer";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { closeSoon, type OtlpOptions, otlpExporter, resourceOf } from "./otlp.ts";

export interface LogsExportOptions extends OtlpOptions {
  readonly url: string;
}

/** Lines that wait for the next batch, at most; beyond it they are dropped. */
const QUEUE = 2_048;
const BATCH = 512;
const BATCH_EVERY_MS = 1_000;

/** By the log's numbers: 10 is trace, 60 is fatal. */
const SEVERITIES: Readonly<Record<number, readonly [SeverityNumber, string]>> = {
  10: [SeverityNumber.TRACE, "TRACE"],
  20: [SeverityNumber.DEBUG, "DEBUG"],
  30: [SeverityNumber.INFO, "INFO"],
  40: [SeverityNumber.WARN, "WARN"],
  50: [SeverityNumber.ERROR, "ERROR"],
  60: [SeverityNumber.FATAL, "FATAL"],
};

/** Known of the process already, by its resource. */
const OF_THE_PROCESS = new Set(["level", "time", "msg", "hostname"]);

export class LogsExport {
  readonly #provider: LoggerProvider;

  constructor(options: LogsExportOptions) {
    const exporter = otlpExporter("logs", options.url, options, {
      protobuf: ProtobufLogsSerializer,
      json: JsonLogsSerializer,
      helper: LogsExporterMetricsHelper,
    });
    const batches = { maxQueueSize: QUEUE, maxExportBatchSize: BATCH, scheduledDelayMillis: BATCH_EVERY_MS };
    this.#provider = new LoggerProvider({
      resource: resourceOf(options),
      processors: [new BatchLogRecordProcessor({ exporter, ...batches })],
    });
  }

  /** A line as it is logged: JSON. */
  readonly write = (line: string): void => {
    const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
    const [severityNumber, severityText] = SEVERITIES[Number(level)] ?? [SeverityNumber.UNSPECIFIED, ""];
    const attributes = Object.fromEntries(
      Object.entries(fields).flatMap(([key, value]) => (OF_THE_PROCESS.has(key) ? [] : [[key, attributeOf(value)]])),
    );
    const timestamp = Number(time);
    this.#provider
      .getLogger("fanfare")
      .emit({ timestamp, severityNumber, severityText, body: String(msg ?? ""), attributes });
  };

  /** Sends what waits, if that is possible soon. */
  close(): Promise<void> {
    return closeSoon(this.#provider.shutdown());
  }
}

function attributeOf(value: unknown): string | number | boolean {
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "string") return value;
  return JSON.stringify(value);
}
