/** Which engine carries the server. */

import type { Clock, Engine } from "../domain/ports.ts";
import { memoryEngine } from "../engines/memory/engine.ts";

export function engineOf(clock: Clock): Engine {
  return memoryEngine(clock);
}

/** The engine that makes one server of several processes by itself; undefined where the first of them has to. */
export function clusterEngineOf(): Engine | undefined {
  return undefined;
}
