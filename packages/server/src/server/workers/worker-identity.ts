/** How a process learns that it is one of a server's workers: by a variable of its environment, which its own children do not inherit. */

import type { WorkerInfo } from "../embed/types.ts";

/** Which worker, and of which of the program's servers, in the order of their making. */
export interface WorkerIdentity extends WorkerInfo {
  readonly server: number;
}

/** Not of the configuration, which refuses names that it does not know. */
const NAME = "_FANFARE_WORKER";

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
