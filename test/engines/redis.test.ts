/** The Redis engine on a real server: what every engine has to do. */

import { redisEngine } from "../../src/engines/redis/engine.ts";
import { settingsFor, startRedis } from "../support/redis.ts";
import { realClock } from "../support/redis-node.ts";
import { brokerContract } from "./contract.ts";
import { ledgerContract } from "./ledger-contract.ts";
import { registryContract } from "./registry-contract.ts";

const server = await startRedis();

const redis = () => ({ engine: redisEngine(settingsFor(server.port), realClock), pass: (ms: number) => Bun.sleep(ms) });

brokerContract("redis", redis);
registryContract("redis", redis);
ledgerContract("redis", redis);
