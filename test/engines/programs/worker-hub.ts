/** The process between the nodes, without anything around it: a switchboard for each name, and nodes on it by parcels. */

import { memoryEngine } from "../../../packages/server/src/engines/memory/engine.ts";
import type { HubBatch, WorkerBatch } from "../../../packages/server/src/engines/workers/messages.ts";
import { WorkerHub, type WorkerLink } from "../../../packages/server/src/engines/workers/worker-hub.ts";

export type ToSwitchboard =
  | { readonly type: "parcel"; readonly board: string; readonly id: string; readonly parcel: WorkerBatch }
  | { readonly type: "gone"; readonly board: string; readonly id: string }
  | { readonly type: "size"; readonly board: string };

export type FromSwitchboard =
  | { readonly board: string; readonly id: string; readonly parcel: HubBatch }
  | { readonly size: number };

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const boards = new Map<string, { readonly switchboard: WorkerHub; readonly links: Map<string, WorkerLink> }>();

function say(message: FromSwitchboard): void {
  process.send?.(message);
}

function boardOf(name: string) {
  const known = boards.get(name);
  if (known) return known;
  const failed = (error: unknown, during: string) => console.error(during, error);
  const board = {
    switchboard: new WorkerHub({ engine: memoryEngine(clock), clock, failed }),
    links: new Map<string, WorkerLink>(),
  };
  // The memory engine is there at once, so that parcels need not wait for it.
  void board.switchboard.start();
  boards.set(name, board);
  return board;
}

process.on("message", (message: ToSwitchboard) => {
  const { board: name } = message;
  const { switchboard, links } = boardOf(name);
  if (message.type === "size") return say({ size: switchboard.size });
  const { id } = message;
  if (message.type === "gone") return void links.get(id)?.disconnect();
  const link = links.get(id) ?? switchboard.attach({ send: (parcel) => say({ board: name, id, parcel }) });
  links.set(id, link);
  link.receive(message.parcel);
});
process.on("disconnect", () => process.exit());
