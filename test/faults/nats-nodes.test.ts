/** Nodes that die, freeze or come back, on a real nats-server: whoever was there has left once, and whoever is there is there once. */

import { describe, expect, test } from "bun:test";
import { connect } from "@nats-io/transport-node";
import type { NatsSettings } from "../../packages/nats/src/settings.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { type NatsNode, natsSettingsFor, startNatsNode } from "../support/nats-node.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { factsOf, type Holdings, startHolderOf } from "./holder.ts";

const NODE_TIMEOUT_MS = 2_000;
const PATIENCE = { withinMs: 60_000, everyMs: 50 };
const TEST_MS = 180_000;

const server = await startNats();
const settings = () => natsSettingsFor([server], { nodeTimeoutMs: NODE_TIMEOUT_MS });
const startHolder = (same: NatsSettings, holdings: Partial<Holdings>) => startHolderOf("nats-node.ts", same, holdings);
const told = (node: NatsNode, type: "joined" | "left", channel = "presence-x") =>
  node.received.flatMap((each) => (each.type === type && each.channel === channel ? each.member.id : []));

describe("nodes on one NATS", () => {
  test("see each other, with what each says of itself and how long it has been silent", async () => {
    const same = settings();
    const [a, b] = [await startNatsNode(same), await startNatsNode(same)];
    await eventually(async () => {
      const seen = await a.engine.nodes();
      expect(seen.map(({ id }) => id).sort()).toEqual([a.id, b.id].sort());
      for (const { connections, memoryBytes } of seen) expect([connections, memoryBytes]).toEqual([3, 5e6]);
      for (const { silentMs } of seen) expect(silentMs).toBeLessThan(NODE_TIMEOUT_MS);
    });
  });

  test("hear what any of them publishes in the same order, comings and goings and what is kept included", async () => {
    const same = settings();
    const nodes = [await startNatsNode(same), await startNatsNode(same), await startNatsNode(same)];
    await Promise.all(nodes.map((node) => node.subscribe("presence-x")));
    const keep = { size: 1_000, ttlMs: 60_000 };
    const work = nodes.flatMap((node, n) =>
      Array.from({ length: 200 }, async (_, m) => {
        await Bun.sleep(m);
        if (m % 10 === 0) await node.join("presence-x", `${n}-${m}`);
        else await node.publish("presence-x", `${n}-${m}`, m % 3 === 0 ? keep : undefined);
        if (m % 20 === 0) await node.leave("presence-x", `${n}-${m}`);
      }),
    );
    await Promise.all(work);
    const heard = (node: NatsNode) => node.received.map((each) => JSON.stringify({ ...each, except: undefined }));
    const all = 3 * (200 + 10);
    for (const node of nodes) await eventually(() => expect(heard(node)).toHaveLength(all), PATIENCE);
    for (const node of nodes.slice(1)) expect(heard(node)).toEqual(heard(nodes[0] ?? node));
  });

  test("decide once in the cluster who is first and who is last", async () => {
    const same = settings();
    const nodes = [await startNatsNode(same), await startNatsNode(same), await startNatsNode(same)];
    await Promise.all(nodes.map((node) => node.subscribe("presence-x")));
    const joined = await Promise.all(nodes.map((node, n) => node.join("presence-x", "1", `c${n}`)));
    expect(joined.filter(({ isFirst: first }) => first)).toHaveLength(1);
    const left = await Promise.all(nodes.map((node, n) => node.leave("presence-x", "1", `c${n}`)));
    expect(left.filter(({ isLast: last }) => last)).toHaveLength(1);
    for (const node of nodes)
      await eventually(() => expect([told(node, "joined"), told(node, "left")]).toEqual([["1"], ["1"]]));
  });

  test("let in as many as fit, however many ask on different nodes at once", async () => {
    const same = settings();
    const nodes = [await startNatsNode(same), await startNatsNode(same), await startNatsNode(same)];
    const row = (n: number) => ({
      app: "app",
      channel: "presence-x",
      connection: `c${n}`,
      member: { id: `${n}`, info: n },
    });
    const asked = Array.from({ length: 30 }, (_, n) => nodes[n % 3]?.engine.registry.join(row(n), 10));
    const outcomes = await Promise.allSettled(asked);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
    const [first] = await Promise.all(nodes.map((node) => node.members("presence-x")));
    expect(first).toHaveLength(10);
    for (const node of nodes)
      await eventually(async () => expect(await node.members("presence-x")).toEqual(first ?? []));
    const late = await startNatsNode(same);
    expect(await late.members("presence-x")).toEqual(first ?? []);
  });

  test(
    "know of each other from the start, however much comes and goes while they start",
    async () => {
      // However long a word takes: nobody is cut off.
      const same = { ...settings(), requestTimeoutMs: 30_000, nodeTimeoutMs: 60_000, publishWaitMs: 60_000 };
      const a = await startNatsNode(same);
      const users = Array.from({ length: 3_000 }, (_, n) => `u${n}`);
      await Promise.all(users.map((user) => a.join("presence-x", user)));
      const leaving = Promise.all(users.slice(0, 2_000).map((user) => a.leave("presence-x", user)));
      const late = await startNatsNode(same);
      await leaving;
      await eventually(async () => expect(await late.members("presence-x")).toEqual(users.slice(2_000).sort()));
      expect([a.interruptions, late.interruptions, late.failures]).toEqual([[], [], []]);
    },
    TEST_MS,
  );

  test("share places, buckets and keys", async () => {
    const same = settings();
    const [a, b] = [(await startNatsNode(same)).engine.ledger, (await startNatsNode(same)).engine.ledger];
    const taken = await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? a : b).acquire("app", `c${n}`, 15)));
    expect(taken.filter(Boolean)).toHaveLength(15);
    const spent = await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? a : b).takeToken("calls", 5)));
    expect(spent.filter((wait) => wait === 0).length).toBeGreaterThanOrEqual(5);
    expect(spent.filter((wait) => wait === 0).length).toBeLessThan(20);
    const noted = await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 ? a : b).setIfAbsent("key", 60_000)));
    expect(noted.filter(Boolean)).toHaveLength(1);
    expect(await b.exists("key")).toBe(true);
  });

  test("leave nothing behind when they are stopped", async () => {
    const same = settings();
    const [a, b] = [await startNatsNode(same), await startNatsNode(same)];
    for (const node of [a, b]) {
      await node.join("presence-x", "1", `of ${node.id}`);
      await node.engine.registry.setSubscriberCount("app", "presence-x", 1);
      await node.engine.ledger.acquire("app", node.id, 10);
    }
    await a.engine.close();
    await eventually(async () =>
      expect(await b.engine.registry.summary("app", "presence-x")).toEqual({
        name: "presence-x",
        subscribers: 1,
        users: 1,
      }),
    );
    expect(await b.members("presence-x")).toEqual(["1"]);
    await b.engine.close();
    expect(await server.streams()).not.toContain(same.prefix);
  });
});

describe("a node that is killed", () => {
  test(
    "has left everywhere, once, and one of the others tells of it (scenario 1)",
    async () => {
      const same = settings();
      const [b, c] = [await startNatsNode(same), await startNatsNode(same)];
      for (const node of [b, c]) await node.subscribe("presence-x");
      await b.join("presence-x", "both", "on b");
      await b.engine.registry.setSubscriberCount("app", "lively", 1);
      const a = await startHolder(same, {
        rows: [
          ["presence-x", "both", "on a"],
          ["presence-x", "gone", "a2"],
          ["presence-x", "gone", "a3"],
        ],
        tallies: [
          ["presence-x", 3],
          ["room", 5],
          ["lively", 2],
        ],
        places: [["app", "a2"]],
      });
      await eventually(async () => expect(await b.members("presence-x")).toEqual(["both", "gone"]));
      await a.kill();
      await eventually(async () => expect(await b.members("presence-x")).toEqual(["both"]), PATIENCE);
      for (const node of [b, c]) await eventually(() => expect(told(node, "left")).toEqual(["gone"]));
      await eventually(async () => expect(await c.engine.nodes()).toHaveLength(2), PATIENCE);
      const facts = [...b.facts, ...c.facts].map((fact) => `${fact.type} ${fact.channel}`).sort();
      // Of the channel that lives, the new number has to be told, by one of them.
      expect(facts).toEqual(["counted lively", "left presence-x", "vacated presence-x", "vacated room"]);
      expect(await c.engine.registry.channels("app", "")).toEqual([{ name: "lively", subscribers: 1 }]);
      await eventually(async () => expect(await c.engine.ledger.acquire("app", "another", 1)).toBe(true), PATIENCE);
    },
    TEST_MS,
  );

  test(
    "leaves no ghosts where all were killed and one starts again (scenario 2)",
    async () => {
      const same = settings();
      const held = { tallies: [["room", 2]], places: [["app", "x"]] } as const;
      const a = await startHolder(same, { ...held, rows: [["presence-x", "1", "a"]] });
      const b = await startHolder(same, { ...held, rows: [["presence-x", "2", "b"]] });
      await Promise.all([a.kill(), b.kill()]);
      const again = await startNatsNode(same);
      await eventually(async () => expect(await again.members("presence-x")).toEqual([]), PATIENCE);
      await eventually(async () => expect(await again.engine.registry.channels("app", "")).toEqual([]), PATIENCE);
      await eventually(async () => expect(await again.engine.nodes()).toHaveLength(1), PATIENCE);
      await eventually(async () => expect(await again.engine.ledger.acquire("app", "another", 1)).toBe(true), PATIENCE);
    },
    TEST_MS,
  );
});

describe("a node that was frozen", () => {
  test(
    "finds itself taken for dead, and comes back as another (scenario 3)",
    async () => {
      const same = settings();
      const b = await startNatsNode(same);
      await b.subscribe("presence-x");
      const a = await startHolder(same, {
        rows: [["presence-x", "1", "a"]],
        tallies: [["presence-x", 1]],
        places: [["app", "a"]],
      });
      a.signal("SIGSTOP");
      await eventually(async () => expect(await b.members("presence-x")).toEqual([]), PATIENCE);
      await eventually(() => expect(told(b, "left")).toEqual(["1"]));
      a.signal("SIGCONT");
      await eventually(async () => expect(await b.members("presence-x")).toEqual(["1"]), PATIENCE);
      await eventually(() => expect(told(b, "joined")).toEqual(["1", "1"]));
      await eventually(async () =>
        expect(await b.engine.registry.summary("app", "presence-x")).toEqual({
          name: "presence-x",
          subscribers: 1,
          users: 1,
        }),
      );
      await eventually(() => expect(factsOf(a)).toContainEqual(expect.objectContaining({ type: "joined" })), PATIENCE);
      expect(factsOf(a)).toContainEqual({ type: "occupied", app: "app", channel: "presence-x" });
      await eventually(async () => expect(await b.engine.ledger.acquire("app", "another", 1)).toBe(false), PATIENCE);
      await eventually(async () => expect(await b.engine.nodes()).toHaveLength(2), PATIENCE);
      await a.kill();
      await eventually(async () => expect(await b.members("presence-x")).toEqual([]), PATIENCE);
    },
    TEST_MS,
  );

  test(
    "comes back as another also where it lost NATS before it heard of its end",
    async () => {
      const same = settings();
      const b = await startNatsNode(same);
      const wire = await startProxy(server.port);
      const a = await startHolder(
        { ...same, servers: [`127.0.0.1:${wire.port}`] },
        { rows: [["presence-x", "1", "a"]], tallies: [["presence-x", 1]] },
      );
      a.signal("SIGSTOP");
      wire.swallow("answers");
      await eventually(async () => expect(await b.members("presence-x")).toEqual([]), PATIENCE);
      const nats = await connect({ servers: server.address });
      const written = nats.subscribe(`${same.prefix}.o.r.*.n`);
      a.signal("SIGCONT");
      for await (const word of written) if (!word.string().includes(b.id)) break;
      wire.mend();
      await nats.close();
      await eventually(async () => expect(await b.members("presence-x")).toEqual(["1"]), PATIENCE);
      const summary = { name: "presence-x", subscribers: 1, users: 1 };
      await eventually(
        async () => expect(await b.engine.registry.summary("app", "presence-x")).toEqual(summary),
        PATIENCE,
      );
      const late = await startNatsNode(same);
      expect([await late.members("presence-x"), await late.engine.nodes()]).toEqual([
        ["1"],
        expect.objectContaining({ length: 3 }),
      ]);
    },
    TEST_MS,
  );

  test(
    "takes nobody for dead when it wakes, however long it slept",
    async () => {
      const same = natsSettingsFor([server], { nodeTimeoutMs: 1_500 });
      const b = await startNatsNode(same);
      await b.subscribe("presence-x");
      await b.join("presence-x", "1");
      const a = await startHolder(same, { channels: ["presence-x"] });
      for (const sleptMs of [1_700, 2_300]) {
        a.signal("SIGSTOP");
        await Bun.sleep(sleptMs);
        a.signal("SIGCONT");
        const isHeard = ({ id, silentMs }: { id: string; silentMs: number }) => id !== b.id && silentMs < 500;
        await eventually(async () => expect((await b.engine.nodes()).some(isHeard)).toBe(true), PATIENCE);
      }
      await a.kill();
      await eventually(async () => expect(await b.engine.nodes()).toHaveLength(1), PATIENCE);
      expect([told(b, "joined"), told(b, "left")]).toEqual([["1"], []]);
    },
    TEST_MS,
  );
});

describe("a NATS that stood still", () => {
  test(
    "was no silence of nodes",
    async () => {
      const still = await startNats();
      const same = natsSettingsFor([still], { nodeTimeoutMs: 800 });
      const nodes = await Promise.all([startNatsNode(same), startNatsNode(same), startNatsNode(same)]);
      for (const [n, node] of nodes.entries()) {
        await node.subscribe("presence-x");
        await node.join("presence-x", `${n}`);
      }
      still.signal("SIGSTOP");
      await Bun.sleep(1_300);
      still.signal("SIGCONT");
      await Promise.all(nodes.map((node) => node.publish("presence-x", "after")));
      await Bun.sleep(1_000);
      for (const node of nodes) {
        expect(await node.engine.nodes()).toHaveLength(3);
        expect(told(node, "left")).toEqual([]);
      }
    },
    TEST_MS,
  );
});
