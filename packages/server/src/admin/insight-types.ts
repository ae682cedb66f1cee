/** What was stored of the past, split up, as the dashboard asks for it. A part of `api-types.ts`; of the server it imports words only. */

import type { AppStatistics } from "../domain/app-statistics.ts";

/**
 * GET api/insights?app=ID&node=NAME&span=interval|hour|day&from=MS&to=MS: from the database; without `app` of all apps, without `node`
 * of all nodes.
 * Every list of values goes with `times`.
 */
export interface Insights {
  readonly app?: string;
  readonly span: "interval" | "hour" | "day";
  /** How long one span is. */
  readonly stepMs: number;
  /** When the first number was stored that is still there. Absent where none is. */
  readonly sinceMs?: number;
  /** Beginnings of the spans in which a node counted, oldest first. Of others nothing is known: it was not zero. */
  readonly times: readonly number[];
  readonly totals: Readonly<Record<keyof AppStatistics, readonly number[]>>;
  readonly measures: readonly InsightLine[];
  /** The names of all nodes that counted in this time, of whichever was asked. */
  readonly nodes: readonly string[];
  /** When nodes started in this time, oldest first; again, where one of this name was there before. */
  readonly starts: readonly { readonly node: string; readonly atMs: number; readonly isAgain: boolean }[];
}

export interface InsightLine {
  /**
   * `connections` by protocol and transport ("native websocket", with " tls" where they are over it), and `nodes`, the same by the node's name: at the end of the span. `refused` by its code,
   * `resumed` ("recovered" or "lost"), `webhooks` by what became of them, `latency` by the class of the timer for
   * `latencyQuantileMs`: added up. `lag` in milliseconds and `memory` in bytes by the node's name: the highest.
   */
  readonly measure: "connections" | "nodes" | "refused" | "resumed" | "webhooks" | "latency" | "lag" | "memory";
  readonly label: string;
  readonly values: readonly number[];
}
