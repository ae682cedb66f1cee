/** One server of several processes: its nodes, what they share, and the generator that loads them. */

import type { ConfigInput } from "../../packages/server/src/index.ts";
import type { Contender } from "../contender.ts";
import { childrenOf, cpuUsOf } from "../cpu.ts";
import type { HttpTransport } from "../http-readers.ts";
import type { Load } from "../load.ts";
import { CHANNEL } from "../message.ts";
import { doorOf } from "../pair.ts";
import { Remote } from "../remote.ts";
import { type Store, type StoreKind, startStore } from "./store.ts";

export interface Plan {
  readonly name: string;
  readonly nodes: number;
  readonly workers?: number;
  readonly store?: StoreKind;
  /** What is set differently. */
  readonly config?: ConfigInput;
}

/** The first is what the others are compared with. */
export const PLANS: readonly Plan[] = [
  { name: "memory, 1 process", nodes: 1 },
  { name: "2 workers", nodes: 1, workers: 2 },
  { name: "4 workers", nodes: 1, workers: 4 },
  { name: "Redis, 2 nodes", nodes: 2, store: "redis" },
  { name: "NATS, 2 nodes", nodes: 2, store: "nats" },
];

/** Processor time, in microseconds. */
export interface Spent {
  /** Of the process that publishes. */
  readonly publisher: number;
  /** Of those that only have readers. */
  readonly receivers: number;
  readonly store: number;
}

export class Site {
  readonly plan: Plan;
  readonly load: Remote<Load>;
  readonly #store: Store | undefined;
  readonly #nodes: readonly Remote<Contender>[];
  readonly #ports: readonly number[];
  #opened = 0;

  private constructor(plan: Plan, store: Store | undefined, nodes: readonly Remote<Contender>[], ports: number[]) {
    this.plan = plan;
    this.#store = store;
    this.#nodes = nodes;
    this.#ports = ports;
    this.load = new Remote<Load>("./load.ts");
  }

  static async start(plan: Plan): Promise<Site> {
    const store = plan.store && (await startStore(plan.store));
    const settings = { ...settingsOf(plan, store), ...plan.config };
    const nodes = Array.from(
      { length: plan.nodes },
      () => new Remote<Contender>("./program.ts", { args: ["native", JSON.stringify(settings)] }),
    );
    return new Site(plan, store, nodes, await Promise.all(nodes.map((node) => node.call("start"))));
  }

  get publisher(): Remote<Contender> {
    const [first] = this.#nodes;
    if (!first) throw new Error("A site has a node.");
    return first;
  }

  /** Lets so many more clients into the channel: on all nodes alike, or on none that publishes, where there are others. */
  async open(count: number, channel: string, where: "everywhere" | "elsewhere" = "everywhere"): Promise<void> {
    const ports = where === "elsewhere" && this.#ports.length > 1 ? this.#ports.slice(1) : this.#ports;
    const first = this.#opened;
    this.#opened += count;
    for (const [index, port] of ports.entries()) {
      const total = first + Math.round((count * (index + 1)) / ports.length);
      await this.load.call("open", { port, count: total, ...doorOf("native", channel) });
    }
  }

  /** The same by HTTP: connections of the node that publishes, which are read from there, or by way of the next one. */
  async openHttp(transport: HttpTransport, count: number, where: "here" | "elsewhere"): Promise<void> {
    const [port = 0, other = port] = this.#ports;
    const readPort = where === "here" ? port : other;
    await this.load.call("openHttp", { transport, port, readPort, channel: CHANNEL, count });
  }

  /** What everybody's work costs. */
  async spent(work: () => Promise<unknown>): Promise<Spent> {
    const before = this.#spentSoFar();
    await work();
    const after = this.#spentSoFar();
    return {
      publisher: after.publisher - before.publisher,
      receivers: after.receivers - before.receivers,
      store: after.store - before.store,
    };
  }

  async end(): Promise<void> {
    await Promise.all([this.load.end(), ...this.#nodes.map((node) => node.end()), this.#store?.end()]);
  }

  #spentSoFar(): Spent {
    const others = [...childrenOf(this.publisher.pid), ...this.#nodes.slice(1).map(({ pid }) => pid)];
    return {
      publisher: cpuUsOf(this.publisher.pid),
      receivers: cpuUsOf(...others),
      store: this.#store ? cpuUsOf(this.#store.pid) : 0,
    };
  }
}

/** Publications that so many readers have read in about that time. */
export function mostFor(readers: number, forMs: number): number {
  return Math.ceil((forMs * 1_500) / readers);
}

/** Starts one site of each plan, and ends them however the work ends. */
export async function withSites<T>(plans: readonly Plan[], work: (sites: readonly Site[]) => Promise<T>): Promise<T> {
  const sites: Site[] = [];
  try {
    for (const plan of plans) sites.push(await Site.start(plan));
    return await work(sites);
  } finally {
    await Promise.all(sites.map((site) => site.end()));
  }
}

function settingsOf({ workers }: Plan, store: Store | undefined): ConfigInput {
  switch (store?.kind) {
    case undefined:
      return workers === undefined ? {} : { workers };
    case "redis":
      return { engine: "redis", redis: { port: store.port } };
    case "nats":
      return { engine: "nats", nats: { servers: [`127.0.0.1:${store.port}`] } };
  }
}
