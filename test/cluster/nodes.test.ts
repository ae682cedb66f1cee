/** The nodes of a cluster: who is listed where, where clients are sent, and what is said when Redis is gone. */

import { describe, expect, test } from "bun:test";
import type { NodeState } from "../../packages/server/src/domain/ports.ts";
import {
  destinationsOf,
  type NodeList,
  NodeLister,
  nodeListText,
  type Strategy,
} from "../../packages/server/src/server/cluster/node-list.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock, fakeApp } from "../support/fakes.ts";
import { connectPusher, sign, signedFetch } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import { startCluster, startNode } from "./cluster.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 100 };
const TEST_MS = 180_000;

const urlsOf = ({ nodes }: NodeList) => nodes.map(({ url }) => url);

function state(url: string | undefined, more: Partial<NodeState> = {}): NodeState {
  const own = { id: crypto.randomUUID(), name: "machine:1", startedAtMs: 0, connections: 0, lagMs: 0 };
  return { ...own, draining: false, silentMs: 0, ...(url !== undefined && { url }), ...more };
}

async function listed(url: string, query = ""): Promise<NodeList> {
  const answer = await fetch(`${url}/nodes${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as NodeList;
}

describe("nodes that clients are sent to (S20, S24, S43)", () => {
  const states = [
    state("wss://b.example", { connections: 5, lagMs: 1.6 }),
    state("wss://a.example/ws", { connections: 7 }),
    state("wss://c.example:9501", { connections: 1 }),
  ];
  const lister = (random: () => number, nodes = states) =>
    new NodeLister({ nodes: () => nodes }, new FakeClock(), random);
  const pick = async (from: NodeLister, strategy: Strategy) => urlsOf(await from.list(fakeApp(), strategy));

  test("come one after the other with round_robin", async () => {
    const from = lister(() => 0);
    const firsts: (string | undefined)[] = [];
    for (let n = 0; n < 4; n++) firsts.push((await pick(from, "round_robin"))[0]);
    expect(firsts).toEqual(["wss://a.example/ws", "wss://b.example", "wss://c.example:9501", "wss://a.example/ws"]);
    expect(await pick(from, "round_robin")).toEqual(["wss://b.example", "wss://c.example:9501", "wss://a.example/ws"]);
  });

  test("come in any order with random, and the emptiest first with least_connections", async () => {
    const from = lister(Math.random);
    const firsts = new Set<string | undefined>();
    for (let n = 0; n < 100; n++) firsts.add((await pick(from, "random"))[0]);
    expect(firsts.size).toBe(3);
    const emptiest = ["wss://c.example:9501", "wss://b.example", "wss://a.example/ws"];
    for (let n = 0; n < 5; n++) expect(await pick(from, "least_connections")).toEqual(emptiest);
  });

  test("are those that say where they are, live, and take clients; workers of one address count as one", () => {
    const machine = "wss://m.example";
    const found = destinationsOf([
      state(undefined),
      state("wss://stopping", { draining: true }),
      state("wss://full", { unready: true }),
      state("wss://silent", { silentMs: 4_000 }),
      state(machine, { connections: 2, lagMs: 3 }),
      state(machine, { connections: 3, lagMs: 1.4, silentMs: 900 }),
    ]);
    expect(found).toEqual([{ name: "m.example", url: machine, connections: 5, lagMs: 3 }]);
  });
});

describe("a cluster", async () => {
  const redis = await startRedis();
  const at = (name: string) => ({ nodeUrl: `wss://${name}.example` });
  const [one, other] = [await startNode(redis, at("one")), await startNode(redis, at("other"))];
  const hidden = await startNode(redis);

  test("lists its nodes for everybody, and signs the list with the app's secret", async () => {
    const client = await connectPusher(other.url);
    await eventually(async () => {
      const list = await listed(one.url, `?app=${APP.key}&strategy=least_connections`);
      expect(list.nodes).toEqual([
        { name: "one.example", url: "wss://one.example", connections: 0, lagMs: expect.any(Number) },
        { name: "other.example", url: "wss://other.example", connections: 1, lagMs: expect.any(Number) },
      ]);
      expect(list.strategy).toBe("least_connections");
      expect(list.expiresAt - Date.now() / 1000).toBeGreaterThan(20);
      expect(list.signature).toBe(sign(APP.secret, nodeListText(list)));
    }, PATIENCE);
    const firsts = [await listed(other.url), await listed(other.url)].map((list) => urlsOf(list)[0]);
    expect(firsts.toSorted()).toEqual(["wss://one.example", "wss://other.example"]);
    await client.close();
  });

  test("gives the same to a back end that signs its call", async () => {
    const answer = await signedFetch(hidden.url, APP, "GET", "/nodes", { query: { strategy: "random" } });
    const list = (await answer.json()) as NodeList;
    expect([answer.status, urlsOf(list).toSorted()]).toEqual([200, ["wss://one.example", "wss://other.example"]]);
    expect(list.signature).toBe(sign(APP.secret, nodeListText(list)));
    expect((await fetch(`${hidden.url}/apps/${APP.id}/nodes`)).status).toBe(401);
  });

  test("refuses a strategy that it does not know, an app, and any other method (S24)", async () => {
    const error = 'Invalid load balancing strategy "fastest": there are round_robin, random, least_connections.';
    const unknown = await fetch(`${one.url}/nodes?strategy=fastest`);
    expect([unknown.status, await unknown.json()]).toEqual([400, { error, code: "data_invalid" }]);
    const signed = await signedFetch(one.url, APP, "GET", "/nodes", { query: { strategy: "fastest" } });
    expect([signed.status, await signed.json()]).toEqual([400, { error, code: "data_invalid" }]);
    expect((await fetch(`${one.url}/nodes?app=nobody`)).status).toBe(404);
    expect((await fetch(`${one.url}/nodes`, { method: "POST" })).status).toBe(405);
    // Where it is not configured, the path is free for the program.
    expect((await fetch(`${hidden.url}/nodes`)).status).toBe(404);
    const own = await startServer({ ...at("x"), path: "/ws" });
    expect((await fetch(`${own.url}/ws/nodes`)).status).toBe(200);
  });

  test("tells of every node with its load, from any node (S44, S49)", async () => {
    const client = await connectPusher(other.url);
    await eventually(async () => {
      const { nodes } = await one.status();
      expect(nodes).toHaveLength(3);
      expect(nodes.map(({ url }) => url).toSorted()).toEqual(["wss://one.example", "wss://other.example", undefined]);
      expect(nodes.find(({ url }) => url === "wss://other.example")?.connections).toBe(1);
      for (const { silentMs, lagMs } of nodes) expect([silentMs < 5_000, lagMs >= 0]).toEqual([true, true]);
    }, PATIENCE);
    await client.close();
  });

  test(
    "sends nobody to a node that is draining or gone",
    async () => {
      const third = await startNode(redis, { ...at("third"), drainDelayS: 4 });
      await eventually(async () => expect(urlsOf(await listed(one.url))).toContain("wss://third.example"), PATIENCE);
      const stopped = third.stop();
      await eventually(async () => {
        expect(urlsOf(await listed(one.url))).not.toContain("wss://third.example");
        expect((await one.status()).nodes.find(({ url }) => url === "wss://third.example")?.draining).toBe(true);
      }, PATIENCE);
      await stopped;
      await eventually(async () => expect((await one.status()).nodes).toHaveLength(3), PATIENCE);
    },
    TEST_MS,
  );
});

test(
  "a node whose Redis is killed is not ready, sends nobody anywhere, and is ready again when Redis is back",
  async () => {
    const { redis, one, other } = await startCluster({ nodeUrl: "wss://here.example", publishWaitS: 1 });
    const [client, reader] = [await connectPusher(one.url), await connectPusher(other.url)];
    await reader.subscribe("c");
    const ready = async (url: string) => (await fetch(`${url}/ready`)).status;
    expect([await ready(one.url), await ready(other.url)]).toEqual([200, 200]);
    await redis.kill();
    for (const { url } of [one, other]) await eventually(async () => expect(await ready(url)).toBe(503), PATIENCE);
    const why = (await (await fetch(`${one.url}/ready`)).json()) as { reasons: { code: string }[] };
    expect(why.reasons.map(({ code }) => code)).toEqual(["engine_unavailable"]);
    expect((await fetch(`${one.url}/health`)).status).toBe(200);
    await Bun.sleep(1_100);
    const list = await fetch(`${one.url}/nodes`);
    expect([list.status, list.headers.get("retry-after")]).toEqual([503, "1"]);
    await client.ping();
    await redis.start();
    for (const { url } of [one, other]) await eventually(async () => expect(await ready(url)).toBe(200), PATIENCE);
    await eventually(async () => {
      await one.toChannel("c").push({ event: "back", data: 1 });
      expect((await reader.next("back", 1_000)).data).toBe("1");
    }, PATIENCE);
    await client.ping();
  },
  TEST_MS,
);
