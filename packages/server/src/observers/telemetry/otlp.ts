/** The way to a collector: OTLP over HTTP, in protobuf or JSON, by OpenTelemetry's own exporters. */

import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { OTLPExporterBase } from "@opentelemetry/otlp-exporter-base";
import { createOtlpHttpExportDelegate, httpAgentFactoryFromOptions } from "@opentelemetry/otlp-exporter-base/node-http";
import type { IExporterMetricsHelper, ISerializer } from "@opentelemetry/otlp-transformer";
import { type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import type { Failed, OtlpSettings, Signal } from "./endpoints.ts";

export interface OtlpOptions {
  readonly settings: OtlpSettings;
  readonly version: string;
  /** What tells this process from the others. */
  readonly node: string;
  readonly failed: Failed;
}

/** Requests that are under way at a time; more are dropped. */
const CONCURRENT = 4;

interface Serializers<Items, Answer> {
  readonly protobuf: ISerializer<Items, Answer>;
  readonly json: ISerializer<Items, Answer>;
  readonly helper: IExporterMetricsHelper<Items>;
}

export function otlpExporter<Items, Answer>(
  signal: Signal,
  url: string,
  { settings, failed }: OtlpOptions,
  { protobuf, json, helper }: Serializers<Items, Answer>,
): QuietExporter<Items> {
  const isJson = settings.protocol === "http/json";
  const type = isJson ? "application/json" : "application/x-protobuf";
  const delegate = createOtlpHttpExportDelegate(
    {
      url,
      headers: async () => ({ ...settings.headers, "Content-Type": type }),
      timeoutMillis: settings.timeoutS * 1000,
      concurrencyLimit: CONCURRENT,
      compression: "none",
      agentFactory: httpAgentFactoryFromOptions({ keepAlive: true }),
    },
    isJson ? json : protobuf,
    `otlp_http_${signal}_exporter`,
    helper,
    undefined,
  );
  return new QuietExporter(new OTLPExporterBase(delegate), signal, failed);
}

interface Exporter<Items> {
  export(items: Items, done: (result: ExportResult) => void): void;
  forceFlush?(): Promise<void>;
  shutdown(): Promise<void>;
}

/** Its receiver may be away: that is said once, and again when it was there in between. */
class QuietExporter<Items> implements Exporter<Items> {
  readonly #exporter: Exporter<Items>;
  readonly #what: string;
  readonly #failed: Failed;
  #isAway = false;

  /** `what`: "traces". */
  constructor(exporter: Exporter<Items>, what: string, failed: Failed) {
    this.#exporter = exporter;
    this.#what = what;
    this.#failed = failed;
  }

  export(items: Items, done: (result: ExportResult) => void): void {
    this.#exporter.export(items, (result) => {
      const isAway = result.code !== ExportResultCode.SUCCESS;
      if (isAway && !this.#isAway) {
        const why = result.error ?? new Error(`The receiver of ${this.#what} took none.`);
        this.#failed(why, `sending ${this.#what}: they are dropped until the receiver takes them again`);
      }
      this.#isAway = isAway;
      // It is reported above; the library would report it again, each time.
      done({ code: ExportResultCode.SUCCESS });
    });
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush?.() ?? Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}

/** The server, as a collector knows it. */
export function resourceOf({ settings, version, node }: OtlpOptions): Resource {
  return resourceFromAttributes({
    "service.version": version,
    "service.instance.id": node,
    ...settings.resource,
    "service.name": settings.serviceName,
  });
}

/** How long the last of them may hold up a server that stops. */
const CLOSE_MS = 1_000;

export async function closeSoon(closing: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, CLOSE_MS);
  await Promise.race([closing.catch(() => {}), late]);
  clearTimeout(timer);
}
