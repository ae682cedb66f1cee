/** How a process learns that it is one of a server's workers: a mark in its environment, which nobody inherits from it. */

import type { WorkerPlace } from "./messages.ts";

/** Which worker, and of which of the program's servers, in the order of their making. */
export interface Mark extends WorkerPlace {
  readonly server: number;
}

/** Not of the configuration, which refuses names that it does not know. */
const NAME = "_FANFARE_WORKER";

export function marked(mark: Mark): Record<string, string> {
  return { [NAME]: JSON.stringify({ ...mark, primary: process.pid }) };
}

/** This process's own; undefined where it is no worker. */
export const ownMark: Mark | undefined = takeMark();

function takeMark(): Mark | undefined {
  const text = process.env[NAME];
  // Whatever this process starts is not that worker.
  delete process.env[NAME];
  if (text === undefined || process.send === undefined) return undefined;
  const { index, count, server, primary } = JSON.parse(text) as Mark & { primary: number };
  return primary === process.ppid ? { index, count, server } : undefined;
}
