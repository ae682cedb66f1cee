/** The engine that needs nothing: one process, its own memory. */

import type { Clock, Engine, EngineHealth, EngineHost, NodeState } from "../../domain/ports.ts";
import { MemoryBroker } from "./broker.ts";
import { MemoryLedger } from "./ledger.ts";
import { MemoryRegistry } from "./registry.ts";

const PRUNE_EVERY_MS = 30_000;

export function memoryEngine(clock: Clock): Engine {
  return new MemoryEngine(clock);
}

class MemoryEngine implements Engine {
  readonly name = "memory";
  readonly broker: MemoryBroker;
  readonly registry: MemoryRegistry;
  readonly ledger: MemoryLedger;
  #host: EngineHost | undefined;
  #pruning: ReturnType<typeof setInterval> | undefined;

  constructor(clock: Clock) {
    this.broker = new MemoryBroker(clock);
    this.registry = new MemoryRegistry(clock, (publication) => void this.broker.publish(publication));
    this.ledger = new MemoryLedger(clock);
  }

  start(host: EngineHost): void {
    this.#host = host;
    this.broker.start((publication) => host.receive(publication));
    this.#pruning = setInterval(() => {
      this.broker.prune();
      this.ledger.prune();
    }, PRUNE_EVERY_MS);
    this.#pruning.unref?.();
  }

  health(): EngineHealth {
    return { reachable: true };
  }

  nodes(): readonly NodeState[] {
    return this.#host ? [{ ...this.#host.report(), silentMs: 0 }] : [];
  }

  close(): void {
    clearInterval(this.#pruning);
    this.broker.close();
    this.registry.close();
    this.ledger.close();
    this.#host = undefined;
  }
}
