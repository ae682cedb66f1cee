/**
 * What 1, 10 and 100 machines carry, and where the first wall stands: reckoned from the figures in docs/bench-cluster.md and docs/bench.md.
 * `bun bench/simulation.ts` prints the tables of docs/scaling.md; `--write` puts them there.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fixed, markdown, type Table, whole } from "./table.ts";

const DOCS = join(import.meta.dir, "..", "docs");
const BEGIN = "<!-- bench/simulation.ts writes from here -->\n";
const END = "<!-- to here -->";

/** Processor time in microseconds. */
export interface Costs {
  /** On a node: a publication that it makes, or hears, and each reader of it. */
  readonly publish: number;
  readonly hear: number;
  readonly deliver: number;
  readonly join: number;
  /** Of all words of all nodes about who is where: what each costs this one. */
  readonly overhear: number;
  /** On Redis or NATS: a publication, each node that hears it beyond the first, a join or a leave. */
  readonly carry: number;
  readonly carryFurther: number;
  readonly register: number;
}

interface Workload {
  readonly name: string;
  /** Members of a channel; undefined where everybody is in the same one. */
  readonly members: number | undefined;
  readonly publicationsPerSecond: number;
  readonly isPresence: boolean;
}

interface Carried {
  readonly connections: number;
  readonly publications: number;
  readonly hearing: number;
  readonly deliveries: number;
  readonly node: number;
  readonly store: number;
  readonly bytesPerSecond: number;
}

const NODES_PER_MACHINE = 8;
const CONNECTIONS_PER_NODE = 12_500;
const STAY_S = 600;
/** Of a publication of 123 bytes on the wire from Redis to a node: its envelope and TCP included. */
const WIRE_BYTES = 300;
/** So much of a core, or of 10 Gbit/s, is let be used. */
const SHARE = 0.7;
const NETWORK_BYTES = 1.25e9;
/** Of the Redis engine in a cluster: a channel is in one of so many. */
const BUCKETS = 32;
const ROOMS = 500;

const WORKLOADS: readonly Workload[] = [
  { name: "rooms of 50", members: 50, publicationsPerSecond: 1, isPresence: true },
  { name: "each its own", members: 1, publicationsPerSecond: 0.1, isPresence: false },
  { name: "one for all", members: undefined, publicationsPerSecond: 1, isPresence: false },
];

if (import.meta.main) {
  const text = simulated();
  if (process.argv.includes("--write")) rewrite(text);
  else console.log(text);
}

/** The tables, as the document has them. */
export function simulated(): string {
  const cluster = readFileSync(join(DOCS, "bench-cluster.md"), "utf8");
  const single = readFileSync(join(DOCS, "bench.md"), "utf8");
  return [tableOf("Redis", costsOf(cluster, single, "Redis")), tableOf("NATS", costsOf(cluster, single, "NATS"))]
    .map(markdown)
    .join("\n")
    .replaceAll("## ", "### ");
}

/** What the document has between its marks. */
export function documented(): string {
  return partsOf(readFileSync(join(DOCS, "scaling.md"), "utf8"))[1];
}

function rewrite(text: string): void {
  const path = join(DOCS, "scaling.md");
  const [before, , after] = partsOf(readFileSync(path, "utf8"));
  writeFileSync(path, `${before}${text}${after}`);
}

function partsOf(document: string): [before: string, tables: string, after: string] {
  const from = document.indexOf(BEGIN) + BEGIN.length;
  const to = document.indexOf(END);
  if (from < BEGIN.length || to < from) throw new Error("docs/scaling.md has lost its marks.");
  return [document.slice(0, from), document.slice(from, to), document.slice(to)];
}

function tableOf(store: "Redis" | "NATS", costs: Costs): Table {
  const rows = WORKLOADS.flatMap((workload) =>
    [1, 10, 100].map((machines) => {
      const carried = carry(workload, machines * NODES_PER_MACHINE, costs);
      return [
        workload.name,
        String(machines),
        whole(carried.connections),
        whole(carried.publications),
        whole(carried.deliveries),
        fixed(carried.hearing, 0),
        percent(carried.node),
        percent(carried.store),
        percent(carried.bytesPerSecond / NETWORK_BYTES),
        store === "Redis" ? serversFor(workload, carried) : fits(carried),
      ];
    }),
  );
  return {
    title: store,
    note: `Shares of one core of each node, of one core of ${store}, and of its network of 10 Gbit/s.`,
    head: [
      "channels",
      "machines",
      "connections",
      "publications/s",
      "deliveries/s",
      "nodes that hear each",
      "a node",
      store,
      "network",
      store === "Redis" ? "servers needed" : "fits",
    ],
    rows,
  };
}

/** One second of a cluster. Shares are of one core. */
export function carry(workload: Workload, nodes: number, costs: Costs): Carried {
  const connections = nodes * CONNECTIONS_PER_NODE;
  const channels = workload.members === undefined ? 1 : connections / workload.members;
  const publications = channels * workload.publicationsPerSecond;
  const hearing = workload.members === undefined ? nodes : nodesOf(workload.members, nodes);
  const deliveries = (publications * connections) / channels;
  const moves = workload.isPresence ? (2 * connections) / STAY_S : 0;
  const nodeUs =
    (publications * costs.publish + publications * hearing * costs.hear + deliveries * costs.deliver) / nodes +
    (moves * costs.join) / nodes +
    moves * costs.overhear;
  const storeUs = publications * (costs.carry + (hearing - 1) * costs.carryFurther) + moves * costs.register;
  return {
    connections,
    publications,
    hearing,
    deliveries,
    node: nodeUs / 1e6,
    store: storeUs / 1e6,
    bytesPerSecond: publications * hearing * WIRE_BYTES,
  };
}

/** How many nodes a channel of so many members is on, when the balancer puts each anywhere: thrown, not reckoned. */
export function nodesOf(members: number, nodes: number): number {
  const random = seeded(members * 1_000 + nodes);
  let sum = 0;
  for (let room = 0; room < ROOMS; room++) {
    const taken = new Set<number>();
    for (let member = 0; member < members; member++) taken.add(Math.floor(random() * nodes));
    sum += taken.size;
  }
  return sum / ROOMS;
}

function serversFor(workload: Workload, { store, bytesPerSecond, node }: Carried): string {
  if (node > SHARE) return "nodes are full";
  const servers = Math.max(1, Math.ceil(store / SHARE), Math.ceil(bytesPerSecond / NETWORK_BYTES / SHARE));
  if (servers === 1) return "1";
  // A channel is on one server, and its bucket too.
  const isDivisible = workload.members !== undefined && servers <= BUCKETS;
  return isDivisible ? String(servers) : `${servers}, cannot be`;
}

function fits({ store, bytesPerSecond, node }: Carried): string {
  if (node > SHARE) return "no: nodes";
  if (store > SHARE) return "no: stream";
  return bytesPerSecond > SHARE * NETWORK_BYTES ? "no: network" : "yes";
}

// ---- what was measured

function costsOf(cluster: string, single: string, store: "Redis" | "NATS"): Costs {
  const two = `${store}, 2 nodes`;
  const cost = "What one publication costs";
  const joins = "Joins of presence channels";
  const deliver = figure(single, "Fan-out", ["1 000", "1", "Fanfare, native"], 5);
  const inBulk = figure(single, "Fan-out", ["1 000", "10", "Fanfare, native"], 5);
  return {
    publish: figure(cluster, cost, [`${two}; 1`], 2),
    // One reader was there, in whose writing ten messages went together.
    hear: Math.max(0, figure(cluster, cost, [`${two}; 1`], 3) - inBulk),
    deliver,
    join: figure(cluster, joins, [store], 5),
    overhear: store === "NATS" ? figure(cluster, joins, [store], 6) : 0,
    carry: figure(cluster, "Nodes that listen", [store, "1"], 3),
    carryFurther: figure(cluster, "Nodes that listen", [store, "8"], 4),
    register: figure(cluster, joins, [store], 7),
  };
}

/** A number of a table: of the row that begins with these cells, by its column, the first being 1. */
export function figure(document: string, title: string, row: readonly string[], column: number): number {
  const table = document.split(`\n## ${title}`)[1]?.split("\n## ")[0] ?? "";
  for (const line of table.split("\n")) {
    const cells = line.split("|").map((cell) => cell.trim());
    const value = Number.parseFloat(cells[column] ?? "");
    if (row.every((cell, index) => cells[index + 1] === cell) && !Number.isNaN(value)) return value;
  }
  throw new Error(`No figure of "${title}", ${row.join(", ")}.`);
}

function percent(share: number): string {
  if (share < 0.005) return "0 %";
  return `${whole(share * 100)} %`;
}

/** The same numbers each time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
