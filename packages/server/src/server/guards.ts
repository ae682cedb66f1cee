/** Which guards a serving process has, in the order in which they are asked. */

import type { Backend } from "../backend/backend.ts";
import type { Config } from "../config/schema/schema.ts";
import type { Clock, Engine, Guard } from "../domain/ports.ts";
import { apiRateGuard } from "../guards/api-rate-guard.ts";
import { originGuard } from "../guards/origin.ts";
import { replayGuard } from "../guards/replay.ts";
import type { Extensions } from "./embed/extensions.ts";
import type { Implementations } from "./implementations.ts";
import { type MemoryMonitor, memoryGuard } from "./system/memory-monitor.ts";

interface GuardOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly engine: Engine;
  readonly memory: MemoryMonitor;
  /** Comes first: a dashboard's frames concern no other guard. */
  readonly dashboard: Guard;
  readonly extensions: Extensions;
  readonly backend: Backend;
  readonly given: Implementations;
}

export function guardsFor(options: GuardOptions): Guard[] {
  const { config, clock, engine, memory, dashboard, extensions, backend, given } = options;
  return [
    dashboard,
    memoryGuard(memory),
    originGuard(),
    extensions.tokenGuard(backend),
    apiRateGuard(engine, clock),
    replayGuard({
      clock,
      windowS: config.signatureWindowS,
      ...(engine.name !== "memory" && { ledger: engine.ledger }),
    }),
    ...(given.guards ?? []),
    ...(extensions.handlers.declared ? [extensions.handlers.declared.guard] : []),
    extensions.hooks.guard,
  ];
}
