/** The Redis engine on a real server: what every engine has to do. */

import { expect } from "bun:test";
import { redisEngine } from "../../src/engines/redis/engine.ts";
import { eventually } from "../support/eventually.ts";
import { settingsFor, startRedis } from "../support/redis.ts";
import { realClock, startNode } from "../support/redis-node.ts";
import { awayContract } from "./away-contract.ts";
import { brokerContract } from "./contract.ts";
import { ledgerContract } from "./ledger-contract.ts";
import { registryContract } from "./registry-contract.ts";

const server = await startRedis();

const redis = () => ({ engine: redisEngine(settingsFor(server.port), realClock), pass: (ms: number) => Bun.sleep(ms) });

brokerContract("redis", redis);
registryContract("redis", redis);
ledgerContract("redis", redis);

awayContract("redis", async ({ waitMs, waitBytes }) => {
  const own = await startRedis();
  const node = await startNode(settingsFor(own.port, { publishWaitMs: waitMs, publishWaitBytes: waitBytes }));
  const leave = async () => {
    await own.kill();
    await eventually(() => expect(node.engine.health().reachable).toBe(false));
  };
  return { node, leave, comeBack: () => own.start() };
});
