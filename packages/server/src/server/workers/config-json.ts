/** A configuration on its way to another process. */

import { parseConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema/schema.ts";

/** JSON has no infinity. */
export function serializeConfig(config: Config): string {
  return JSON.stringify(config, (_, value) => (value === Number.POSITIVE_INFINITY ? "unlimited" : value));
}

export function deserializeConfig(text: string): Config {
  return parseConfig(JSON.parse(text));
}
