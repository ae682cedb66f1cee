/** Who has a say before the fact, and in which order they are asked. */

import type { Config } from "../config/schema/schema.ts";
import type { Clock, Engine, Guard } from "../domain/ports.ts";
import { originGuard } from "../guards/origin.ts";
import { apiRateGuard } from "../guards/rate.ts";
import { replayGuard } from "../guards/replay.ts";
import type { Dashboard } from "./dashboard/dashboard.ts";
import { type MemoryMonitor, memoryGuard } from "./system/memory-monitor.ts";

interface Around {
  readonly config: Config;
  readonly clock: Clock;
  /** Asked after the origin, and before rates, replays and the program's hooks. */
  readonly tokens: Guard;
  readonly hooks: Guard;
}

export function guardsOf(around: Around, memory: MemoryMonitor, panel: Dashboard, engine: Engine): Guard[] {
  const { config, clock } = around;
  return [
    panel.guard,
    memoryGuard(memory),
    originGuard(),
    around.tokens,
    apiRateGuard(engine, clock),
    replayGuard({
      clock,
      windowS: config.signatureWindowS,
      ...(engine.name !== "memory" && { ledger: engine.ledger }),
    }),
    around.hooks,
  ];
}
