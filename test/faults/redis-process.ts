/** Nodes on a Redis in processes of their own. */

import type { RedisSettings } from "../../packages/server/src/engines/redis/settings.ts";
import type { CliProcess } from "../support/process.ts";
import { type Holdings, startHolderOf } from "./holder.ts";

export { clockOf, factsOf } from "./holder.ts";

/** Resolves when it holds all of it. */
export function startHolder(
  settings: RedisSettings,
  holdings: Partial<Holdings>,
  before: readonly string[] = [],
): Promise<CliProcess> {
  return startHolderOf("redis-node.ts", settings, holdings, before);
}
