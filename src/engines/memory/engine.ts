/** The engine that needs nothing: one process, its own memory. */

import type { Clock, Engine } from "../../domain/ports.ts";
import { MemoryBroker } from "./broker.ts";
import { MemoryRegistry } from "./registry.ts";

export function memoryEngine(clock: Clock): Engine {
  return { name: "memory", broker: new MemoryBroker(clock), registry: new MemoryRegistry(clock) };
}
