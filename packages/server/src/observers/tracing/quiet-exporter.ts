/** An exporter whose receiver may be away: that is said once, and again when it was there in between. */

import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";

export class QuietExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #failed: (error: unknown, during: string) => void;
  #isAway = false;

  constructor(exporter: SpanExporter, failed: (error: unknown, during: string) => void) {
    this.#exporter = exporter;
    this.#failed = failed;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      const isAway = result.code !== ExportResultCode.SUCCESS;
      if (isAway && !this.#isAway) {
        const why = result.error ?? new Error("The receiver of traces took none.");
        this.#failed(why, "sending traces: they are dropped until the receiver takes them again");
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
