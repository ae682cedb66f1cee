/** An engine as the contract suites are given it, and the node that they put around it. */

import type { Engine, EngineHost } from "../src/engine.ts";

/** A fresh engine each time, empty, and how to let its time pass (for real where its clock is the machine's). */
export interface EngineUnderTest {
  readonly engine: Engine;
  pass(ms: number): Promise<void> | void;
}

export type MakeEngine = () => EngineUnderTest | Promise<EngineUnderTest>;

/** A node that only receives. */
export function engineHost(receive: EngineHost["receive"], more: Partial<EngineHost> = {}): EngineHost {
  const startedAtMs = Date.now();
  const id = crypto.randomUUID();
  return {
    receive,
    interrupted: () => {},
    registryChanged: () => {},
    report: () => ({ id, name: "test", startedAtMs, connections: 0, lagMs: 0, draining: false }),
    failed: (error, during) => console.error(during, error),
    ...more,
  };
}
