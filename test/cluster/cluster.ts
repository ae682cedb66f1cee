/** Real servers that are nodes of one cluster on a real Redis. */

import type { ConfigInput, Server } from "../../packages/server/src/index.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { type AppInput, startServer } from "../support/server.ts";

export interface Cluster {
  readonly redis: RedisServer;
  readonly nodes: readonly Server[];
  readonly one: Server;
  readonly other: Server;
}

/** Two nodes; each call has a Redis of its own. */
export async function startCluster(config: ConfigInput = {}, app: Partial<AppInput> = {}): Promise<Cluster> {
  const redis = await startRedis();
  const [one, other] = [await startNode(redis, config, app), await startNode(redis, config, app)];
  return { redis, nodes: [one, other], one, other };
}

export function startNode(
  redis: Pick<RedisServer, "port">,
  config: ConfigInput = {},
  app: Partial<AppInput> = {},
): Promise<Server> {
  return startServer({ engine: "redis", redis: { port: redis.port }, nodeTimeoutS: 3, ...config }, app);
}
