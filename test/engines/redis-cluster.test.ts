/** The Redis engine on a cluster of three masters, where what belongs together has to be in one slot. */

import { redisEngine } from "../../packages/server/src/engines/redis/engine.ts";
import { settingsFor, startRedisCluster } from "../support/redis.ts";
import { realClock, startDeafenedNode } from "../support/redis-node.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { brokerContract } from "./contract.ts";
import { deafContract } from "./deaf-contract.ts";
import { ledgerContract } from "./ledger-contract.ts";
import { registryContract } from "./registry-contract.ts";

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

brokerContract("redis cluster", cluster);
registryContract("redis cluster", cluster);
ledgerContract("redis cluster", cluster);

deafContract("redis cluster", {
  "nothing comes but the answers to PING": () => startDeafenedNode(settingsFor({ type: "cluster", seeds }), proxies),
});
