/** `@fanfare/nats`: several servers that share a NATS are one. `createServer({ engine: natsEngine({ servers: ["10.0.0.5:4222"] }) })`. */

import type { EngineFactory } from "fanfare/engine";
import { createNatsEngine } from "./engine.ts";
import { type NatsOptions, settingsFrom } from "./settings.ts";

/** The engine of several machines that share a NATS. Throws an Error where the options cannot be used. */
export function natsEngine(options: NatsOptions = {}): EngineFactory {
  return (context) => createNatsEngine(context.clock, settingsFrom(options, context));
}

export type { NatsOptions } from "./settings.ts";
