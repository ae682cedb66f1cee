/** A NATS that dies, hangs, goes away or is full of nonsense: publications wait and come once, in order, or their publishers are told. */

import { describe, expect, test } from "bun:test";
import { connect, headers } from "@nats-io/transport-node";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { NatsNode, natsSettingsFor, startNatsNode } from "../support/nats-node.ts";
import { scaled } from "../support/soak.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { expectOrder, publishing, refusalOf } from "./publishing.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const TEST_MS = 180_000;
const KEEP = { size: 1_000, ttlMs: 60_000 };
const told = (node: NatsNode, type: "joined" | "left", channel = "presence-x") =>
  node.received.flatMap((each) => (each.type === type && each.channel === channel ? each.member.id : []));

describe("while NATS is dead for a few seconds", () => {
  test.each([
    ["without history", undefined],
    ["with history", KEEP],
  ])(
    "publications %s wait, and arrive once and in order on every node (scenario 20)",
    async (_, keep) => {
      const server = await startNats();
      const same = natsSettingsFor([server]);
      const [a, b] = [await startNatsNode(same), await startNatsNode(same)];
      for (const node of [a, b]) {
        await node.subscribe("room");
        await node.subscribe("presence-x");
      }
      await a.join("presence-x", "1");
      await b.join("presence-x", "2");
      await a.engine.registry.setSubscriberCount("app", "presence-x", 1);
      await a.engine.ledger.acquire("app", "a", 10);
      const run = publishing(a, "room", 50, keep);
      await eventually(() => expect(b.heard("room").length).toBeGreaterThan(10), PATIENCE);
      await server.kill();
      await Bun.sleep(2_500);
      expect(a.engine.health()).toMatchObject({ reachable: false });
      const before = b.heard("room").length;
      await server.start();
      const back = performance.now();
      await eventually(() => expect(b.heard("room").length).toBeGreaterThan(before), PATIENCE);
      expect(performance.now() - back).toBeLessThan(scaled(2_000, 8_000));
      await Bun.sleep(300);
      await run.stop();
      expect(run.refused).toEqual([]);
      for (const node of [a, b]) {
        await eventually(() => expect(node.heard("room").map(Number)).toEqual(run.accepted), PATIENCE);
        expect(node.interruptions.length).toBeGreaterThan(0);
      }
      // It came back without its data, and is told again; nobody is told that anybody came or went.
      const late = await startNatsNode(same);
      await eventually(async () => expect(await late.members("presence-x")).toEqual(["1", "2"]), PATIENCE);
      expect(await b.engine.registry.summary("app", "presence-x")).toMatchObject({ subscribers: 1, users: 2 });
      await eventually(async () => expect(await b.engine.ledger.acquire("app", "another", 1)).toBe(false), PATIENCE);
      for (const node of [a, b])
        expect([told(node, "joined"), told(node, "left"), node.facts]).toEqual([["1", "2"], [], []]);
      expect(a.engine.health()).toEqual({ reachable: true });
    },
    TEST_MS,
  );

  test(
    "what waited too long, or is too much, is refused and does not come later",
    async () => {
      const server = await startNats();
      const a = await startNatsNode(natsSettingsFor([server], { publishWaitMs: 3_000, publishWaitBytes: 10_000 }));
      await a.subscribe("room");
      await server.kill();
      await eventually(() => expect(a.engine.health().reachable).toBe(false));
      const began = performance.now();
      const small = a.publish("room", "small");
      expect(await refusalOf(a.publish("room", "x".repeat(10_000)))).toBe("engine_unavailable");
      expect(performance.now() - began).toBeLessThan(2_500);
      expect(await refusalOf(small)).toBe("engine_unavailable");
      expect(performance.now() - began).toBeGreaterThan(900);
      const others = [a.join("presence-x", "1"), a.engine.ledger.acquire("app", "a", 1), a.subscribe("other")];
      for (const code of await Promise.all(others.map((work) => refusalOf(Promise.resolve(work))))) {
        expect(code).toBe("engine_unavailable");
      }
      await server.start();
      await eventually(async () => expect(await a.publish("room", "after")).toBeUndefined(), PATIENCE);
      await eventually(() => expect(a.heard("room")).toEqual(["after"]));
      expect(await a.members("presence-x")).toEqual([]);
    },
    TEST_MS,
  );

  test(
    "who leaves has left for everybody when it is back, and whoever stays is not announced",
    async () => {
      const server = await startNats();
      const same = natsSettingsFor([server], { publishWaitMs: 500 });
      const [a, b] = [await startNatsNode(same), await startNatsNode(same)];
      for (const node of [a, b]) await node.subscribe("presence-x");
      await a.join("presence-x", "goes", "a1");
      await a.join("presence-x", "elsewhere too", "a2");
      await b.join("presence-x", "elsewhere too", "b1");
      await server.kill();
      expect(await refusalOf(a.leave("presence-x", "goes", "a1"))).toBe("engine_unavailable");
      expect(await refusalOf(a.leave("presence-x", "elsewhere too", "a2"))).toBe("engine_unavailable");
      await server.start();
      for (const node of [a, b]) await eventually(() => expect(told(node, "left")).toEqual(["goes"]), PATIENCE);
      await eventually(() => expect(a.facts).toEqual([expect.objectContaining({ type: "left" })]));
      expect(await b.members("presence-x")).toEqual(["elsewhere too"]);
      for (const node of [a, b]) expect(told(node, "joined")).toEqual(["goes", "elsewhere too"]);
    },
    TEST_MS,
  );
});

test(
  "a NATS that hangs is given up, and nothing that was sent again comes twice",
  async () => {
    const server = await startNats();
    const same = natsSettingsFor([server]);
    const [a, b] = [await startNatsNode(same), await startNatsNode(same)];
    for (const node of [a, b]) await node.subscribe("room");
    const runs = [publishing(a, "room", 20), publishing(a, "kept", 20, KEEP)];
    await b.subscribe("kept");
    await eventually(() => expect(b.heard("kept").length).toBeGreaterThan(5), PATIENCE);
    server.signal("SIGSTOP");
    await eventually(() => expect(a.engine.health().reachable).toBe(false), PATIENCE);
    server.signal("SIGCONT");
    await eventually(() => expect(a.engine.health().reachable).toBe(true), PATIENCE);
    await Bun.sleep(300);
    for (const run of runs) await run.stop();
    await b.publish("room", "1000000");
    await b.publish("kept", "1000000", KEEP);
    for (const [n, channel] of ["room", "kept"].entries()) {
      await eventually(() => expect(b.heard(channel)).toContain("1000000"), PATIENCE);
      expectOrder(b.heard(channel));
      expect(runs[n]?.refused).toEqual([]);
    }
    const { events: kept } = await b.engine.broker.history("app", "kept", undefined, 1_000);
    expect(kept.map(({ publication }) => Number(publication.data))).toEqual([...(runs[1]?.accepted ?? []), 1_000_000]);
  },
  TEST_MS,
);

test(
  "a node that starts while NATS is down says so, and is there as soon as NATS is",
  async () => {
    const server = await startNats();
    await server.kill();
    const node = await startNatsNode(natsSettingsFor([server]));
    expect(node.engine.health()).toMatchObject({ reachable: false });
    expect(node.failures.join()).toContain("NATS cannot be reached");
    const waiting = node.publish("room", "x");
    await server.start();
    await waiting;
    expect(node.engine.health()).toEqual({ reachable: true });
  },
  TEST_MS,
);

test.each([
  ["a wrong password", { type: "password", user: "fanfare", password: "hush-wrong" }],
  ["no password", undefined],
] as const)("with %s the node is not ready, and no secret is told", async (_, credentials) => {
  const server = await startNats({ more: 'authorization { user: fanfare, password: "hush-right" }' });
  const node = await startNatsNode(natsSettingsFor([server], credentials ? { credentials } : {}));
  const health = node.engine.health();
  expect(health).toMatchObject({ reachable: false });
  expect(JSON.stringify([health, node.failures])).not.toContain("hush");
  expect(JSON.stringify(health).toLowerCase()).toContain("authorization");
});

test("a password and a token open the door", async () => {
  const byPassword = await startNats({ more: 'authorization { user: fanfare, password: "hush" }' });
  const byToken = await startNats({ more: 'authorization { token: "hush" }' });
  const a = await startNatsNode(
    natsSettingsFor([byPassword], { credentials: { type: "password", user: "fanfare", password: "hush" } }),
  );
  const b = await startNatsNode(natsSettingsFor([byToken], { credentials: { type: "token", token: "hush" } }));
  expect([a.engine.health(), b.engine.health()]).toEqual([{ reachable: true }, { reachable: true }]);
});

test("a NATS without JetStream is no engine, which is said", async () => {
  const server = await startNats({ isPlain: true });
  const node = await startNatsNode(natsSettingsFor([server], { requestTimeoutMs: 500 }));
  await eventually(() => expect(JSON.stringify(node.engine.health()).toLowerCase()).toContain("jetstream"), PATIENCE);
});

test(
  "nonsense on the bus is counted and changes nothing (scenario 17)",
  async () => {
    const server = await startNats();
    const same = natsSettingsFor([server]);
    const node = await startNatsNode(same);
    await node.subscribe("room");
    await node.join("presence-x", "1");
    const nats = await connect({ servers: server.address });
    const { prefix } = same;
    const forged = headers();
    forged.set("Nats-Sequence", "999999");
    const texts = [
      "",
      "null",
      "[]",
      "{",
      '{"__proto__":{"polluted":1}}',
      '{"v":1,"s":"x","n":1,"i":[{"p":{"type":"event"}}]}',
    ];
    const bytes = [
      ...texts.map((text) => new TextEncoder().encode(text)),
      crypto.getRandomValues(new Uint8Array(1_000)),
    ];
    for (const payload of bytes) {
      for (const subject of [`${prefix}.o.c.app.room.e`, `${prefix}.o.c.app.room.k`, `${prefix}.o.r.x.m.app.room.1`]) {
        nats.publish(subject, payload);
        nats.publish(subject, payload, { headers: forged });
        // The stream takes it too, and tells it.
        nats.publish(subject.replace(".o.", ".s.o."), payload);
      }
    }
    await nats.flush();
    await node.publish("room", "still here");
    await eventually(() => expect(node.heard("room")).toEqual(["still here"]));
    expect(node.failures.length).toBeGreaterThan(10);
    expect(await node.members("presence-x")).toEqual(["1"]);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
    const late = await startNatsNode(same);
    expect(await late.members("presence-x")).toEqual(["1"]);
    await nats.close();
  },
  TEST_MS,
);

test("two prefixes on one NATS know nothing of each other (scenario 19)", async () => {
  const server = await startNats();
  const [a, b] = [await startNatsNode(natsSettingsFor([server])), await startNatsNode(natsSettingsFor([server]))];
  for (const node of [a, b]) await node.subscribe("room");
  await a.join("presence-x", "1");
  await a.publish("room", "of a");
  await b.publish("room", "of b");
  await eventually(() => expect([a.heard("room"), b.heard("room")]).toEqual([["of a"], ["of b"]]));
  expect(await b.members("presence-x")).toEqual([]);
  expect(await b.engine.nodes()).toHaveLength(1);
});

test(
  "what is subscribed to while NATS is being reached is heard",
  async () => {
    const server = await startNats();
    const same = natsSettingsFor([server]);
    const a = await startNatsNode(same);
    const wire = await startProxy(server.port);
    wire.slow(30);
    const b = new NatsNode({ ...same, servers: [`127.0.0.1:${wire.port}`] });
    atEnd(() => b.engine.close());
    const started = b.engine.start(b);
    const subscribed: Promise<void>[] = [];
    while (!b.engine.health().reachable) {
      subscribed.push(b.subscribe(`room-${subscribed.length}`));
      await Bun.sleep(5);
    }
    await Promise.all([started, ...subscribed]);
    const rooms = subscribed.map((_, n) => `room-${n}`);
    for (const room of rooms) await a.publish(room, "1");
    const deaf = () => rooms.filter((room) => b.heard(room).length === 0);
    await eventually(() => expect(deaf()).toEqual([]), PATIENCE);
  },
  TEST_MS,
);

test("who is where is read also while NATS makes no consumers", async () => {
  const users = [
    "{ user: usual, password: x }",
    '{ user: without, password: x, permissions: { publish: { deny: ["$JS.API.CONSUMER.>"] } } }',
  ];
  const server = await startNats({ more: `authorization { users: [${users.join(", ")}] }` });
  const as = (user: string) => ({ credentials: { type: "password", user, password: "x" } }) as const;
  const same = natsSettingsFor([server], as("usual"));
  const a = await startNatsNode(same);
  const there = Array.from({ length: 200 }, (_, n) => `u${n}`).sort();
  await Promise.all(there.map((user) => a.join("presence-x", user)));
  await Promise.all(there.splice(0, 50).map((user) => a.leave("presence-x", user)));
  const late = await startNatsNode({ ...same, ...as("without") });
  expect(late.engine.health()).toEqual({ reachable: true });
  expect(await late.members("presence-x")).toEqual(there);
});
