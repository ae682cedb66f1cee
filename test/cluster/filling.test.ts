/** A cluster that fills evenly: what each node's share is, and what a node says that is nearly full. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { NodeState } from "../../packages/server/src/domain/ports.ts";
import type { Server } from "../../packages/server/src/index.ts";
import { areEven, evenShares, type Place, placesOf } from "../../packages/server/src/server/cluster/cluster-shares.ts";
import { engineSettings } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { startFillingNode } from "./filling.ts";

setDefaultTimeout(120_000);

const PATIENCE = { withinMs: 60_000, everyMs: 100 };

describe("the even share", () => {
  const place = (connections: number, more: Partial<Place> = {}): Place => ({
    ...{ connections, movable: connections, onTheWay: 0, takes: true, limit: Number.POSITIVE_INFINITY },
    ...more,
  });
  const sharesOf = (...places: Place[]) => evenShares(places).map((share) => Math.round(share));

  test("is the same for all", () => {
    expect(sharesOf(place(300), place(150), place(0))).toEqual([150, 150, 150]);
    expect(sharesOf(place(7))).toEqual([7]);
    expect(sharesOf(place(0), place(0))).toEqual([0, 0]);
  });

  test("is no less than what cannot move, and the others share the rest", () => {
    expect(sharesOf(place(200, { movable: 0 }), place(100), place(0))).toEqual([200, 50, 50]);
    expect(sharesOf(place(200, { movable: 10 }), place(100), place(0))).toEqual([190, 55, 55]);
  });

  test("is no more than a node may have, nor than it has where it takes none", () => {
    expect(sharesOf(place(305), place(0, { limit: 100 }), place(0))).toEqual([105, 95, 105]);
    expect(sharesOf(place(300), place(20, { takes: false }), place(0))).toEqual([150, 20, 150]);
    expect(sharesOf(place(100, { limit: 100 }), place(100, { limit: 100 }))).toEqual([100, 100]);
  });

  test("counts those that are on their way, and is not reached before they are back", () => {
    const places = [place(100, { onTheWay: 50 }), place(100), place(50)];
    expect(evenShares(places).map(Math.round)).toEqual([100, 100, 100]);
    expect(areEven(places, evenShares(places))).toBe(false);
    const back = [place(100), place(109), place(92)];
    expect(areEven(back, evenShares(back))).toBe(true);
    expect(areEven([place(112), place(95), place(94)], [100, 100, 100])).toBe(false);
  });

  test("adds up, whatever the places are", () => {
    for (let n = 0; n < 2_000; n++) {
      const places = Array.from({ length: 1 + (n % 7) }, () => {
        const connections = Math.floor(Math.random() * 1_000);
        const movable = Math.floor(Math.random() * (connections + 1));
        return place(connections, { movable, takes: Math.random() < 0.8 });
      });
      const shares = evenShares(places);
      const sum = (numbers: readonly number[]) => numbers.reduce((all, number) => all + number, 0);
      expect(sum(shares)).toBeCloseTo(sum(places.map(({ connections }) => connections)), 3);
      for (const [at, { connections, movable }] of places.entries())
        expect(shares[at] ?? 0).toBeGreaterThanOrEqual(connections - movable);
    }
  });
});

describe("the nodes of a cluster", () => {
  const state = (id: string, more: Partial<NodeState> = {}): NodeState => ({
    ...{
      id,
      name: id,
      startedAtMs: 0,
      connections: 10,
      lagMs: 0,
      draining: false,
      silentMs: 100,
      connectionsLimit: 100,
    },
    ...more,
  });
  const answer = (id: string, connections: number, movable = connections) => ({
    id,
    connections,
    movable,
    onTheWay: 0,
  });

  test("count as one place where they share a port, the process without clients among them", () => {
    const workers = { portGroup: "m:1" };
    const states = [
      state("a", workers),
      state("b", workers),
      { ...state("primary", workers), connectionsLimit: undefined },
      state("c"),
    ] as NodeState[];
    const places = placesOf(states, [answer("a", 30), answer("b", 10, 5), answer("primary", 0), answer("c", 5)]);
    expect(places).toMatchObject([
      { connections: 40, movable: 35, limit: 200, takes: true },
      { connections: 5, movable: 5, limit: 100 },
    ]);
  });

  test("have no share while they drain or are silent; one that does not answer keeps what it has", () => {
    const states = [state("a"), state("b", { draining: true }), state("c", { silentMs: 9_000 }), state("d")];
    expect(placesOf(states, [answer("a", 7), answer("b", 7), answer("c", 7)])).toMatchObject([
      { connections: 7, movable: 7 },
      { connections: 10, movable: 0 },
    ]);
    expect(placesOf([state("a", { unready: true })], [answer("a", 7)])).toMatchObject([{ takes: false }]);
  });
});

describe("/ready", () => {
  const readyOf = async ({ url }: Server) => {
    const answer = await fetch(`${url}/ready`);
    const { reasons } = (await answer.json()) as { reasons?: readonly { code: string }[] };
    return { status: answer.status, reasons };
  };
  const connectMany = (node: Server, count: number) =>
    Promise.all(Array.from({ length: count }, () => connectNative(node.url)));

  test("is 503 at 95 % of the connections while another node has room, and 200 again at 85 %", async () => {
    const where = await engineSettings("redis");
    const config = { limits: { connections: 40 }, cluster: { rebalance: "manual" } } as const;
    const [one, other] = [await startFillingNode(where, config), await startFillingNode(where, config)];
    await eventually(async () => expect(await one.nodes()).toHaveLength(2), PATIENCE);
    const clients = await connectMany(one, 37);
    expect((await readyOf(one)).status).toBe(200);
    clients.push(...(await connectMany(one, 1)));
    await eventually(async () => expect((await readyOf(one)).status).toBe(503), PATIENCE);
    const { reasons } = await readyOf(one);
    expect(reasons).toMatchObject([{ code: "connections_full" }]);
    expect(JSON.stringify(reasons)).toContain("38 of at most 40");
    expect((await readyOf(other)).status).toBe(200);
    // It takes clients all the same: the rest is for those whose balancer has not looked.
    clients.push(...(await connectMany(one, 1)));
    await eventually(
      async () => expect((await other.nodes()).find(({ unready }) => unready)?.connections).toBe(39),
      PATIENCE,
    );
    await Promise.all(clients.splice(0, 4).map((client) => client.close()));
    await Bun.sleep(1_500);
    expect((await readyOf(one)).status).toBe(503);
    await Promise.all(clients.splice(0, 2).map((client) => client.close()));
    await eventually(async () => expect((await readyOf(one)).status).toBe(200), PATIENCE);
    await Promise.all([one.stop(), other.stop()]);
  });

  test("stays 200 where no other node has room, and where there is none", async () => {
    const where = await engineSettings("redis");
    const config = { limits: { connections: 20 }, cluster: { rebalance: "manual" } } as const;
    const one = await startFillingNode(where, config);
    await connectMany(one, 20);
    await Bun.sleep(1_500);
    expect((await readyOf(one)).status).toBe(200);
    const other = await startFillingNode(where, config);
    await eventually(async () => expect((await readyOf(one)).status).toBe(503), PATIENCE);
    await connectMany(other, 20);
    await eventually(async () => expect((await readyOf(one)).status).toBe(200), PATIENCE);
    expect((await readyOf(other)).status).toBe(200);
    await Promise.all([one.stop(), other.stop()]);
  });
});
