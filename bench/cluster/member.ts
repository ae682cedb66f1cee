/** A node with nothing but its engine, in a process of its own, so that it can be killed. */

import { createNatsEngine } from "../../packages/nats/src/engine.ts";
import { DEFAULTS as NATS } from "../../packages/nats/src/settings.ts";
import type { Engine, EngineHost, RegistryChange } from "../../packages/server/src/domain/ports.ts";
import { memoryEngine } from "../../packages/server/src/engines/memory/engine.ts";
import { redisEngine } from "../../packages/server/src/engines/redis/engine.ts";
import { DEFAULTS as REDIS } from "../../packages/server/src/engines/redis/settings.ts";
import { workersEngine } from "../../packages/server/src/engines/workers/engine.ts";
import type { HubBatch } from "../../packages/server/src/engines/workers/messages.ts";
import { nowMs } from "../contender.ts";
import { answerCalls, sendBatch } from "../remote.ts";

export type EngineKind = "memory" | "workers" | "redis" | "nats";

/** Short, so that a measurement is not spent on waiting. */
export const NODE_TIMEOUT_MS = 2_000;

export interface Joining {
  readonly rows: number;
  /** Users go round through so many channels. */
  readonly channels: number;
  /** Asked at once. */
  readonly window: number;
}

export interface Reaped {
  readonly users: number;
  /** On the clock of `nowMs`. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

export interface Member extends Record<string, (...args: never[]) => unknown> {
  start(kind: EngineKind, port: number): Promise<void>;
  /** Milliseconds. */
  join(joining: Joining): Promise<number>;
  leave(joining: Joining): Promise<number>;
  /** Resolves when so many users of dead nodes have been told to be gone. */
  reaped(users: number, timeoutMs: number): Promise<Reaped>;
}

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
let hear: ((batch: HubBatch) => void) | undefined;
let engine: Engine | undefined;
const departures = { users: 0, firstAtMs: 0, lastAtMs: 0 };

if (import.meta.main) {
  const member: Member = {
    start: async (kind, port) => {
      engine = engineOf(kind, port);
      await engine.start(host());
    },
    join: (joining) => all(joining, (registry, row) => registry.join(row, Number.POSITIVE_INFINITY)),
    leave: (joining) => all(joining, (registry, row) => registry.leave(row)),
    reaped,
  };
  answerCalls(member, (batch) => hear?.(batch as HubBatch));
}

function engineOf(kind: EngineKind, port: number): Engine {
  switch (kind) {
    case "memory":
      return memoryEngine(clock);
    case "workers": {
      const asking = workersEngine(clock, sendBatch);
      hear = (batch) => asking.receive(batch);
      return asking;
    }
    case "redis": {
      const topology = { type: "server", at: { host: "127.0.0.1", port } } as const;
      return redisEngine({ ...REDIS, topology, nodeTimeoutMs: NODE_TIMEOUT_MS }, clock);
    }
    case "nats":
      return createNatsEngine(clock, { ...NATS, servers: [`127.0.0.1:${port}`], nodeTimeoutMs: NODE_TIMEOUT_MS });
  }
}

function host(): EngineHost {
  const self = { id: crypto.randomUUID(), name: "bench", startedAtMs: 1, connections: 0, lagMs: 0, draining: false };
  return {
    receive: () => {},
    interrupted: () => {},
    registryChanged: happened,
    report: () => self,
    failed: (error, during) => console.error(during, error),
  };
}

function happened(facts: readonly RegistryChange[]): void {
  const gone = facts.filter(({ type }) => type === "left").length;
  if (gone === 0) return;
  departures.lastAtMs = nowMs();
  if (departures.users === 0) departures.firstAtMs = departures.lastAtMs;
  departures.users += gone;
}

async function all(
  { rows, channels, window }: Joining,
  change: (registry: Engine["registry"], row: ReturnType<typeof rowOf>) => unknown,
): Promise<number> {
  if (!engine) throw new Error("The member has not started.");
  const { registry } = engine;
  const startMs = performance.now();
  for (let first = 0; first < rows; first += window) {
    const count = Math.min(window, rows - first);
    await Promise.all(Array.from({ length: count }, (_, n) => change(registry, rowOf(first + n, channels))));
  }
  return performance.now() - startMs;
}

function rowOf(user: number, channels: number) {
  const member = { id: `user-${user}`, info: { name: `User ${user}` } };
  return { app: "bench", channel: `presence-${user % channels}`, connection: `c-${user}`, member };
}

async function reaped(users: number, timeoutMs: number): Promise<Reaped> {
  const until = performance.now() + timeoutMs;
  while (departures.users < users) {
    if (performance.now() > until) throw new Error(`${departures.users} of ${users} users are said to be gone.`);
    await Bun.sleep(5);
  }
  return { ...departures };
}
