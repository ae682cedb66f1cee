/** What nodes owe publishers and members while the server that their engine runs on is dead, run against every such engine, on the real thing. */

import { describe, expect, test } from "bun:test";
import type { EngineNode } from "../../packages/server/testing/engine-node.ts";
import { eventually } from "../support/eventually.ts";
import { scaled } from "../support/soak.ts";
import { changes } from "./nodes-contract.ts";
import { publishing, refusalOf } from "./publishing.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const TEST_MS = 180_000;
const KEEP = { size: 1_000, ttlMs: 60_000 };
const CHANNEL = "presence-x";
const DEAD_MS = scaled(2_500, 1_500);

/** A server of its own, without anything that outlives it, and nodes on it. */
export interface Ground {
  start(): Promise<EngineNode>;
  readonly server: { kill(): Promise<void>; start(): Promise<void> };
  /** Where the server is, as a node names it that cannot reach it. */
  readonly named: string;
}

export interface GroundOptions {
  /** How long a publication waits, and what is asked of the engine: the engine's default where not given. */
  readonly waitMs?: number;
}

export function serverDownContract(name: string, make: (options?: GroundOptions) => Promise<Ground>): void {
  describe(`while ${name} is dead for a few seconds`, () => {
    test.each([
      ["without history", undefined],
      ["with history", KEEP],
    ])(
      "publications %s wait, and arrive once and in order on every node, which is told again who is there (scenarios 11 and 20)",
      async (_, keep) => {
        const { server, start } = await make();
        const [a, b] = [await start(), await start()];
        for (const node of [a, b]) for (const channel of ["room", CHANNEL]) await node.subscribe(channel);
        await a.join(CHANNEL, "1");
        await b.join(CHANNEL, "2");
        await a.engine.registry.setSubscriberCount("app", CHANNEL, 1);
        await a.engine.ledger.acquire("app", "a", 10);
        const run = publishing(a, "room", 50, keep);
        await eventually(() => expect(b.heard("room").length).toBeGreaterThan(10), PATIENCE);
        await server.kill();
        await Bun.sleep(DEAD_MS);
        expect(a.engine.health()).toMatchObject({ reachable: false });
        const before = b.heard("room").length;
        await server.start();
        const backMs = performance.now();
        await eventually(() => expect(b.heard("room").length).toBeGreaterThan(before), PATIENCE);
        expect(performance.now() - backMs).toBeLessThan(scaled(2_000, 8_000));
        await Bun.sleep(300);
        await run.stop();
        expect(run.refused).toEqual([]);
        for (const node of [a, b]) {
          await eventually(() => expect(node.heard("room").map(Number)).toEqual(run.accepted), PATIENCE);
          expect(node.interruptions.length).toBeGreaterThan(0);
        }
        // It came back without its data, and is told again; nobody is told that anybody came or went.
        const late = await start();
        await eventually(async () => expect(await late.members(CHANNEL)).toEqual(["1", "2"]), PATIENCE);
        const summary = { subscribers: 1, users: 2 };
        await eventually(async () => expect(await b.engine.registry.summary("app", CHANNEL)).toMatchObject(summary));
        await eventually(async () => expect(await b.engine.ledger.acquire("app", "another", 1)).toBe(false), PATIENCE);
        for (const node of [a, b]) {
          expect([changes(node, "joined"), changes(node, "left")]).toEqual([["1", "2"], []]);
          // Whoever is first to write again may count too few, and counts once more.
          expect(node.facts.filter(({ type }) => type !== "counted")).toEqual([]);
        }
        expect(a.engine.health()).toEqual({ reachable: true });
      },
      TEST_MS,
    );

    test(
      "what a node is asked for is refused, and nothing of it comes later",
      async () => {
        const { server, start } = await make({ waitMs: 1_000 });
        const a = await start();
        await a.subscribe("room");
        await server.kill();
        await eventually(() => expect(a.engine.health().reachable).toBe(false));
        const beganMs = performance.now();
        const works = [
          a.publish("room", "early"),
          a.join(CHANNEL, "1"),
          a.engine.ledger.acquire("app", "a", 1),
          a.subscribe("other"),
        ];
        const codes = await Promise.all(works.map((work) => refusalOf(Promise.resolve(work))));
        expect(codes).toEqual(works.map(() => "engine_unavailable"));
        expect(performance.now() - beganMs).toBeLessThan(scaled(2_500, 5_000));
        await server.start();
        await eventually(async () => expect(await a.publish("room", "after")).toBeUndefined(), PATIENCE);
        await eventually(() => expect(a.heard("room")).toEqual(["after"]));
        expect(await a.members(CHANNEL)).toEqual([]);
      },
      TEST_MS,
    );

    test(
      "who leaves has left for everybody when it is back, and who stays is not announced",
      async () => {
        const { server, start } = await make({ waitMs: 500 });
        const [a, b] = [await start(), await start()];
        for (const node of [a, b]) await node.subscribe(CHANNEL);
        await a.join(CHANNEL, "goes", "a1");
        await a.join(CHANNEL, "elsewhere too", "a2");
        await b.join(CHANNEL, "elsewhere too", "b1");
        await server.kill();
        expect(await refusalOf(a.leave(CHANNEL, "goes", "a1"))).toBe("engine_unavailable");
        expect(await refusalOf(a.leave(CHANNEL, "elsewhere too", "a2"))).toBe("engine_unavailable");
        await server.start();
        for (const node of [a, b]) await eventually(() => expect(changes(node, "left")).toEqual(["goes"]), PATIENCE);
        await eventually(() =>
          expect(a.facts).toEqual([expect.objectContaining({ type: "left", member: { id: "goes" } })]),
        );
        expect(await b.members(CHANNEL)).toEqual(["elsewhere too"]);
        for (const node of [a, b]) expect(changes(node, "joined")).toEqual(["goes", "elsewhere too"]);
      },
      TEST_MS,
    );
  });

  test(
    `a node that starts while ${name} is down says so, and is there as soon as it is (scenario 16)`,
    async () => {
      const { server, start, named } = await make();
      await server.kill();
      const a = await start();
      expect(a.engine.health()).toMatchObject({ reachable: false });
      expect(JSON.stringify([a.engine.health(), a.failures])).toContain(named);
      const waiting = a.publish("room", "early");
      await server.start();
      await waiting;
      await eventually(() => expect(a.engine.health()).toEqual({ reachable: true }), PATIENCE);
      expect(await a.join(CHANNEL, "1")).toMatchObject({ isFirst: true });
    },
    TEST_MS,
  );
}
