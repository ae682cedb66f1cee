/** Who has a say before the fact, and in which order they are asked. */

import type { Logger } from "pino";
import type { Config } from "../config/schema.ts";
import type { Clock, Engine, Guard } from "../domain/ports.ts";
import { originGuard } from "../guards/origin.ts";
import { apiRateGuard } from "../guards/rate.ts";
import { replayGuard } from "../guards/replay.ts";
import { logGuard } from "../observers/log.ts";
import { type Memory, memoryGuard } from "./life/memory.ts";
import type { Panel } from "./panel/panel.ts";

interface Around {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  /** Asked after the origin, and before rates, replays and the program's hooks. */
  readonly tokens: Guard;
  readonly hooks: Guard;
}

export function guardsOf(around: Around, memory: Memory, panel: Panel, engine: Engine): Guard[] {
  const { config, clock } = around;
  const guards = [
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
  listensToMessages(guards, around);
  return guards;
}

/** Each guard costs every frame a little: the log looks at messages only where it shows them. */
export function listensToMessages(guards: Guard[], { config, log }: Around): void {
  const isWanted = config.log.level === "debug" || config.log.level === "trace";
  const at = guards.findIndex((guard) => listening.has(guard));
  if (isWanted === at >= 0) return;
  if (!isWanted) return void guards.splice(at, 1);
  const guard = logGuard(log);
  listening.add(guard);
  guards.unshift(guard);
}

const listening = new WeakSet<Guard>();
