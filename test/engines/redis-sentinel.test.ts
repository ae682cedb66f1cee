/** The Redis engine on a master that sentinels know. */

import { redisEngine } from "../../packages/server/src/engines/redis/engine.ts";
import { engineContract, silentConnectionContract } from "../../packages/server/testing/index.ts";
import { settingsFor, startSentinels } from "../support/redis.ts";
import { realClock, startSilencedNode } from "../support/redis-node.ts";
import { runner } from "../support/runner.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";

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

engineContract(runner, "redis behind sentinels", behindSentinels);

silentConnectionContract(runner, "redis behind sentinels", {
  "nothing comes but the answers to PING": () =>
    startSilencedNode(settingsFor({ type: "sentinel", sentinels, master: "mymaster" }), proxies),
});
