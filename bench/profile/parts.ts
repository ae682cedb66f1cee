/** Which part of the server each look of the profiler belongs to, and which functions it found most often. */

import type { Profiler } from "node:inspector";

export interface Shares {
  /** Share of all looks by part. */
  readonly parts: ReadonlyMap<string, number>;
  /** Share of all looks by function: its own time, without what it calls. */
  readonly functions: ReadonlyMap<string, number>;
}

type Node = Profiler.ProfileNode;

const CALLS_OF_BUN = "Bun: sockets, requests, answers";
const BENCH = "the bench";
const LIBRARIES = "libraries";

/** What the server asks Bun for, which bare Bun is asked for too. Other built-in functions count as the part that calls them. */
const OF_BUN = new Set([
  ...[
    "publish",
    "send",
    "sendText",
    "cork",
    "subscribe",
    "unsubscribe",
    "isSubscribed",
    "upgrade",
    "ping",
    "close",
    "terminate",
  ],
  ...["text", "arrayBuffer", "bytes", "Response", "requestIP", "timeout", "URL", "fetch", "getBufferedAmount"],
]);

const SOURCE = /\/packages\/(server\/src|[^/]+)\/([^/]+)\/(?:([^/]+)\/)?/;

export function sharesOf({ nodes, samples = [] }: Profiler.Profile): Shares {
  const parents = parentsOf(nodes);
  const looks = new Map<number, number>();
  for (const id of samples) looks.set(id, (looks.get(id) ?? 0) + 1);
  const parts = new Map<string, number>();
  const functions = new Map<string, number>();
  for (const node of nodes) {
    const share = (looks.get(node.id) ?? 0) / samples.length;
    if (share === 0) continue;
    const part = partOf(node, parents);
    add(parts, part, share);
    add(functions, `${nameOf(node)} (${placeOf(node) ?? part})`, share);
  }
  return { parts, functions };
}

function parentsOf(nodes: readonly Node[]): ReadonlyMap<number, Node> {
  const parents = new Map<number, Node>();
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node);
  return parents;
}

/**
 * A built-in function has no source: it counts as what called it, unless it is one of Bun's own. What a function calls with its last
 * breath, `return JSON.stringify(…)`, counts as its own caller's: it is gone by then (ECMAScript's proper tail calls).
 */
function partOf(node: Node, parents: ReadonlyMap<number, Node>): string {
  if (!isSource(node) && OF_BUN.has(node.callFrame.functionName)) return CALLS_OF_BUN;
  for (let at: Node | undefined = node; at; at = parents.get(at.id)) {
    const part = folderOf(at);
    if (part !== undefined) return part;
  }
  return CALLS_OF_BUN;
}

function isSource({ callFrame }: Node): boolean {
  return callFrame.url.includes("/");
}

/** Some folders of the server have rooms that differ; of the others one is enough. */
function folderOf(node: Node): string | undefined {
  const { url } = node.callFrame;
  if (!isSource(node)) return undefined;
  if (url.includes("/node_modules/")) return LIBRARIES;
  if (url.includes("/bench/")) return BENCH;
  const [, root, folder = "", room] = SOURCE.exec(url) ?? [];
  if (root === undefined) return undefined;
  if (root !== "server/src") return root;
  return (folder === "server" || folder === "engines") && room !== undefined ? `${folder}/${room}` : folder;
}

function placeOf(node: Node): string | undefined {
  const { url, lineNumber } = node.callFrame;
  if (!isSource(node)) return undefined;
  const path = url.replace(/^.*\/packages\/(?:server\/src\/)?/, "").replace(/^.*\/(?=bench\/)/, "");
  return `${path}:${lineNumber + 1}`;
}

function nameOf({ callFrame }: Node): string {
  return callFrame.functionName || "a function without a name";
}

function add(sums: Map<string, number>, key: string, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}
