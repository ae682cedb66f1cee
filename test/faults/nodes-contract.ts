/** What nodes of one cluster owe each other when one is stopped, dies or freezes, run against every engine on its real server. */

import { describe, expect, test } from "bun:test";
import type { EngineNode } from "../../packages/server/testing/engine-node.ts";
import { eventually } from "../support/eventually.ts";
import type { CliProcess } from "../support/process.ts";
import { factsOf, type Holdings } from "./holder.ts";

const TEST_MS = 180_000;
const PATIENCE = { withinMs: 60_000, everyMs: 50 };
const CHANNEL = "presence-x";

/** A cluster of its own: nobody else is there. */
export interface Cluster {
  start(): Promise<EngineNode>;
  /** A node in a process of its own, which can be killed and frozen. */
  startHolder(holdings: Partial<Holdings>): Promise<CliProcess>;
  /** Nothing of this cluster is left in the engine's server. */
  expectNothingLeft(): Promise<void>;
}

export interface NodesOptions {
  readonly make: () => Cluster;
  readonly nodeTimeoutMs: number;
  /** Whether what one node has written is read by another at once, or a moment later. */
  readonly isReadAtOnce: boolean;
}

export function nodesContract(name: string, { make, nodeTimeoutMs, isReadAtOnce }: NodesOptions): void {
  const read = async (assertion: () => Promise<void>) => (isReadAtOnce ? assertion() : eventually(assertion, PATIENCE));
  const start = async (cluster: Cluster, count: number) => {
    const nodes: EngineNode[] = [];
    while (nodes.length < count) nodes.push(await cluster.start());
    return nodes;
  };
  const pairOf = async (cluster: Cluster) => [await cluster.start(), await cluster.start()] as const;

  describe(`nodes on one ${name}`, () => {
    test("see each other, with what each says of itself and how long it has been silent", async () => {
      const [a, b] = await pairOf(make());
      await read(async () => {
        const seen = await a.engine.nodes();
        expect(seen.map(({ id }) => id).sort()).toEqual([a.id, b.id].sort());
        for (const { silentMs, connections, memoryBytes } of seen) {
          expect([connections, memoryBytes]).toEqual([3, 5e6]);
          expect(silentMs).toBeLessThan(nodeTimeoutMs);
        }
      });
    });

    test("decide once in the cluster who is first and who is last", async () => {
      const nodes = await start(make(), 3);
      await Promise.all(nodes.map((node) => node.subscribe(CHANNEL)));
      const joined = await Promise.all(nodes.map((node, n) => node.join(CHANNEL, "1", `c${n}`)));
      expect(joined.filter(({ isFirst }) => isFirst)).toHaveLength(1);
      const left = await Promise.all(nodes.map((node, n) => node.leave(CHANNEL, "1", `c${n}`)));
      expect(left.filter(({ isLast }) => isLast)).toHaveLength(1);
      for (const node of nodes)
        await eventually(() => expect([changes(node, "joined"), changes(node, "left")]).toEqual([["1"], ["1"]]));
    });

    test("let in as many as fit, however many ask on different nodes at once", async () => {
      const cluster = make();
      const nodes = await start(cluster, 3);
      const row = (n: number) => ({
        app: "app",
        channel: CHANNEL,
        connection: `c${n}`,
        member: { id: `${n}`, info: n },
      });
      const asked = Array.from({ length: 30 }, (_, n) => nodes[n % 3]?.engine.registry.join(row(n), 10));
      const outcomes = await Promise.allSettled(asked);
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
      const [first] = await Promise.all(nodes.map((node) => node.members(CHANNEL)));
      expect(first).toHaveLength(10);
      for (const node of nodes) await read(async () => expect(await node.members(CHANNEL)).toEqual(first ?? []));
      expect(await (await cluster.start()).members(CHANNEL)).toEqual(first ?? []);
    });

    test("agree on which of several updates of a member was the last", async () => {
      const nodes = await start(make(), 3);
      await Promise.all(nodes.map((node) => node.subscribe(CHANNEL)));
      await Promise.all(nodes.map((node, n) => node.join(CHANNEL, "1", `c${n}`)));
      const updated = Array.from({ length: 60 }, (_, n) => {
        const said = n % 5 === 0 ? { info: { n } } : { state: String(n) };
        return nodes[n % 3]?.update(CHANNEL, { id: "1", ...said }, `c${n % 3}`);
      });
      expect(await Promise.all(updated)).toEqual(updated.map(() => true));
      const shown = async ({ engine }: EngineNode) => {
        const [member] = await engine.registry.members("app", CHANNEL);
        return { info: member?.info, state: member?.state };
      };
      const [first] = nodes;
      if (!first) throw new Error("Nodes were asked for.");
      await eventually(async () => {
        const last = await shown(first);
        for (const node of nodes) {
          expect(await shown(node)).toEqual(last);
          expect(lastUpdates(node)).toEqual(last);
        }
      }, PATIENCE);
    });

    test("share places, buckets and keys", async () => {
      const [a, b] = (await pairOf(make())).map(({ engine }) => engine.ledger);
      if (!a || !b) throw new Error("Two nodes were asked for.");
      const taken = await Promise.all(
        Array.from({ length: 40 }, (_, n) => (n % 2 ? a : b).acquire("app", `c${n}`, 15)),
      );
      expect(taken.filter(Boolean)).toHaveLength(15);
      const spent = await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? a : b).takeToken("calls", 5)));
      expect(spent.filter((wait) => wait === 0).length).toBeGreaterThanOrEqual(5);
      expect(spent.filter((wait) => wait === 0).length).toBeLessThan(20);
      const set = await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 ? a : b).setIfAbsent("key", 60_000)));
      expect(set.filter(Boolean)).toHaveLength(1);
      expect(await b.exists("key")).toBe(true);
    });

    test("leave nothing behind when they are stopped", async () => {
      const cluster = make();
      const [a, b] = await pairOf(cluster);
      for (const node of [a, b]) {
        await node.join(CHANNEL, "1", `of ${node.id}`);
        await node.engine.registry.setSubscriberCount("app", CHANNEL, 1);
        await node.engine.ledger.acquire("app", node.id, 10);
      }
      await a.engine.close();
      const summary = { name: CHANNEL, subscribers: 1, users: 1 };
      await read(async () => expect(await b.engine.registry.summary("app", CHANNEL)).toEqual(summary));
      expect(await b.members(CHANNEL)).toEqual(["1"]);
      await b.engine.close();
      await cluster.expectNothingLeft();
    });
  });

  describe(`a node on ${name} that is killed`, () => {
    test(
      "has left everywhere, once, and one of the others tells of it (scenario 1)",
      async () => {
        const cluster = make();
        const [b, c] = await pairOf(cluster);
        for (const node of [b, c]) await node.subscribe(CHANNEL);
        await b.join(CHANNEL, "both", "on b");
        await b.engine.registry.setSubscriberCount("app", "lively", 1);
        const a = await cluster.startHolder({
          rows: [
            [CHANNEL, "both", "on a"],
            [CHANNEL, "gone", "a2"],
            [CHANNEL, "gone", "a3"],
          ],
          tallies: [
            [CHANNEL, 3],
            ["room", 5],
            ["lively", 2],
          ],
          places: [["app", "a2"]],
        });
        await read(async () => expect(await b.members(CHANNEL)).toEqual(["both", "gone"]));
        await a.kill();
        await eventually(async () => expect(await b.members(CHANNEL)).toEqual(["both"]), PATIENCE);
        for (const node of [b, c]) await eventually(() => expect(changes(node, "left")).toEqual(["gone"]));
        await eventually(async () => expect(await c.engine.nodes()).toHaveLength(2), PATIENCE);
        const facts = [...b.facts, ...c.facts].map((fact) => `${fact.type} ${fact.channel}`).sort();
        // Of the channel that lives, the new number has to be told, by one of them.
        expect(facts).toEqual(["counted lively", `left ${CHANNEL}`, `vacated ${CHANNEL}`, "vacated room"]);
        expect(await c.engine.registry.channels("app", "")).toEqual([{ name: "lively", subscribers: 1 }]);
        await read(async () => expect(await c.engine.ledger.acquire("app", "another", 1)).toBe(true));
      },
      TEST_MS,
    );

    test(
      "has said the last word about a user, which counts for as long as the user is with another node",
      async () => {
        const cluster = make();
        const [b, c] = await pairOf(cluster);
        await b.subscribe(CHANNEL);
        await b.join(CHANNEL, "1", "on b");
        await b.update(CHANNEL, { id: "1", state: '"of b"' }, "on b");
        const a = await cluster.startHolder({
          rows: [[CHANNEL, "1", "on a"]],
          states: [[CHANNEL, "1", "on a", '"of a"']],
        });
        const states = async ({ engine }: EngineNode) =>
          (await engine.registry.members("app", CHANNEL)).map(({ id, state }) => [id, state]);
        for (const node of [b, c]) await read(async () => expect(await states(node)).toEqual([["1", '"of a"']]));
        await a.kill();
        await eventually(async () => expect(await c.engine.nodes()).toHaveLength(2), PATIENCE);
        const later = await cluster.start();
        for (const node of [b, c, later])
          await eventually(async () => expect(await states(node)).toEqual([["1", '"of a"']]), PATIENCE);
        expect(lastUpdates(b)).toEqual({ state: '"of a"' });
        await b.leave(CHANNEL, "1", "on b");
        await b.join(CHANNEL, "1", "again");
        for (const node of [b, c, later])
          await eventually(async () => expect(await states(node)).toEqual([["1", undefined]]), PATIENCE);
        await Promise.all([b, c, later].map(({ engine }) => engine.close()));
        await cluster.expectNothingLeft();
      },
      TEST_MS,
    );

    test(
      "leaves no ghosts where all were killed and one starts again (scenario 2)",
      async () => {
        const cluster = make();
        const held = { tallies: [["room", 2]], places: [["app", "x"]] } as const;
        const a = await cluster.startHolder({ ...held, rows: [[CHANNEL, "1", "a"]] });
        const b = await cluster.startHolder({ ...held, rows: [[CHANNEL, "2", "b"]] });
        await Promise.all([a.kill(), b.kill()]);
        const again = await cluster.start();
        await eventually(async () => expect(await again.members(CHANNEL)).toEqual([]), PATIENCE);
        await eventually(async () => expect(await again.engine.registry.channels("app", "")).toEqual([]), PATIENCE);
        await eventually(async () => expect(await again.engine.nodes()).toHaveLength(1), PATIENCE);
        await read(async () => expect(await again.engine.ledger.acquire("app", "another", 1)).toBe(true));
        await again.engine.close();
        await cluster.expectNothingLeft();
      },
      TEST_MS,
    );
  });

  test(
    `a node on ${name} that was frozen finds itself taken for dead, and comes back as another (scenario 3)`,
    async () => {
      const cluster = make();
      const b = await cluster.start();
      await b.subscribe(CHANNEL);
      const a = await cluster.startHolder({
        rows: [[CHANNEL, "1", "a"]],
        tallies: [[CHANNEL, 1]],
        places: [["app", "a"]],
      });
      a.signal("SIGSTOP");
      await eventually(async () => expect(await b.members(CHANNEL)).toEqual([]), PATIENCE);
      await eventually(() => expect(changes(b, "left")).toEqual(["1"]));
      a.signal("SIGCONT");
      await eventually(async () => expect(await b.members(CHANNEL)).toEqual(["1"]), PATIENCE);
      await eventually(() => expect(changes(b, "joined")).toEqual(["1", "1"]));
      const summary = { name: CHANNEL, subscribers: 1, users: 1 };
      await eventually(async () => expect(await b.engine.registry.summary("app", CHANNEL)).toEqual(summary));
      await eventually(() => expect(factsOf(a)).toContainEqual(expect.objectContaining({ type: "joined" })), PATIENCE);
      expect(factsOf(a)).toContainEqual({ type: "occupied", app: "app", channel: CHANNEL });
      await read(async () => expect(await b.engine.ledger.acquire("app", "another", 1)).toBe(false));
      await eventually(async () => expect(await b.engine.nodes()).toHaveLength(2), PATIENCE);
      await a.kill();
      await eventually(async () => expect(await b.members(CHANNEL)).toEqual([]), PATIENCE);
    },
    TEST_MS,
  );
}

/** What the node was told last of the member, part by part. */
function lastUpdates({ received }: EngineNode): { readonly info?: unknown; readonly state?: unknown } {
  const updates = received.flatMap((each) => (each.type === "updated" ? [each.member] : []));
  return Object.assign({}, ...updates.map(({ id: _, ...update }) => update));
}

/** Users in the order in which the node was told of their coming or going. */
export function changes(node: EngineNode, type: "joined" | "left", channel = CHANNEL): readonly string[] {
  return node.received.flatMap((each) => (each.type === type && each.channel === channel ? each.member.id : []));
}
