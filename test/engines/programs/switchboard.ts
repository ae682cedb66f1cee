/** The process between the nodes, without anything around it: a switchboard for each name, and nodes on it by parcels. */

import { memoryEngine } from "../../../packages/server/src/engines/memory/engine.ts";
import { type NodeLink, Switchboard } from "../../../packages/server/src/engines/workers/switchboard.ts";
import type { FromNode, ToNode } from "../../../packages/server/src/engines/workers/wire.ts";

export type ToSwitchboard =
  | { readonly type: "parcel"; readonly board: string; readonly id: string; readonly parcel: FromNode }
  | { readonly type: "gone"; readonly board: string; readonly id: string }
  | { readonly type: "size"; readonly board: string };

export type FromSwitchboard =
  | { readonly board: string; readonly id: string; readonly parcel: ToNode }
  | { readonly size: number };

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const boards = new Map<string, { readonly switchboard: Switchboard; readonly links: Map<string, NodeLink> }>();

function say(message: FromSwitchboard): void {
  process.send?.(message);
}

function boardOf(name: string) {
  const known = boards.get(name);
  if (known) return known;
  const failed = (error: unknown, during: string) => console.error(during, error);
  const board = {
    switchboard: new Switchboard({ engine: memoryEngine(clock), clock, failed }),
    links: new Map<string, NodeLink>(),
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
  if (message.type === "gone") return void links.get(id)?.gone();
  const link = links.get(id) ?? switchboard.attach({ send: (parcel) => say({ board: name, id, parcel }) });
  links.set(id, link);
  link.receive(message.parcel);
});
process.on("disconnect", () => process.exit());
