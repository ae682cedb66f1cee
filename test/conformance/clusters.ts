/** Clusters on every engine behind a balancer that sends each request to another node, as a suite of pusher-js sees them. */

import type { ConfigInput, Server } from "../../packages/server/src/index.ts";
import { startNats } from "../support/nats.ts";
import { startRedis } from "../support/redis.ts";
import { startRequestBalancer } from "../support/request-balancer.ts";
import { type AppInput, startServer } from "../support/server.ts";
import { HTTP, type PusherServer, type PusherTransport, type PusherWorld } from "./pusher-js.ts";

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
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
      balancer.stop();
    },
  };
}
