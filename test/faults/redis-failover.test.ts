/** A Redis that is several servers, and loses one of them. */

import { describe, expect, test } from "bun:test";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { settingsFor, startRedisCluster, startSentinels } from "../support/redis.ts";
import { type RedisNode, startNode } from "../support/redis-node.ts";
import { scaled } from "../support/soak.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const TEST_MS = 180_000;
const KEEP = { size: 1_000, ttlMs: 60_000 };

/** Publishes one after the other until stopped; what was accepted. */
function publishing(node: RedisNode, channel: string, keep?: typeof KEEP) {
  const accepted: string[] = [];
  let isStopped = false;
  const run = (async () => {
    for (let number = 0; !isStopped; number++) {
      const data = String(number);
      await node.publish(channel, data, keep).then(
        () => accepted.push(data),
        (error) => expect(error).toBeInstanceOf(CommandError),
      );
      await Bun.sleep(20);
    }
  })();
  const stop = async () => {
    isStopped = true;
    await run;
  };
  return { accepted, stop };
}

describe("behind sentinels", () => {
  test(
    "the master dies, the replica takes over, and nobody is lost (scenario 14)",
    async () => {
      const { master, replica, ports } = await startSentinels();
      const sentinels = ports.map((port) => ({ host: "127.0.0.1", port }));
      const same = settingsFor({ type: "sentinel", sentinels, master: "mymaster" });
      const [a, b] = [await startNode(same), await startNode(same)];
      for (const node of [a, b]) await node.subscribe("room");
      await a.join("presence-x", "1", "on a");
      await b.join("presence-x", "2", "on b");
      const before = await a.publish("room", "first", KEEP);
      const run = publishing(a, "room", KEEP);
      await eventually(() => expect(b.heard("room").length).toBeGreaterThan(5), PATIENCE);
      await master.kill();
      await eventually(async () => expect(String(await replica.cli("ROLE"))).toStartWith("master"), PATIENCE);
      const failedOver = performance.now();
      const stuck = b.heard("room").length;
      await eventually(() => expect(b.heard("room").length).toBeGreaterThan(stuck + 5), PATIENCE);
      expect(performance.now() - failedOver).toBeLessThan(scaled(5_000, 20_000));
      await run.stop();
      for (const node of [a, b]) {
        await eventually(() => expect(node.heard("room").at(-1)).toBe(run.accepted.at(-1) ?? ""), PATIENCE);
        expect(new Set(node.heard("room")).size).toBe(node.heard("room").length);
        expect(node.interruptions.length).toBeGreaterThan(0);
        expect(node.engine.health()).toEqual({ reachable: true });
      }
      // The replica may not have had the last of them, so nothing from before counts as complete.
      expect(
        (
          await a.engine.broker.history("app", "room", {
            ...(before && { after: before }),
            limit: 10,
            direction: "oldest",
          })
        ).complete,
      ).toBe(false);
      await eventually(async () => expect(await b.members("presence-x")).toEqual(["1", "2"]), PATIENCE);
    },
    TEST_MS,
  );
});

describe("of a cluster", () => {
  test(
    "one of three masters dies: its channels wait, the others go on, and all is well when it is back",
    async () => {
      const servers = await startRedisCluster();
      const seeds = servers.map(({ port }) => ({ host: "127.0.0.1", port }));
      const same = settingsFor({ type: "cluster", seeds }, { publishWaitMs: 1_000, nodeTimeoutMs: 4_000 });
      const [a, b] = [await startNode(same), await startNode(same)];
      const channels = Array.from({ length: 30 }, (_, n) => `presence-${n}`);
      for (const node of [a, b]) await Promise.all(channels.map((channel) => node.subscribe(channel)));
      for (const channel of channels) await a.join(channel, "1", `on a ${channel}`);
      await servers[2]?.kill();
      const outcomes = await Promise.all(
        channels.map((channel) =>
          a.publish(channel, "while one is away").then(
            () => "heard",
            (error) => (error instanceof CommandError ? error.code : error),
          ),
        ),
      );
      expect(new Set(outcomes)).toEqual(new Set(["heard", "engine_unavailable"]));
      const reached = channels.filter((_, n) => outcomes[n] === "heard");
      const lost = channels.filter((channel) => !reached.includes(channel));
      for (const channel of reached) await eventually(() => expect(b.heard(channel)).toEqual(["while one is away"]));
      for (const channel of lost) expect(b.heard(channel)).toEqual([]);
      expect(a.engine.health().reachable).toBe(false);
      await servers[2]?.start();
      await eventually(() => expect(a.engine.health()).toEqual({ reachable: true }), PATIENCE);
      await eventually(() => expect(b.engine.health()).toEqual({ reachable: true }), PATIENCE);
      for (const channel of channels) {
        await eventually(async () => {
          await a.publish(channel, "after");
          expect(b.heard(channel)).toContain("after");
        }, PATIENCE);
        await eventually(async () => expect(await b.members(channel)).toEqual(["1"]), PATIENCE);
      }
      expect([...a.facts, ...b.facts]).toEqual([]);
      for (const channel of lost) expect(a.heard(channel)).not.toContain("while one is away");
    },
    TEST_MS,
  );

  test(
    "a slot moves to another master: whoever is in a channel of it hears on, and is told of the gap",
    async () => {
      const servers = await startRedisCluster();
      const seeds = servers.map(({ port }) => ({ host: "127.0.0.1", port }));
      const same = settingsFor({ type: "cluster", seeds });
      const [a, b] = [await startNode(same), await startNode(same)];
      const channels = Array.from({ length: 30 }, (_, n) => `room-${n}`);
      for (const node of [a, b]) await Promise.all(channels.map((channel) => node.subscribe(channel)));
      const [from, to] = servers;
      const idOf = async (at: typeof from) => String(await at?.cli("CLUSTER", "MYID"));
      const moved = Bun.spawnSync(
        [
          external("redis-cli"),
          "--cluster",
          "reshard",
          `127.0.0.1:${from?.port}`,
          "--cluster-from",
          await idOf(from),
        ].concat(["--cluster-to", await idOf(to), "--cluster-slots", "3000", "--cluster-yes"]),
      );
      expect(moved.exitCode).toBe(0);
      for (const channel of channels) {
        await eventually(async () => {
          await a.publish(channel, "after");
          for (const node of [a, b]) expect(node.heard(channel)).toContain("after");
        }, PATIENCE);
      }
      await eventually(() => expect(b.interruptions.length).toBeGreaterThan(0), PATIENCE);
    },
    TEST_MS,
  );
});
