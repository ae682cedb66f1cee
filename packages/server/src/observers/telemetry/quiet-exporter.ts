/** An exporter whose receiver may be away: that is said once, and again when it was there in between. */

import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { Failed } from "./endpoints.ts";

interface Exporter<Items> {
  export(items: Items, done: (result: ExportResult) => void): void;
  forceFlush?(): Promise<void>;
  shutdown(): Promise<void>;
}

export class QuietExporter<Items> implements Exporter<Items> {
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
