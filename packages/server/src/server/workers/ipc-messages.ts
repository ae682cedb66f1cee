/** What a server's first process and its workers say to each other. */

import type { HubBatch, WorkerBatch } from "../../engines/workers/messages.ts";
import type { Reading } from "../../observers/metrics/merge.ts";
import type { Scraped } from "../../observers/metrics/snapshot.ts";

/** What a worker runs with: whatever its program or its configuration file says by now, all workers run with the same. */
export interface Assignment {
  /** JSON; see `writeConfig`. */
  readonly config: string;
  readonly demoFile?: string;
  readonly dashboardKey?: string;
  /** Publications and presence go through the first process; otherwise each worker is a node of the configured engine. */
  readonly isJoined: boolean;
  /** Its clients are to go to other machines. */
  readonly isDraining?: boolean;
}

/** What a running worker is asked to do, with an answer. */
export type WorkerCommand =
  | { readonly type: "reload"; readonly config: string }
  | { readonly type: "reloadTls" }
  | { readonly type: "appChanged"; readonly id: string }
  | { readonly type: "drain"; readonly isOn: boolean };

export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
}

export type ToWorker =
  | { readonly type: "assignment"; readonly assignment: Assignment }
  | { readonly type: "order"; readonly id: number; readonly order: WorkerCommand }
  | { readonly type: "stop" }
  /** Wants the worker's numbers. */
  | { readonly type: "read" }
  /** The numbers of all of them, which the worker wanted. */
  | { readonly type: "scraped"; readonly scraped: Scraped }
  | { readonly type: "parcel"; readonly parcel: HubBatch };

export type FromWorker =
  /** It can hear now. */
  | { readonly type: "here" }
  | { readonly type: "listening" }
  /** It cannot start, and ends. */
  | { readonly type: "failed"; readonly failure: Failure }
  /** How many connections had to go, or how many of what was asked for were new. */
  | { readonly type: "done"; readonly id: number; readonly count: number }
  | { readonly type: "undone"; readonly id: number; readonly failure: Failure }
  /** The worker's numbers: when they were wanted, and at its end. */
  | { readonly type: "reading"; readonly reading: Reading }
  /** Somebody asked this worker for the numbers of all. */
  | { readonly type: "scrape" }
  /** A sign of life, once a second. */
  | { readonly type: "alive" }
  | { readonly type: "parcel"; readonly parcel: WorkerBatch };

export const HEARTBEAT_MS = 1_000;

export function serializeError(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  return { name, message, ...("code" in error && { code: String(error.code) }) };
}
