/** What every engine has to do about a connection to its broker that answers and delivers nothing, run against each of them, on the real thing. */

import { describe, expect, test } from "bun:test";
import type { EngineNode } from "../support/engine-node.ts";
import { eventually } from "../support/eventually.ts";

/** A node that has started, ends with the test, and hears its broker through a proxy. */
export interface Deafened {
  readonly node: EngineNode;
  /** All that the node listens on delivers nothing from now on; what it asks on the same connection may go unanswered. */
  deafen(): void;
  mend(): void;
}

/** Two intervals, the time up to the first, and a busy machine's. */
const NOTICED = { withinMs: 15_000, everyMs: 20 };
const PATIENCE = { withinMs: 60_000, everyMs: 20 };
/** More than a connection lasts that is made anew and delivers nothing either. */
const DEAF_FOR_MS = 5_000;
const TEST_MS = 180_000;

/** Each way in which it can be deaf has a name. */
export function deafContract(name: string, ways: Readonly<Record<string, () => Promise<Deafened>>>): void {
  describe(`${name}, where what a node listens on delivers nothing`, () => {
    test.each(Object.entries(ways))(
      "the node notices, is not ready until it hears again, and is told that it may have missed something: %s",
      async (_, make) => {
        const { node, deafen, mend } = await make();
        const isReachable = () => node.engine.health().reachable;
        await node.subscribe("room");
        await node.publish("room", "before");
        await eventually(() => expect(node.heard("room")).toEqual(["before"]), PATIENCE);
        expect(isReachable()).toBe(true);
        deafen();
        const lost = node.publish("room", "lost").catch(() => {});
        await eventually(() => expect(isReachable()).toBe(false), NOTICED);
        const untilMs = performance.now() + DEAF_FOR_MS;
        while (performance.now() < untilMs) {
          expect(isReachable()).toBe(false);
          await Bun.sleep(20);
        }
        await lost;
        mend();
        await eventually(() => expect(isReachable()).toBe(true), PATIENCE);
        expect(node.interruptions.length).toBeGreaterThan(0);
        await node.publish("room", "after");
        await eventually(() => expect(node.heard("room").at(-1)).toBe("after"), PATIENCE);
      },
      TEST_MS,
    );
  });
}
