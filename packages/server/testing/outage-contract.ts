/** What an engine that can be unreachable has to do with publications meanwhile: for a real broker that goes away and comes back. */

import { CommandError } from "../src/engine.ts";
import type { EngineNode } from "./engine-node.ts";
import { eventually, sleep } from "./eventually.ts";
import type { TestRunner } from "./runner.ts";

/** How long and how much may wait. */
export interface PublishWait {
  readonly waitMs: number;
  readonly waitBytes: number;
}

/** A node that has started, ends with the test, and can lose its engine and get it back. */
export interface Outage {
  readonly node: EngineNode;
  leave(): Promise<void>;
  comeBack(): Promise<void>;
}

const KEEP = { size: 1_000, ttlMs: 60_000 };
const WITHIN = { withinMs: 60_000 };
const TEST_MS = 180_000;

export function outageContract(
  { describe, test, expect }: TestRunner,
  name: string,
  make: (wait: PublishWait) => Promise<Outage>,
): void {
  describe(`${name}, while its engine is away`, () => {
    for (const [kind, keep] of [
      ["without history", undefined],
      ["with history", KEEP],
    ] as const)
      test(
        `publications ${kind} wait, and come once and in order when it is back`,
        async () => {
          const { node, leave, comeBack } = await make({ waitMs: 30_000, waitBytes: 1_000_000 });
          await node.subscribe("room");
          await node.publish("room", "before", keep);
          await eventually(() => expect(node.heard("room")).toEqual(["before"]), WITHIN);
          await leave();
          const said = Array.from({ length: 50 }, (_, n) => String(n));
          const published = said.map((data) => node.publish("room", data, keep));
          const first = await Promise.race([published[0], sleep(300).then(() => "waits")]);
          expect(first).toBe("waits");
          await comeBack();
          await Promise.all(published);
          await node.publish("room", "after", keep);
          await eventually(() => expect(node.heard("room")).toEqual(["before", ...said, "after"]), WITHIN);
        },
        TEST_MS,
      );

    test(
      "what waits too long is refused as engine_unavailable, and never comes; what comes after is in order",
      async () => {
        const { node, leave, comeBack } = await make({ waitMs: 1_000, waitBytes: 1_000_000 });
        await node.subscribe("room");
        await leave();
        const began = performance.now();
        const refused = await Promise.all(["a", "b", "c"].map((data) => codeOf(node.publish("room", data))));
        expect(refused).toEqual(Array.from({ length: 3 }, () => "engine_unavailable"));
        expect(performance.now() - began).toBeGreaterThan(900);
        await comeBack();
        // The first may still be refused: it is not known at once that the engine is back.
        await eventually(async () => expect(await codeOf(node.publish("room", "probe"))).toBeUndefined(), WITHIN);
        const said = Array.from({ length: 50 }, (_, n) => String(n));
        await Promise.all(said.map((data) => node.publish("room", data)));
        const heard = () => node.heard("room").filter((data) => data !== "probe");
        await eventually(() => expect(heard().length).toBeGreaterThanOrEqual(said.length), WITHIN);
        expect(heard()).toEqual(said);
      },
      TEST_MS,
    );

    test(
      "what is more than may wait is refused at once, and there is room again when what waited is refused",
      async () => {
        const { node, leave } = await make({ waitMs: 2_000, waitBytes: 10_000 });
        await node.subscribe("room");
        await leave();
        const small = codeOf(node.publish("room", "small"));
        const began = performance.now();
        expect(await codeOf(node.publish("room", "x".repeat(10_000)))).toBe("engine_unavailable");
        expect(performance.now() - began).toBeLessThan(1_500);
        expect(await small).toBe("engine_unavailable");
        const later = performance.now();
        expect(await codeOf(node.publish("room", "y".repeat(9_000)))).toBe("engine_unavailable");
        expect(performance.now() - later).toBeGreaterThan(1_500);
      },
      TEST_MS,
    );
  });
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof CommandError ? error.code : error;
}
