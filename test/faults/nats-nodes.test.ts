/** Nodes that die, freeze or come back, on a real nats-server: whoever was there has left once, and whoever is there is there once. */

import { describe, expect, test } from "bun:test";
import { connect } from "@nats-io/transport-node";
import type { NatsSettings } from "../../packages/nats/src/settings.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { type NatsNode, natsSettingsFor, startNatsNode } from "../support/nats-node.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { type Holdings, startHolderOf } from "./holder.ts";
import { changes, nodesContract } from "./nodes-contract.ts";

const NODE_TIMEOUT_MS = 2_000;
const PATIENCE = { withinMs: 60_000, everyMs: 50 };
const TEST_MS = 180_000;

const server = await startNats();
const settings = () => natsSettingsFor([server], { nodeTimeoutMs: NODE_TIMEOUT_MS });
const startHolder = (same: NatsSettings, holdings: Partial<Holdings>) => startHolderOf("nats-node.ts", same, holdings);

nodesContract("NATS", {
  make: () => {
    const same = settings();
    return {
      start: () => startNatsNode(same),
      startHolder: (holdings) => startHolder(same, holdings),
      expectNothingLeft: async () => expect(await server.streams()).not.toContain(same.prefix),
    };
  },
  nodeTimeoutMs: NODE_TIMEOUT_MS,
  isReadAtOnce: false,
});

describe("nodes on one NATS", () => {
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
});

describe("a node that was frozen", () => {
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
      expect([changes(b, "joined"), changes(b, "left")]).toEqual([["1"], []]);
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
        expect(changes(node, "left")).toEqual([]);
      }
    },
    TEST_MS,
  );
});
