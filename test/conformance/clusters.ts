/** Clusters on every engine behind a balancer that sends each request to another node, as a suite of pusher-js sees them. */

import { createPublisher } from "../../packages/publisher/src/index.ts";
import type { ConfigInput, Server } from "../../packages/server/src/index.ts";
import { startNats } from "../support/nats.ts";
import { isFree } from "../support/ports.ts";
import { startRedis } from "../support/redis.ts";
import { startRequestBalancer } from "../support/request-balancer.ts";
import { APP, type AppInput, startServer } from "../support/server.ts";
import { startWorkers } from "../support/workers.ts";
import { HTTP, type PusherServer, type PusherTransport, type PusherWorld, QUIET_MS } from "./pusher-js.ts";

/** What the nodes of one cluster have in common, made anew for each. */
const ENGINES = {
  redis: async (): Promise<ConfigInput> => ({ engine: "redis", redis: { port: (await startRedis()).port } }),
  nats: async (): Promise<ConfigInput> => ({
    engine: "nats",
    nats: { servers: [(await startNats()).address], replicas: 1, prefix: `t${crypto.randomUUID().slice(0, 8)}` },
  }),
};

export type ClusterEngine = keyof typeof ENGINES;

/** Two nodes. */
export function clusterOf(engine: ClusterEngine, transport: PusherTransport): PusherWorld {
  const start = async ({ port = 0, ...config }: ConfigInput = {}, app: Partial<AppInput> = {}) => {
    const shared = await ENGINES[engine]();
    const nodes: Server[] = [];
    for (let n = 0; n < 2; n++)
      nodes.push(await startServer({ nodeTimeoutS: 3, http: HTTP, ...shared, ...config }, app));
    return asOne(nodes, port, transport);
  };
  return { start };
}

/** Two workers of one machine: each request has a connection of its own, which the kernel gives to any of them. */
export function workersOf(transport: PusherTransport): PusherWorld {
  const start = async ({ port = 0, ...config }: ConfigInput = {}, app: Partial<AppInput> = {}) => {
    // Starting processes that find no way in afterwards would take seconds each time.
    if (port !== 0 && !(await isFree(port))) throw new Error(`${port} is still in use.`);
    const program = await startWorkers({ nodeTimeoutS: 3, http: HTTP, apps: [{ ...APP, ...app }], ...config });
    const balancer = await startRequestBalancer([Number(new URL(program.url).port)], port);
    const options = { url: program.url, appId: APP.id, key: APP.key, secret: APP.secret };
    const publisher = createPublisher(options);
    return {
      ...{ transport, isCluster: true as const, port: balancer.port, url: program.url, connections: undefined },
      channel: (name: string) => ({
        info: async () => {
          const { subscriptions } = await publisher.channel(name);
          return subscriptions === 0 ? undefined : { subscribers: subscriptions };
        },
      }),
      members: (name: string) => publisher.members(name),
      settled: () => balancer.quiet(QUIET_MS),
      stop: async () => {
        await program.stop();
        balancer.stop();
      },
    };
  };
  return { start };
}

async function asOne(nodes: readonly Server[], port: number, transport: PusherTransport): Promise<PusherServer> {
  const [first] = nodes;
  if (!first) throw new Error("A cluster has nodes.");
  const balancer = await startRequestBalancer(
    nodes.map((node) => node.port),
    port,
  );
  return {
    transport,
    isCluster: true,
    port: balancer.port,
    url: first.url,
    channel: (name) => first.channel(name),
    members: (name) => first.members(name),
    get connections() {
      return nodes.flatMap((node) => [...node.connections]);
    },
    settled: () => balancer.quiet(QUIET_MS),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
      balancer.stop();
    },
  };
}
