/** What a server's first process and its workers say to each other: by a variable of the environment at first, then by messages. */

import { parseConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { HubBatch, WorkerBatch } from "../../engines/workers/messages.ts";
import type { Reading } from "../../observers/metrics/merge.ts";
import type { Scraped } from "../../observers/metrics/snapshot.ts";
import type { WorkerInfo } from "../embed/types.ts";

/** What a worker runs with: the same for all, even if the program or the configuration file has changed meanwhile. */
export interface Assignment {
  /** JSON; see `serializeConfig`. */
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
  | { readonly type: "command"; readonly id: number; readonly command: WorkerCommand }
  | { readonly type: "stop" }
  /** Wants the worker's numbers. */
  | { readonly type: "readMetrics" }
  /** The numbers of all of them, which the worker wanted. */
  | { readonly type: "allMetrics"; readonly scraped: Scraped }
  | { readonly type: "batch"; readonly batch: HubBatch };

export type FromWorker =
  /** It can receive messages. */
  | { readonly type: "connected" }
  | { readonly type: "listening" }
  /** It cannot start, and ends. */
  | { readonly type: "failed"; readonly failure: Failure }
  /** How many connections had to go, or how many of what was asked for were new. */
  | { readonly type: "completed"; readonly id: number; readonly count: number }
  | { readonly type: "refused"; readonly id: number; readonly failure: Failure }
  /** The worker's numbers: when they were wanted, and at its end. */
  | { readonly type: "metrics"; readonly reading: Reading }
  /** A request for `/metrics` came to this worker. */
  | { readonly type: "scrapeAll" }
  /** Once a second. */
  | { readonly type: "heartbeat" }
  | { readonly type: "batch"; readonly batch: WorkerBatch };

export const HEARTBEAT_MS = 1_000;

export function serializeError(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  return { name, message, ...("code" in error && { code: String(error.code) }) };
}

/** A configuration on its way to another process: JSON has no infinity. */
export function serializeConfig(config: Config): string {
  return JSON.stringify(config, (_, value) => (value === Number.POSITIVE_INFINITY ? "unlimited" : value));
}

export function deserializeConfig(text: string): Config {
  return parseConfig(JSON.parse(text));
}

/** Which worker, and of which of the program's servers, in the order of their making. */
export interface WorkerIdentity extends WorkerInfo {
  readonly server: number;
}

/** Not of the configuration, which refuses names that it does not know. */
const NAME = "_FANFARE_WORKER";

/** By which a process learns that it is one of a server's workers; its own children do not inherit it. */
export function workerEnvironment(mark: WorkerIdentity): Record<string, string> {
  return { [NAME]: JSON.stringify({ ...mark, primary: process.pid }) };
}

/** This process's own; undefined where it is no worker. */
export const workerIdentity: WorkerIdentity | undefined = takeMark();

function takeMark(): WorkerIdentity | undefined {
  const text = process.env[NAME];
  // Whatever this process starts is not that worker.
  delete process.env[NAME];
  if (text === undefined || process.send === undefined) return undefined;
  const { index, count, server, primary } = JSON.parse(text) as WorkerIdentity & { primary: number };
  return primary === process.ppid ? { index, count, server } : undefined;
}
