/** A NATS that dies, hangs, goes away or is full of nonsense: publications wait and come once, in order, or their publishers get an error. */

import { expect, test } from "bun:test";
import { connect, headers } from "@nats-io/transport-node";
import { DEFAULTS } from "../../packages/nats/src/settings.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { NatsNode, natsSettingsFor, startNatsNode } from "../support/nats-node.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { expectOrder, publishing } from "./publishing.ts";
import { serverDownContract } from "./server-down-contract.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const TEST_MS = 180_000;
const KEEP = { size: 1_000, ttlMs: 60_000 };

serverDownContract("NATS", async ({ waitMs = DEFAULTS.publishWaitMs } = {}) => {
  const server = await startNats();
  const same = natsSettingsFor([server], { publishWaitMs: waitMs });
  return { server, start: () => startNatsNode(same), named: "NATS cannot be reached" };
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
    const { events: kept } = await b.engine.broker.history("app", "kept", { limit: 1_000, direction: "newest" });
    expect(kept.map(({ publication }) => Number(publication.data))).toEqual([...(runs[1]?.accepted ?? []), 1_000_000]);
  },
  TEST_MS,
);

test.each([
  ["a wrong password", { type: "password", user: "fanfare", password: "hush-wrong" }],
  ["no password", undefined],
] as const)("with %s the node is not ready, and no secret is in a message", async (_, credentials) => {
  const server = await startNats({ more: 'authorization { user: fanfare, password: "hush-right" }' });
  const node = await startNatsNode(natsSettingsFor([server], credentials ? { credentials } : {}));
  const health = node.engine.health();
  expect(health).toMatchObject({ reachable: false });
  expect(JSON.stringify([health, node.failures])).not.toContain("hush");
  expect(JSON.stringify(health).toLowerCase()).toContain("authorization");
});

test("a password and a token sign in", async () => {
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
