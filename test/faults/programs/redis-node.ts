/** A node on a Redis that holds what `node.json` in its folder says, until it is killed. */

import type { RedisSettings } from "../../../packages/server/src/engines/redis/settings.ts";
import { RedisNode } from "../../support/redis-node.ts";
import { hold } from "./hold.ts";

await hold<RedisSettings>((settings) => new RedisNode(settings));
