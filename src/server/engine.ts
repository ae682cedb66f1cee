/** Which engine carries the server. */

import type { Clock, Engine } from "../domain/ports.ts";
import { memoryEngine } from "../engines/memory/engine.ts";

export function engineOf(clock: Clock): Engine {
  return memoryEngine(clock);
}
