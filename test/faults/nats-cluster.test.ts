/** Three nats-servers that keep three copies: one may go, and one that sends its clients away or cuts a slow one loses nothing. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { type NatsServer, startNats, startNatsCluster } from "../support/nats.ts";
import { natsSettingsFor, startNatsNode } from "../support/nats-node.ts";
import { freePorts } from "../support/ports.ts";
import { startHolderOf } from "./holder.ts";
import { expectOrder, publishing } from "./publishing.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const TEST_MS = 240_000;
const KEEP = { size: 5_000, ttlMs: 600_000 };

test(
  "a cluster that loses any of its servers goes on within seconds, with all that it kept (scenario 20)",
  async () => {
    const servers = await startNatsCluster();
    // However long NATS takes to choose another leader: what waits comes, and nobody is taken for dead.
    const same = natsSettingsFor(servers, { publishWaitMs: 60_000, nodeTimeoutMs: 60_000 });
    const early = await startNatsNode(same);
    await eventually(() => expect(early.engine.health()).toEqual({ reachable: true }), PATIENCE);
    // The one that everything goes through, and then the others.
    const inOrder = await leaderFirst(servers, same.prefix);
    const nodes = await Promise.all(inOrder.map((server) => startNatsNode({ ...same, servers: [server.address] })));
    await early.engine.close();
    const [a, b, c] = nodes;
    const [leader] = inOrder;
    if (!a || !b || !c || !leader) throw new Error("three of each");
    for (const node of nodes) {
      await eventually(() => expect(node.engine.health()).toEqual({ reachable: true }), PATIENCE);
      await node.subscribe("room");
      await node.subscribe("presence-x");
    }
    await Promise.all(nodes.map((node, n) => node.join("presence-x", String(n))));
    const before = await a.publish("room", "0", KEEP);
    await eventually(() => expect(c.heard("room")).toEqual(["0"]), PATIENCE);
    await c.subscribe("kept");
    const run = publishing(b, "kept", 50, KEEP);
    await eventually(() => expect(c.heard("kept").length).toBeGreaterThan(0), PATIENCE);
    await leader.kill();
    const killed = performance.now();
    // It knew one server only, and learnt of the others from that one.
    await eventually(() => expect(a.engine.health().reachable).toBe(true), PATIENCE);
    await eventually(async () => expect(await a.publish("room", "1", KEEP)).toBeDefined(), PATIENCE);
    const tookMs = performance.now() - killed;
    // The copies choose a leader first, which takes NATS up to nine seconds; a slow machine has more time.
    expect(tookMs).toBeLessThan(40_000);
    // Where it was cut off itself at that moment, it knows that it has to look, and finds it.
    await eventually(
      () => expect([c.heard("room").at(-1) === "1", c.interruptions.length > 0]).toContain(true),
      PATIENCE,
    );
    const heardBefore = c.heard("kept").length;
    await eventually(() => expect(c.heard("kept").length).toBeGreaterThan(heardBefore), PATIENCE);
    await run.stop();
    expectOrder(c.heard("kept"));
    expect(run.refused).toEqual([]);
    const { events: kept } = await b.engine.broker.history("app", "kept", { limit: 5_000, direction: "newest" });
    expect(kept.map(({ publication }) => Number(publication.data))).toEqual(run.accepted);
    const page = await c.engine.broker.history("app", "room", {
      ...(before && { after: before }),
      limit: 100,
      direction: "oldest",
    });
    expect([page.complete, page.events.map(({ publication }) => publication.data)]).toEqual([true, ["1"]]);
    for (const node of nodes) {
      await eventually(async () => expect(await node.members("presence-x")).toEqual(["0", "1", "2"]), PATIENCE);
      expect(node.facts).toEqual([]);
    }
  },
  TEST_MS,
);

/** The stream's leader comes first. */
async function leaderFirst(servers: readonly NatsServer[], stream: string): Promise<readonly NatsServer[]> {
  const leader = await eventually(async () => {
    const found = await servers[0]?.leaderOf(stream);
    const server = servers.find(({ name }) => name === found);
    if (!server) throw new Error(`The stream has no leader, or an unknown one: ${found}`);
    return server;
  }, PATIENCE);
  return [leader, ...servers.filter((server) => server !== leader)];
}

test(
  "what is subscribed to at one server of a cluster is heard from another from then on (scenario 23)",
  async () => {
    const servers = await startNatsCluster();
    const same = natsSettingsFor(servers);
    const [a, b] = await Promise.all(
      servers.slice(0, 2).map((server) => startNatsNode({ ...same, servers: [server.address] })),
    );
    if (!a || !b) throw new Error("two nodes");
    for (const node of [a, b]) {
      await eventually(() => expect(node.engine.health()).toEqual({ reachable: true }), PATIENCE);
    }
    for (let round = 0; round < 200; round++) {
      await b.subscribe(`room-${round}`);
      await a.publish(`room-${round}`, "first");
    }
    for (let round = 0; round < 200; round++) {
      await eventually(() => expect(b.heard(`room-${round}`)).toEqual(["first"]), PATIENCE);
    }
  },
  TEST_MS,
);

test(
  "a server that is about to stop sends its nodes to the others, and nothing is lost (scenario 20)",
  async () => {
    const servers = await startNatsCluster();
    const same = natsSettingsFor(servers);
    const [leaving, other] = servers;
    if (!leaving || !other) throw new Error("three servers");
    const a = await startNatsNode({ ...same, servers: [leaving.address] });
    const b = await startNatsNode({ ...same, servers: [other.address] });
    for (const node of [a, b]) {
      await eventually(() => expect(node.engine.health()).toEqual({ reachable: true }), PATIENCE);
      await node.subscribe("kept");
    }
    const run = publishing(a, "kept", 20, KEEP);
    await eventually(() => expect(b.heard("kept").length).toBeGreaterThan(5), PATIENCE);
    await leaving.lameDuck();
    await eventually(() => expect(a.interruptions.length).toBeGreaterThan(0), PATIENCE);
    await eventually(() => expect(a.engine.health()).toEqual({ reachable: true }), PATIENCE);
    const before = b.heard("kept").length;
    await eventually(() => expect(b.heard("kept").length).toBeGreaterThan(before + 5), PATIENCE);
    await run.stop();
    expect(run.refused).toEqual([]);
    await eventually(() => expect(b.heard("kept").map(Number)).toEqual(run.accepted), PATIENCE);
  },
  TEST_MS,
);

test(
  "a node that was frozen under load is cut by NATS, comes back, and says that it missed something (scenario 21)",
  async () => {
    const [http = 0] = await freePorts(1);
    const limits = 'max_payload: 128KB\nmax_pending: 512KB\nwrite_deadline: "1s"';
    const server = await startNats({ more: `http: "127.0.0.1:${http}"\n${limits}` });
    const same = natsSettingsFor([server]);
    const a = await startNatsNode(same);
    const frozen = await startHolderOf("nats-node.ts", same, { rows: [["presence-x", "1", "c"]], channels: ["room"] });
    await a.publish("room", '"before"');
    await frozen.prints(/^heard "before"$/m);
    frozen.signal("SIGSTOP");
    const text = JSON.stringify("x".repeat(10_000));
    await eventually(async () => {
      await Promise.all(Array.from({ length: 100 }, () => a.publish("room", text)));
      expect(await (await fetch(`http://127.0.0.1:${http}/varz`)).json()).toMatchObject({ slow_consumers: 1 });
    }, PATIENCE);
    await eventually(async () => expect(await a.members("presence-x")).toEqual([]), PATIENCE);
    frozen.signal("SIGCONT");
    await frozen.prints(/^interrupted$/m);
    await eventually(async () => expect(await a.members("presence-x")).toEqual(["1"]), PATIENCE);
    await a.publish("room", '"after"');
    await frozen.prints(/^heard "after"$/m);
  },
  TEST_MS,
);
