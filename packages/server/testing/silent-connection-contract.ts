/** What an engine has to do about a connection to its broker that answers and delivers nothing: for a real broker behind a proxy. */

import type { EngineNode } from "./engine-node.ts";
import { eventually, sleep } from "./eventually.ts";
import type { TestRunner } from "./runner.ts";

/** A node that has started, ends with the test, and reaches its broker through a proxy. */
export interface SilentConnection {
  readonly node: EngineNode;
  /** The connection that the node receives on delivers nothing from now on; requests on it may go unanswered. */
  silence(): void;
  restore(): void;
}

/** Two intervals, the time up to the first, and a busy machine's. */
const NOTICED = { withinMs: 15_000, everyMs: 20 };
const PATIENCE = { withinMs: 60_000, everyMs: 20 };
/** More than a connection lasts that is made again and delivers nothing either. */
const SILENT_FOR_MS = 5_000;
const TEST_MS = 180_000;

/** Each way in which it can be silent has a name. */
export function silentConnectionContract(
  { describe, test, expect }: TestRunner,
  name: string,
  ways: Readonly<Record<string, () => Promise<SilentConnection>>>,
): void {
  describe(`${name}, where the connection delivers nothing`, () => {
    for (const [way, make] of Object.entries(ways))
      test(
        `the node notices, is not ready until it receives again, and reports that it may have missed something: ${way}`,
        async () => {
          const { node, silence, restore } = await make();
          const isReachable = () => node.engine.health().reachable;
          await node.subscribe("room");
          await node.publish("room", "before");
          await eventually(() => expect(node.heard("room")).toEqual(["before"]), PATIENCE);
          expect(isReachable()).toBe(true);
          silence();
          const lost = node.publish("room", "lost").catch(() => {});
          await eventually(() => expect(isReachable()).toBe(false), NOTICED);
          const untilMs = performance.now() + SILENT_FOR_MS;
          while (performance.now() < untilMs) {
            expect(isReachable()).toBe(false);
            await sleep(20);
          }
          await lost;
          restore();
          await eventually(() => expect(isReachable()).toBe(true), PATIENCE);
          expect(node.interruptions.length).toBeGreaterThan(0);
          await node.publish("room", "after");
          await eventually(() => expect(node.heard("room").at(-1)).toBe("after"), PATIENCE);
        },
        TEST_MS,
      );
  });
}
