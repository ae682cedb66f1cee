/** Two nodes that share a registry, and what they share. */

import { memoryEngine } from "../../packages/server/src/engines/memory/engine.ts";
import type { WorkerBatch } from "../../packages/server/src/engines/workers/messages.ts";
import { WorkerHub, type WorkerLink } from "../../packages/server/src/engines/workers/worker-hub.ts";
import { cpuUsOf } from "../cpu.ts";
import { Remote } from "../remote.ts";
import type { EngineKind, Member } from "./member.ts";
import { type Store, startStore } from "./store.ts";

export const REGISTRIES: Readonly<Record<EngineKind, string>> = {
  memory: "memory, 1 process",
  workers: "workers",
  redis: "Redis",
  nats: "NATS",
};

export interface Cpu {
  /** Of the first node, the second, and what they share, in microseconds; that of workers is with this process. */
  readonly first: number;
  readonly second: number;
  readonly shared: number;
}

export class Members {
  readonly first: Remote<Member>;
  readonly second: Remote<Member>;
  readonly #store: Store | undefined;
  readonly #workerHub: WorkerHub | undefined;
  readonly #links: readonly (WorkerLink | undefined)[];

  private constructor(store: Store | undefined, workerHub: WorkerHub | undefined) {
    this.#store = store;
    this.#workerHub = workerHub;
    const joined = [0, 1].map(() => {
      const member: Remote<Member> = new Remote<Member>("./cluster/member.ts", {
        batch: (batch) => link?.receive(batch as WorkerBatch),
      });
      const link = workerHub?.attach({ send: (batch) => member.sendBatch(batch) });
      return { member, link };
    });
    const [first, second] = joined;
    if (!first || !second) throw new Error("There are two members.");
    this.first = first.member;
    this.second = second.member;
    this.#links = joined.map(({ link }) => link);
  }

  static async start(kind: EngineKind): Promise<Members> {
    const store = kind === "redis" || kind === "nats" ? await startStore(kind) : undefined;
    const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
    const failed = (error: unknown, during: string) => console.error(during, error);
    const workerHub = kind === "workers" ? new WorkerHub({ engine: memoryEngine(clock), clock, failed }) : undefined;
    await workerHub?.start();
    const members = new Members(store, workerHub);
    for (const member of [members.first, members.second]) await member.call("start", kind, store?.port ?? 0);
    return members;
  }

  async spent(work: () => Promise<unknown>): Promise<Cpu> {
    const before = this.#spentSoFar();
    await work();
    const after = this.#spentSoFar();
    return {
      first: after.first - before.first,
      second: after.second - before.second,
      shared: after.shared - before.shared,
    };
  }

  /** The power of the first node is gone. What shares a machine with it is told at once, others have to notice. */
  async kill(): Promise<void> {
    await this.first.end();
    await this.#links[0]?.disconnect();
  }

  async end(): Promise<void> {
    await Promise.all([this.first.end(), this.second.end()]);
    await this.#workerHub?.close();
    await this.#store?.end();
  }

  #spentSoFar(): Cpu {
    const shared = this.#workerHub ? cpuUsOf(process.pid) : this.#store ? cpuUsOf(this.#store.pid) : 0;
    return { first: cpuUsOf(this.first.pid), second: cpuUsOf(this.second.pid), shared };
  }
}

export async function withMembers<T>(kind: EngineKind, work: (members: Members) => Promise<T>): Promise<T> {
  const members = await Members.start(kind);
  try {
    return await work(members);
  } finally {
    await members.end();
  }
}
