/** Which engine carries the server: one that the program gives, or the one that the configuration names. */

import { ConfigError } from "../../config/config-error.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { Clock, Engine, EngineContext, EngineFactory } from "../../domain/ports.ts";
import { memoryEngine } from "../../engines/memory/engine.ts";

export interface EngineOptions {
  readonly config: Config;
  readonly clock: Clock;
  /** The program's own. */
  readonly given?: Engine | EngineFactory | undefined;
  /** Is called with what the operator of the engine should change. */
  readonly warn?: (sentence: string) => void;
}

/** Throws an Error where the configuration asks for an engine that cannot be had. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  return (await createClusterEngine(options)) ?? memoryEngine(options.clock);
}

/** The engine that makes one server of several processes by itself; undefined where their first process has to. */
export async function createClusterEngine(options: EngineOptions): Promise<Engine | undefined> {
  const { config, clock, given, warn = () => {} } = options;
  if (given) return typeof given === "function" ? given(contextOf(options)) : given;
  switch (config.engine) {
    case "memory":
      return undefined;
    case "redis": {
      // Its client library takes 21 MB, which a server on another engine does not pay.
      const { redisEngine } = await import("../../engines/redis/engine.ts");
      const { redisSettings } = await import("./redis-settings.ts");
      return redisEngine(redisSettings(config), clock, warn);
    }
    case "nats":
      return (await natsPackage()).natsEngine(config.nats)(contextOf(options));
  }
}

function contextOf({ config, clock, warn = () => {} }: EngineOptions): EngineContext {
  const { publishWaitS, publishWaitBytes, nodeTimeoutS } = config;
  return { clock, warn, publishWaitMs: publishWaitS * 1000, publishWaitBytes, nodeTimeoutMs: nodeTimeoutS * 1000 };
}

interface NatsPackage {
  natsEngine(options: Config["nats"]): EngineFactory;
}

/** A package of its own, which depends on this one: only its name is known here. */
async function natsPackage(): Promise<NatsPackage> {
  const name = "@fanfare/nats";
  try {
    return await import(name);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes(name)) throw error;
    throw new ConfigError([`engine "nats" needs the package ${name}, which is not installed: npm install ${name}`]);
  }
}
