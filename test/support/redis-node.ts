/** A node of a cluster on a Redis. */

import type { Clock } from "../../packages/server/src/domain/ports.ts";
import { redisEngine } from "../../packages/server/src/engines/redis/engine.ts";
import type { RedisSettings } from "../../packages/server/src/engines/redis/settings.ts";
import { EngineNode, realClock } from "../../packages/server/testing/engine-node.ts";
import { atEnd } from "./at-end.ts";
import { onlyPongs } from "./redis.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

export { realClock } from "../../packages/server/testing/engine-node.ts";

export class RedisNode extends EngineNode {
  constructor(settings: RedisSettings, clock: Clock = realClock, warn?: (sentence: string) => void) {
    super(redisEngine(settings, clock, warn));
  }
}

/** Ends with the test. */
export async function startNode(settings: RedisSettings): Promise<RedisNode> {
  const node = new RedisNode(settings);
  atEnd(() => node.engine.close());
  await node.engine.start(node);
  return node;
}

/** A node that can be left with nothing but the answers to PING where it listens. Ends with the test. */
export async function startSilencedNode(settings: RedisSettings, proxies: readonly TcpProxy[]) {
  const node = await startNode(settings);
  const silence = () => {
    for (const proxy of proxies) proxy.sift(onlyPongs(settings.prefix));
  };
  const restore = () => {
    for (const proxy of proxies) proxy.mend();
  };
  return { node, silence, restore };
}
