/** Which engine carries the server. */

import type { Config } from "../../config/schema/schema.ts";
import type { Clock, Engine } from "../../domain/ports.ts";
import { memoryEngine } from "../../engines/memory/engine.ts";
import { natsEngine } from "../../engines/nats/engine.ts";
import { redisEngine } from "../../engines/redis/engine.ts";
import { natsSettings } from "./nats-settings.ts";
import { redisSettings } from "./redis-settings.ts";

/** Throws an Error where the configuration asks for what cannot be had. `warn` is told what whoever runs the engine should change. */
export function createEngine(config: Config, clock: Clock, warn?: (sentence: string) => void): Engine {
  return createClusterEngine(config, clock, warn) ?? memoryEngine(clock);
}

/** The engine that makes one server of several processes by itself; undefined where the first of them has to. */
export function createClusterEngine(
  config: Config,
  clock: Clock,
  warn?: (sentence: string) => void,
): Engine | undefined {
  switch (config.engine) {
    case "memory":
      return undefined;
    case "redis":
      return redisEngine(redisSettings(config), clock, warn);
    case "nats":
      return natsEngine(clock, natsSettings(config));
  }
}
