/** The Redis engine on a cluster of three masters, where what belongs together has to be in one slot. */

import { redisEngine } from "../../packages/server/src/engines/redis/engine.ts";
import { engineContract, silentConnectionContract } from "../../packages/server/testing/index.ts";
import { settingsFor, startRedisCluster } from "../support/redis.ts";
import { realClock, startSilencedNode } from "../support/redis-node.ts";
import { runner } from "../support/runner.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";

const proxies: TcpProxy[] = [];
const servers = await startRedisCluster(3, async (port) => {
  const proxy = await startProxy(port);
  proxies.push(proxy);
  return proxy.port;
});
const seeds = servers.map(({ port }) => ({ host: "127.0.0.1", port }));

const cluster = () => ({
  engine: redisEngine(settingsFor({ type: "cluster", seeds }), realClock),
  pass: (ms: number) => Bun.sleep(ms),
});

engineContract(runner, "redis cluster", cluster);

silentConnectionContract(runner, "redis cluster", {
  "nothing comes but the answers to PING": () => startSilencedNode(settingsFor({ type: "cluster", seeds }), proxies),
});
