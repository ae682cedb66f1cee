/** The process between the nodes, without anything around it: a hub for each name, and nodes on it by batches. */

import { memoryEngine } from "../../../packages/server/src/engines/memory/engine.ts";
import type { HubBatch, WorkerBatch } from "../../../packages/server/src/engines/workers/messages.ts";
import { WorkerHub, type WorkerLink } from "../../../packages/server/src/engines/workers/worker-hub.ts";

export type ToWorkerHub =
  | { readonly type: "batch"; readonly board: string; readonly id: string; readonly batch: WorkerBatch }
  | { readonly type: "gone"; readonly board: string; readonly id: string }
  | { readonly type: "size"; readonly board: string };

export type FromWorkerHub =
  | { readonly board: string; readonly id: string; readonly batch: HubBatch }
  | { readonly size: number };

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const boards = new Map<string, { readonly workerHub: WorkerHub; readonly links: Map<string, WorkerLink> }>();

function say(message: FromWorkerHub): void {
  process.send?.(message);
}

function boardOf(name: string) {
  const known = boards.get(name);
  if (known) return known;
  const failed = (error: unknown, during: string) => console.error(during, error);
  const board = {
    workerHub: new WorkerHub({ engine: memoryEngine(clock), clock, failed }),
    links: new Map<string, WorkerLink>(),
  };
  // The memory engine is there at once, so that batches need not wait for it.
  void board.workerHub.start();
  boards.set(name, board);
  return board;
}

process.on("message", (message: ToWorkerHub) => {
  const { board: name } = message;
  const { workerHub, links } = boardOf(name);
  if (message.type === "size") return say({ size: workerHub.size });
  const { id } = message;
  if (message.type === "gone") return void links.get(id)?.disconnect();
  const link = links.get(id) ?? workerHub.attach({ send: (batch) => say({ board: name, id, batch }) });
  links.set(id, link);
  link.receive(message.batch);
});
process.on("disconnect", () => process.exit());
