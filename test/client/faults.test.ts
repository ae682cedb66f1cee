/** The client while what it talks to dies: a node, its engine's server, each node in turn behind a load balancer. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Client } from "@fanfare/client";
import { startBalancer } from "../deploy/balancer.ts";
import { startBareProcess } from "../faults/process.ts";
import { configOf, engineSettings, startNode } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { freePorts } from "../support/ports.ts";
import { startRedis } from "../support/redis.ts";
import { listen, openClient, openPublisher, portOf, signedIn } from "./client-contract.ts";

setDefaultTimeout(180_000);

const PATIENCE = { withinMs: 90_000, everyMs: 50 };
const KEPT = "kept-room";

test("a client whose node is killed goes on at the next address: it missed nothing, and what it said is there once", async () => {
  const where = await engineSettings("redis");
  const [one, other] = [await startNode(where), await startNode(where)];
  const ports = [portOf(one.url), portOf(other.url)];
  const ada = openClient(ports, await signedIn("ada"));
  const bob = openClient(portOf(other.url), await signedIn("bob"));
  const [heard, his] = [listen(ada.channel(KEPT)), listen(bob.channel(KEPT))];
  await expectAttached(ada, bob);
  expect(portOf(ada.snapshot.url ?? "")).toBe(portOf(one.url));
  const published = [1, 2, 3].map((n) => ada.channel(KEPT).publish("message", n));
  await one.kill();
  published.push(ada.channel(KEPT).publish("message", 4));
  await bob.channel(KEPT).publish("message", "meanwhile");
  await Promise.all(published);
  await eventually(() => expect([heard, his]).toEqual([["meanwhile"], [1, 2, 3, 4]]), PATIENCE);
  expect(portOf(ada.snapshot.url ?? "")).toBe(portOf(other.url));
});

test.each([
  [
    "Redis",
    async () => {
      const redis = await startRedis();
      return {
        where: { engine: "redis" as const, redis: { port: redis.port } },
        kill: () => redis.kill(),
        start: () => redis.start(),
      };
    },
  ],
  [
    "NATS",
    async () => {
      const nats = await startNats();
      return {
        where: { engine: "nats" as const, nats: { servers: [nats.address] } },
        kill: () => nats.kill(),
        start: () => nats.start(),
      };
    },
  ],
])(
  "a client of nodes whose %s is killed with all that it kept is told of the gap, and all is well afterwards",
  async (_name, start) => {
    const { where, kill, start: startAgain } = await start();
    const [one, other] = [await startNode(where), await startNode(where)];
    const [ada, bob] = [
      openClient(portOf(one.url), await signedIn("ada")),
      openClient(portOf(other.url), await signedIn("bob")),
    ];
    const heard = listen(ada.channel(KEPT));
    const gaps: string[] = [];
    ada.channel(KEPT).onGap(({ reason }) => gaps.push(reason));
    bob.channel(KEPT).hold();
    await expectAttached(ada, bob);
    await bob.channel(KEPT).publish("message", "before");
    await eventually(() => expect(heard).toEqual(["before"]), PATIENCE);
    await kill();
    // They wait until the engine is back, and come in their order, although eight at a time are under way.
    const meanwhile = Array.from({ length: 20 }, (_, n) => n);
    const published = meanwhile.map((n) => bob.channel(KEPT).publish("message", n));
    await Bun.sleep(500);
    await startAgain();
    await Promise.all(published);
    await bob.channel(KEPT).publish("message", "after");
    await eventually(() => expect(heard.at(-1)).toBe("after"), PATIENCE);
    // Whoever missed something was told: nobody is left with less and thinks that it is all.
    const numbers = heard.filter((it) => typeof it === "number");
    expect(numbers.length === meanwhile.length || gaps.length > 0).toBe(true);
    expect(numbers).toEqual(meanwhile.filter((n) => numbers.includes(n)));
    expect([ada.snapshot.state, bob.snapshot.state]).toEqual(["connected", "connected"]);
  },
);

test("clients behind HAProxy miss nothing and say all once while each node in turn is restarted", async () => {
  const where = { ...(await engineSettings("redis")), ...configOf(), drainDelayS: 1 };
  const [one = 0, two = 0] = await freePorts(2);
  const start = (port: number) => startBareProcess({ port, config: where });
  let nodes = await Promise.all([one, two].map(start));
  const port = portOf(await startBalancer("HAProxy", [one, two]));
  const [ada, bob] = [openClient(port, await signedIn("ada")), openClient(port, await signedIn("bob"))];
  const gaps: string[] = [];
  ada.channel(KEPT).onGap(({ reason }) => gaps.push(reason));
  const heard = listen(ada.channel(KEPT));
  bob.channel(KEPT).hold();
  await expectAttached(ada, bob);
  const publisher = openPublisher(port);
  const said: unknown[] = [];
  let isOver = false;
  const saying = (async () => {
    for (let n = 0; !isOver; n++) {
      await (n % 2 === 0 ? bob.channel(KEPT).publish("message", n) : publisher.publish(KEPT, "message", n));
      said.push(n);
      await Bun.sleep(20);
    }
  })();
  for (const [at, node] of nodes.entries()) {
    await node.stop();
    const again = await start(node.port);
    nodes = nodes.with(at, again);
    await eventually(async () => expect((await fetch(`${again.url}/ready`)).status).toBe(200), PATIENCE);
    // The balancer has to have seen it, too.
    await Bun.sleep(1_000);
  }
  isOver = true;
  await saying;
  await eventually(() => expect([heard, gaps]).toEqual([said, []]), PATIENCE);
  expect(said.length).toBeGreaterThan(50);
});

async function expectAttached(...clients: readonly Client[]): Promise<void> {
  for (const client of clients)
    await eventually(() => expect(client.channel(KEPT).snapshot.state).toBe("attached"), PATIENCE);
}
