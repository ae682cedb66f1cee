/** What a back end does with connections, in the moments that no wire can be made to show: halfway into a channel, while a word is missed. */

import { expect, test } from "bun:test";
import type { Clock, Engine } from "../../packages/server/src/domain/ports.ts";
import { memoryEngine } from "../../packages/server/src/engines/memory/engine.ts";
import { nodeNumber } from "../../packages/server/src/hub/context.ts";
import { AWAY, bench, lateBench, settled } from "../support/fakes.ts";

const ROOM = "presence-room";
const GONE = { whose: { user: "1" }, channel: ROOM, message: "Out." };

test.each(["subscribe", "join", "history"] as const)(
  "who is kicked halfway into a channel does not get in (%s)",
  async (moment) => {
    const late = await lateBench();
    late.engine.hold(moment);
    const client = late.open();
    client.subscribe(moment === "history" ? "presence-cache-room" : ROOM, "1");
    await settled();
    const channel = moment === "history" ? "presence-cache-room" : ROOM;
    const reached = late.hub.steering.kick(late.app, { ...GONE, channel });
    await settled();
    await late.engine.release(moment);
    expect(await reached).toEqual({ connections: 1, nodesMissing: 0 });
    expect(client.seen).toMatchObject([{ type: "refused", error: "unauthorized" }]);
    expect(await late.engine.inner.registry.members(late.app.id, channel)).toEqual([]);
    expect(client.connection.entering).toBeUndefined();
    client.subscribe(channel, "1");
    await settled();
    expect(client.types.at(-1)).toBe(moment === "history" ? "missed" : "subscribed");
  },
);

test("who is banned while on the way in, before anybody could find the connection, does not get in", async () => {
  const slow = Promise.withResolvers<void>();
  const { hub, app, open } = await bench({
    more: { guards: [{ command: () => slow.promise.then(() => undefined) }] },
  });
  const client = open();
  client.subscribe(ROOM, "1");
  const bannedUntilMs = hub.clock.wallMs() + 60_000;
  expect(await hub.steering.kick(app, { ...GONE, bannedUntilMs })).toMatchObject({ connections: 0 });
  slow.resolve();
  await settled();
  expect(client.seen).toMatchObject([{ type: "refused", error: "unauthorized" }]);
});

test("a ban is over at its time", async () => {
  const { hub, app, open, clock } = await bench();
  await hub.steering.kick(app, { ...GONE, bannedUntilMs: clock.wallMs() + 60_000 });
  const client = open();
  client.subscribe(ROOM, "1");
  await settled();
  clock.pass(60_000);
  client.subscribe(ROOM, "1");
  await settled();
  expect(client.types).toEqual(["refused", "subscribed"]);
});

test("without a ban in the app no subscription asks the engine, and with one each is asked about", async () => {
  const late = await lateBench();
  const asked = () => late.engine.calls.filter((call) => call.startsWith("history")).length;
  const subscribe = async (user: string) => {
    late.open().subscribe(ROOM, user);
    await settled();
  };
  await subscribe("1");
  expect(asked()).toBe(0);
  await late.hub.steering.kick(late.app, { ...GONE, whose: { user: "9" }, bannedUntilMs: late.clock.wallMs() + 1_000 });
  await subscribe("2");
  expect(asked()).toBe(1);
  late.clock.pass(1_000);
  await subscribe("3");
  expect(asked()).toBe(1);
});

test("what a client sends after it was kicked waits until the cluster knows, and is then as good as before", async () => {
  const late = await lateBench();
  const client = late.open();
  client.subscribe(ROOM, "1");
  await settled();
  late.engine.hold("leave");
  const reached = late.hub.steering.kick(late.app, GONE);
  await settled();
  client.subscribe(ROOM, "1");
  await settled();
  expect(client.types).toEqual(["subscribed", "unsubscribed"]);
  await late.engine.release("leave");
  await reached;
  expect(client.types).toEqual(["subscribed", "unsubscribed", "subscribed"]);
  expect(await late.engine.inner.registry.members(late.app.id, ROOM)).toHaveLength(1);
});

test("a node that is listed and does not answer is counted after the time for it, and the others' count with it", async () => {
  const { hub, app, open, clock } = await bench({
    engine: withStranger,
  });
  const client = open();
  client.subscribe(ROOM, "1");
  await settled();
  let reached: unknown;
  void hub.steering.kick(app, GONE).then((answer) => {
    reached = answer;
  });
  await settled();
  expect(client.types).toEqual(["subscribed", "unsubscribed"]);
  clock.pass(4_900);
  hub.sweep();
  await settled();
  expect(reached).toBeUndefined();
  clock.pass(200);
  hub.sweep();
  await settled();
  expect(reached).toEqual({ connections: 1, nodesMissing: 1 });
});

test("what a node missed while it was away it does as soon as another tells it, once", async () => {
  const late = await lateBench();
  const { hub, app, engine } = late;
  const clients = [late.open(), late.open()];
  for (const client of clients) client.subscribe(ROOM, "1");
  await settled();
  // Another node knows of it, and this one answers nobody else.
  const act = { type: "kick", code: "kicked", ...GONE };
  const stranger = nodeNumber("stranger");
  const answerAs = (id: number) =>
    hub.nodeBus.receive({
      type: "event",
      app: "#nodes",
      channel: `#node-${hub.nodeBus.number}`,
      event: "answer",
      data: JSON.stringify({ type: "answer", id, from: stranger, answer: [{ id: "7.1", app: app.id, act }] }),
    });
  engine.inner.nodes = () => [{ ...REPORT, id: "stranger", connections: 0, silentMs: 0 }];
  for (const round of [1, 2]) {
    engine.host?.interrupted();
    hub.sweep();
    await settled();
    answerAs(round);
    await settled();
    expect(clients.map(({ types }) => types.filter((type) => type === "unsubscribed").length)).toEqual([1, 1]);
    for (const client of clients) client.subscribe(ROOM, "1");
    await settled();
  }
});

test("where no node can be told, the caller hears it, and nothing is half done", async () => {
  const late = await lateBench();
  const client = late.open();
  client.subscribe(ROOM, "1");
  await settled();
  late.engine.hold("publish");
  const reached = late.hub.steering.kick(late.app, GONE).catch(({ code }) => code);
  await settled();
  await late.engine.fail("publish", AWAY);
  expect(await reached).toBe(AWAY.code);
  expect(client.types).toEqual(["subscribed"]);
});

const REPORT = { name: "bench", startedAtMs: 0, lagMs: 0, draining: false };

/** Another node is listed, which never answers. */
function withStranger(clock: Clock): Engine {
  const engine = memoryEngine(clock);
  const nodes = engine.nodes.bind(engine);
  engine.nodes = async () => [...(await nodes()), { ...REPORT, id: "stranger", connections: 0, silentMs: 0 }];
  return engine;
}
