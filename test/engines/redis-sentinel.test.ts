/** The Redis engine on a master that sentinels know. */

import { redisEngine } from "../../packages/server/src/engines/redis/engine.ts";
import { settingsFor, startSentinels } from "../support/redis.ts";
import { realClock, startDeafenedNode } from "../support/redis-node.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { brokerContract } from "./contract.ts";
import { deafContract } from "./deaf-contract.ts";
import { ledgerContract } from "./ledger-contract.ts";
import { registryContract } from "./registry-contract.ts";

const proxies: TcpProxy[] = [];
const { ports } = await startSentinels("mymaster", async (port) => {
  const proxy = await startProxy(port);
  proxies.push(proxy);
  return proxy.port;
});
const sentinels = ports.map((port) => ({ host: "127.0.0.1", port }));

const behindSentinels = () => ({
  engine: redisEngine(settingsFor({ type: "sentinel", sentinels, master: "mymaster" }), realClock),
  pass: (ms: number) => Bun.sleep(ms),
});

brokerContract("redis behind sentinels", behindSentinels);
registryContract("redis behind sentinels", behindSentinels);
ledgerContract("redis behind sentinels", behindSentinels);

deafContract("redis behind sentinels", {
  "nothing comes but the answers to PING": () =>
    startDeafenedNode(settingsFor({ type: "sentinel", sentinels, master: "mymaster" }), proxies),
});
