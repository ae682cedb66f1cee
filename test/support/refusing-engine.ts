/** An engine that cannot be reached for a moment, whenever the test says so. */

import { CommandError, type EngineFactory } from "../../packages/server/src/engine.ts";
import { memoryEngine } from "../../packages/server/src/engines/memory/engine.ts";

/** `isAway` is asked for each publication with a key; what it refuses takes a moment, as it does where an engine is over a network. */
export function refusingEngine(isAway: () => boolean): EngineFactory {
  return ({ clock }) => {
    const engine = memoryEngine(clock);
    const publishOnce = engine.broker.publishOnce.bind(engine.broker);
    engine.broker.publishOnce = async (...publication) => {
      const isRefused = isAway();
      await Bun.sleep(1);
      if (isRefused) throw new CommandError("engine_unavailable", "The engine is away.");
      return publishOnce(...publication);
    };
    return engine;
  };
}
