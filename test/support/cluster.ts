/** Whole servers that are one: nodes in processes of their own on a Redis, on a NATS, or as the workers of one server. */

import type { ConfigInput } from "../../packages/server/src/index.ts";
import { startBareProcess } from "../faults/process.ts";
import { eventually } from "./eventually.ts";
import { connectNative, type NativeOptions, type NativeTestClient } from "./native-client.ts";
import { startNats } from "./nats.ts";
import type { ServerProcess } from "./process.ts";
import { connectPusher, type PusherOptions, type PusherTestClient, signedFetch } from "./pusher-client.ts";
import { startRedis } from "./redis.ts";
import { APP, type AppInput, startServer } from "./server.ts";
import { connectTo, pusherElsewhere, startWorkers, workerPids } from "./workers.ts";

export const ENGINES = ["redis", "nats", "workers"] as const;
export type EngineName = (typeof ENGINES)[number];
/** With that of one process, where all is near. */
export const EVERY_ENGINE = ["memory", ...ENGINES] as const;

export interface ClusterOptions {
  readonly nodes?: number;
  readonly config?: ConfigInput;
  readonly app?: Partial<AppInput>;
  /** Of `fanfare serve`. */
  readonly args?: readonly string[];
}

/** A process that holds sockets. */
export interface ClusterNode {
  /** Where it is called; of workers, where any of them is. */
  readonly url: string;
  readonly pid: number;
  native(options?: NativeOptions): Promise<NativeTestClient>;
  pusher(options?: PusherOptions): Promise<PusherTestClient>;
  signal(name: NodeJS.Signals): void;
  /** The power is gone. */
  kill(): Promise<void>;
}

/** What the default app is in every cluster; channels named `kept…` keep what was said. */
export const CLUSTER_APP = {
  ...APP,
  anonymous: true,
  limits: {
    clientEventsPerSecond: 100_000,
    subscribesPerSecond: 100_000,
    presenceMembers: 10_000,
  },
  channels: [
    { match: "kept*", history: { size: 10_000, ttlS: 600 }, clientPublish: "any" },
    { match: "presence-kept*", history: { size: 10_000, ttlS: 600 }, clientPublish: "any" },
    { match: "cache-brief", cacheTtlS: 0.3 },
    { match: "*", clientPublish: "any" },
  ],
} as const satisfies AppInput;

/** Resolves when all nodes listen and know their engine. Ends with the test, or with the file at its top level. */
export async function startCluster(engine: EngineName, options: ClusterOptions = {}): Promise<readonly ClusterNode[]> {
  const { nodes = 2 } = options;
  if (engine === "workers") return await workersOf(nodes, options);
  const where = await engineSettings(engine);
  return await Promise.all(Array.from({ length: nodes }, () => startNode(where, options)));
}

/** Two nodes of any engine; of the one that has only one, that one twice. */
export async function startPair(
  engine: (typeof EVERY_ENGINE)[number],
  options: ClusterOptions = {},
): Promise<readonly [AnyNode, AnyNode]> {
  if (engine === "memory") {
    const { url } = await startServer({ ...configOf(options), log: { level: "silent" } });
    const node = {
      url,
      native: (native?: NativeOptions) => connectNative(url, native),
      pusher: (pusher?: PusherOptions) => connectPusher(url, pusher),
    };
    return [node, node];
  }
  const [one, other] = await startCluster(engine, options);
  if (!one || !other) throw new Error(`${engine} has no two nodes`);
  return [one, other];
}

export type AnyNode = Pick<ClusterNode, "url" | "native" | "pusher">;

/** A server of its own to share, and the settings that lead there. */
export async function engineSettings(engine: "redis" | "nats"): Promise<ConfigInput> {
  if (engine === "redis") return { engine, redis: { port: (await startRedis()).port } };
  return { engine, nats: { servers: [(await startNats()).address] } };
}

/** One more server on that engine. `port` is for one that is to come back where it was. */
export async function startNode(where: ConfigInput, options: ClusterOptions = {}, port = 0): Promise<ServerNode> {
  const server = await startBareProcess({
    port,
    args: options.args ?? [],
    config: { ...where, ...configOf(options) },
  });
  await eventually(() => expectReady(server.url), { withinMs: 60_000, everyMs: 30 });
  return new ServerNode(server);
}

/** What every node of these tests is told, whatever its engine. */
export function configOf({ config = {}, app = {} }: ClusterOptions = {}): ConfigInput {
  return {
    drainTimeoutS: 2,
    statistics: { enabled: false },
    log: { level: "info", format: "json" },
    apps: [{ ...CLUSTER_APP, ...app }],
    ...config,
  };
}

export class ServerNode implements ClusterNode {
  readonly process: ServerProcess;

  constructor(process: ServerProcess) {
    this.process = process;
  }

  get url(): string {
    return this.process.url;
  }

  get pid(): number {
    return this.process.pid;
  }

  native(options?: NativeOptions): Promise<NativeTestClient> {
    return connectNative(this.url, options);
  }

  pusher(options?: PusherOptions): Promise<PusherTestClient> {
    return connectPusher(this.url, options);
  }

  signal(name: NodeJS.Signals): void {
    this.process.signal(name);
  }

  async kill(): Promise<void> {
    await this.process.kill();
  }
}

async function workersOf(count: number, options: ClusterOptions): Promise<readonly ClusterNode[]> {
  const server = await startWorkers({ ...configOf(options), workers: count });
  const pids = workerPids(server.pid);
  return pids.map((pid) => ({
    url: server.url,
    pid,
    native: (native?: NativeOptions) => connectTo(server.url, pid, native),
    // With more than two workers it may be any of the others' others.
    pusher: (pusher?: PusherOptions) => pusherElsewhere(server.url, pids.find((other) => other !== pid) ?? 0, pusher),
    signal: (name: NodeJS.Signals) => void process.kill(pid, name),
    kill: async () => void process.kill(pid, "SIGKILL"),
  }));
}

async function expectReady(url: string): Promise<void> {
  const { status } = await fetch(`${url}/ready`);
  if (status !== 200) throw new Error(`GET ${url}/ready: ${status}`);
}

/** Ids of a presence channel's users, as that node's HTTP API tells them. */
export async function usersOf(url: string, channel: string): Promise<readonly string[]> {
  const answer = await signedFetch(url, APP, "GET", `/channels/${channel}/users`);
  if (answer.status !== 200) throw new Error(`GET users: ${answer.status} ${await answer.text()}`);
  const { users } = (await answer.json()) as { users: readonly { id: string }[] };
  return users.map(({ id }) => id).sort();
}

/** The occupied channels, as that node's HTTP API tells them. */
export async function channelsOf(url: string): Promise<readonly string[]> {
  const answer = await signedFetch(url, APP, "GET", "/channels");
  if (answer.status !== 200) throw new Error(`GET channels: ${answer.status} ${await answer.text()}`);
  const { channels } = (await answer.json()) as { channels: object };
  return Object.keys(channels).sort();
}
