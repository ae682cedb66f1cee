/** Nodes that die, freeze or come back, on a real Redis: whoever was there has left once, and whoever is there is there once. */

import { describe, expect, test } from "bun:test";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import type { RedisSettings } from "../../packages/server/src/engines/redis/settings.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { settingsFor, startRedis } from "../support/redis.ts";
import { startNode } from "../support/redis-node.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { changes, nodesContract } from "./nodes-contract.ts";
import { clockOf, factsOf, startHolder } from "./redis-process.ts";

const NODE_TIMEOUT_MS = 2_000;
const PATIENCE = { withinMs: 60_000, everyMs: 50 };
const TEST_MS = 180_000;

const server = await startRedis();
const settings = (more: Partial<RedisSettings> = {}) =>
  settingsFor(server.port, { nodeTimeoutMs: NODE_TIMEOUT_MS, ...more });
const keysOf = async ({ prefix }: RedisSettings) => await server.cli("KEYS", `${prefix}*`);

nodesContract("Redis", {
  make: () => {
    const same = settings();
    return {
      start: () => startNode(same),
      startHolder: (holdings) => startHolder(same, holdings),
      expectNothingLeft: async () => expect(await keysOf(same)).toEqual([]),
    };
  },
  nodeTimeoutMs: NODE_TIMEOUT_MS,
  isReadAtOnce: true,
});

describe("a node that is killed", () => {
  test(
    "is taken apart without holding Redis up, and to the end where its heir dies, too",
    async () => {
      const same = settings();
      const channels = Array.from({ length: 40 }, (_, n) => `presence-${n}`);
      const users = Array.from({ length: 200 }, (_, n) => `u${n}`);
      const rows = channels.flatMap((channel) => users.map((user) => [channel, user, `${channel} ${user}`] as const));
      // It takes nobody for dead before the other does.
      const witness = await startNode({ ...same, nodeTimeoutMs: 3 * NODE_TIMEOUT_MS });
      await Promise.all(channels.map((channel) => witness.subscribe(channel)));
      const left = () =>
        channels.flatMap((channel) => changes(witness, "left", channel).map((user) => `${channel} ${user}`));
      const dead = await startHolder(same, { rows });
      const heir = await startHolder(same, {});
      await server.cli("CONFIG", "RESETSTAT");
      witness.received.length = 0;
      await dead.kill();
      await eventually(() => expect(witness.received.length).toBeGreaterThan(0), { ...PATIENCE, everyMs: 1 });
      await heir.kill();
      const before = left().length;
      await eventually(() => expect(left().length).toBeGreaterThanOrEqual(rows.length), PATIENCE);
      expect(before).toBeLessThan(rows.length);
      expect(left().sort()).toEqual(rows.map(([, , connection]) => connection).sort());
      await eventually(async () => expect(await witness.engine.nodes()).toHaveLength(1), PATIENCE);
      // By many scripts, between which others have their turn. How long each took says more of the machine than of the script.
      const [, scripts] = /cmdstat_evalsha:calls=(\d+)/.exec(String(await server.cli("INFO", "commandstats"))) ?? [];
      expect(Number(scripts)).toBeGreaterThan(rows.length / 10);
      await witness.engine.close();
      expect(await keysOf(same)).toEqual([]);
    },
    TEST_MS,
  );
});

describe("nodes whose clocks are an hour apart", () => {
  test(
    "do not take each other for dead (scenario 9)",
    async () => {
      const same = settings();
      const b = await startNode(same);
      const a = await startHolder(same, { rows: [["presence-x", "1", "a"]] }, [external("faketime"), "-f", "+1h"]);
      const c = await startHolder(same, { rows: [["presence-x", "2", "c"]] }, [external("faketime"), "-f", "-1h"]);
      expect(clockOf(a) - clockOf(c)).toBeGreaterThan(7_000_000);
      await Bun.sleep(2 * NODE_TIMEOUT_MS);
      expect(await b.members("presence-x")).toEqual(["1", "2"]);
      expect(await b.engine.nodes()).toHaveLength(3);
      expect([...b.facts, ...factsOf(a), ...factsOf(c)]).toEqual([]);
      for (const { silentMs } of await b.engine.nodes()) expect(silentMs).toBeLessThan(NODE_TIMEOUT_MS);
    },
    TEST_MS,
  );
});

describe("a Redis that has lost its data", () => {
  test(
    "is told again by every node, and nobody is told that anybody came or went",
    async () => {
      const same = settings();
      const [a, b] = [await startNode(same), await startNode(same)];
      for (const node of [a, b]) await node.subscribe("presence-x");
      await a.join("presence-x", "1", "a");
      await b.join("presence-x", "2", "b");
      await b.join("presence-x", "1", "b1");
      await b.update("presence-x", { id: "1", state: '"b"' }, "b1");
      await a.update("presence-x", { id: "1", state: '"a"', info: { by: "a" } }, "a");
      await b.update("presence-x", { id: "2", state: "2" }, "b");
      await a.engine.registry.setSubscriberCount("app", "presence-x", 1);
      await b.engine.registry.setSubscriberCount("app", "presence-x", 1);
      await a.engine.ledger.acquire("app", "a", 10);
      await eventually(() => expect(changes(b, "joined")).toEqual(["1", "2"]));
      await server.cli("FLUSHALL");
      await eventually(async () => expect(await b.members("presence-x")).toEqual(["1", "2"]), PATIENCE);
      await eventually(async () =>
        expect(await a.engine.registry.summary("app", "presence-x")).toEqual({
          name: "presence-x",
          subscribers: 2,
          users: 2,
        }),
      );
      expect(await b.engine.ledger.acquire("app", "another", 1)).toBe(false);
      await eventually(async () =>
        expect(await a.engine.registry.members("app", "presence-x")).toMatchObject([
          { id: "1", info: { by: "a" }, state: '"a"' },
          { id: "2", state: "2" },
        ]),
      );
      for (const node of [a, b]) {
        expect(node.interruptions).toHaveLength(1);
        expect([changes(node, "joined"), changes(node, "left")]).toEqual([["1", "2"], []]);
      }
      // Whoever wrote first may have told too few, and both look again.
      for (const node of [a, b]) await eventually(() => expect(node.facts).not.toEqual([]), PATIENCE);
      for (const { type } of [...a.facts, ...b.facts]) expect(type).toBe("counted");
      // Others may not have written theirs again: that a user is gone is said a little later.
      await b.leave("presence-x", "1", "b1");
      await a.leave("presence-x", "1", "a");
      await eventually(() => expect(changes(b, "left")).toEqual(["1"]), PATIENCE);
      await eventually(() =>
        expect(a.facts).toContainEqual(expect.objectContaining({ type: "left", channel: "presence-x" })),
      );
    },
    TEST_MS,
  );
});

describe("a member that leaves while Redis is away", () => {
  test(
    "has left for everybody when Redis is back with its data",
    async () => {
      const same = settings({ commandTimeoutMs: 500 });
      const wire = await startProxy(server.port);
      const a = await startNode({ ...same, topology: { type: "server", at: { host: "127.0.0.1", port: wire.port } } });
      const b = await startNode(same);
      await b.subscribe("presence-x");
      await a.join("presence-x", "1");
      await a.engine.registry.setSubscriberCount("app", "presence-x", 1);
      wire.cut();
      expect(await codeOf(a.leave("presence-x", "1"))).toBe("engine_unavailable");
      expect(await codeOf(Promise.resolve(a.engine.registry.setSubscriberCount("app", "presence-x", 0)))).toBe(
        "engine_unavailable",
      );
      await a.engine.ledger.release("app", "nobody");
      wire.mend();
      await eventually(() => expect(changes(b, "left")).toEqual(["1"]), PATIENCE);
      await eventually(() => expect(a.facts.map(({ type }) => type).sort()).toEqual(["left", "vacated"]), PATIENCE);
      expect(await b.members("presence-x")).toEqual([]);
    },
    TEST_MS,
  );
});

test(
  "what a node has that is on no list is found and taken back",
  async () => {
    const same = settings({ nodeTimeoutMs: 600 });
    const a = await startNode(same);
    await a.subscribe("presence-x");
    const dead = await startHolder(same, { rows: [["presence-x", "1", "c"]] });
    await dead.kill();
    await server.cli("DEL", `${same.prefix}:v2:heartbeats`);
    await eventually(() => expect(changes(a, "left")).toEqual(["1"]), PATIENCE);
    await eventually(async () => expect(await a.engine.nodes()).toHaveLength(1), PATIENCE);
    await a.engine.close();
    expect(await keysOf(same)).toEqual([]);
  },
  TEST_MS,
);

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof CommandError ? error.code : error;
}
