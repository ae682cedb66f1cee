/** Coming into a channel while the engine takes its time: nobody misses anything, and nothing of those who left remains. */

import { describe, expect, test } from "bun:test";
import type { Publication } from "../../packages/server/src/domain/message.ts";
import { AWAY, type Bench, type FakeClient, type LateBench, lateBench, settled } from "../support/fakes.ts";

const NOBODY_HERE = { apps: 0, connections: 0, channels: 0, users: 0 };

function publish({ hub, app }: Bench, channel: string, data: string) {
  return hub.publish(app, { type: "event", app: app.id, channel, event: "e", data });
}

function dataOf(client: FakeClient): readonly unknown[] {
  return client.seen.filter(({ type }) => type === "event").map(({ data }) => data);
}

async function isForgotten({ hub, engine, topics, app }: LateBench, channel: string): Promise<void> {
  await settled();
  expect(hub.nodeStats).toEqual(NOBODY_HERE);
  expect(await engine.inner.registry.members(app.id, channel)).toEqual([]);
  expect(await engine.inner.registry.summary(app.id, channel)).toBeUndefined();
  expect([...topics.sockets.values()].every((sockets) => sockets.size === 0)).toBe(true);
  const asked = engine.calls.filter((call) => call === `subscribe ${channel}`).length;
  expect(engine.calls.filter((call) => call === `unsubscribe ${channel}`)).toHaveLength(asked);
}

describe("subscribing", () => {
  test("is answered only when the broker delivers", async () => {
    const late = await lateBench();
    const client = late.open();
    late.engine.hold("subscribe");
    client.subscribe("room");
    await settled();
    expect(client.types).toEqual([]);
    await late.engine.release("subscribe");
    expect(client.types).toEqual(["subscribed"]);
  });

  test("misses nothing that is published after the answer, whenever that comes", async () => {
    const late = await lateBench();
    for (let round = 0; round < 100; round++) {
      const client = late.open();
      client.subscribe(`room-${round}`);
      while (client.seen.length === 0) await Promise.resolve();
      await publish(late, `room-${round}`, "after");
      await settled();
      expect(client.types).toEqual(["subscribed", "event"]);
    }
  });

  test("of a second client is not answered before the broker delivers either", async () => {
    const late = await lateBench();
    const [first, second] = [late.open(), late.open()];
    late.engine.hold("subscribe");
    first.subscribe("room");
    second.subscribe("room");
    await settled();
    expect([...first.types, ...second.types]).toEqual([]);
    await late.engine.release("subscribe");
    expect([...first.types, ...second.types]).toEqual(["subscribed", "subscribed"]);
    expect(late.engine.calls.filter((call) => call === "subscribe room")).toHaveLength(1);
  });

  test("is refused when the broker fails, and the next one asks the broker again", async () => {
    const late = await lateBench();
    const [first, second] = [late.open(), late.open()];
    late.engine.hold("subscribe");
    first.subscribe("room");
    second.subscribe("room");
    await settled();
    await late.engine.fail("subscribe", AWAY);
    for (const client of [first, second]) expect(client.seen).toMatchObject([{ type: "refused", error: AWAY.code }]);
    expect(late.hub.nodeStats.channels).toBe(0);
    first.subscribe("room");
    await settled();
    expect(first.types).toEqual(["refused", "subscribed"]);
    await publish(late, "room", "now");
    await settled();
    expect(dataOf(first)).toEqual(["now"]);
  });

  test("asks the broker again also when somebody still holds on to the failed subscription", async () => {
    const late = await lateBench();
    const [first, second] = [late.open(), late.open()];
    late.engine.hold("subscribe", "leave");
    // Its connection to the user's channel fails, and undoing it takes long.
    first.signIn("1");
    await settled();
    await late.engine.fail("subscribe", AWAY);
    second.signIn("1");
    await settled();
    expect(second.types).toEqual(["signed-in"]);
    await late.engine.release("leave");
    expect(first.types).toEqual(["refused"]);
    await late.hub.steering.terminate(late.app, "1");
    await settled();
    expect(second.socket.closedWith?.reason).toBe("terminated");
    expect(first.connection.closed).toBe(false);
  });

  test("is refused when the broker throws at once, too", async () => {
    const late = await lateBench();
    const client = late.open();
    const { subscribe } = late.engine.broker;
    late.engine.broker.subscribe = () => {
      throw AWAY;
    };
    client.subscribe("room");
    await settled();
    expect(client.seen).toMatchObject([{ type: "refused", error: AWAY.code }]);
    late.engine.broker.subscribe = subscribe;
    client.subscribe("room");
    await settled();
    expect(client.types).toEqual(["refused", "subscribed"]);
  });
});

describe("a presence channel", () => {
  test("tells the others before the newcomer hears, and the newcomer of everybody but itself", async () => {
    const late = await lateBench();
    const [ada, bob] = [late.open(), late.open()];
    ada.subscribe("presence-x", "ada");
    await settled();
    bob.subscribe("presence-x", "bob");
    await settled();
    expect(ada.types).toEqual(["subscribed", "joined"]);
    expect(bob.types).toEqual(["subscribed"]);
    expect(bob.seen[0]?.members).toMatchObject([{ id: "ada" }, { id: "bob" }]);
  });

  test("tells nobody of itself, even when the broker delivers long after the answer", async () => {
    const late = await lateBench();
    const [ada, bob] = [late.open(), late.open()];
    ada.subscribe("presence-x", "ada");
    await settled();
    late.engine.hold("receive");
    bob.subscribe("presence-x", "bob");
    await settled();
    expect(bob.types).toEqual(["subscribed"]);
    await late.engine.release("receive");
    expect(ada.types).toEqual(["subscribed", "joined"]);
    expect(bob.types).toEqual(["subscribed"]);
  });

  test("that is full refuses, and nothing remains of who was refused", async () => {
    const late = await lateBench();
    const small = { ...late.app, limits: { ...late.app.limits, presenceMembers: 1 } };
    const [ada, bob] = [late.open(small), late.open(small)];
    ada.subscribe("presence-x", "ada");
    await settled();
    bob.subscribe("presence-x", "bob");
    await settled();
    expect(bob.seen).toMatchObject([{ type: "refused", error: "channel_full" }]);
    expect(ada.types).toEqual(["subscribed"]);
    expect(late.engine.calls).not.toContain("leave bob presence-x");
    bob.vanish();
    ada.vanish();
    await isForgotten(late, "presence-x");
  });

  test.each([false, true])("whose registry fails leaves nobody in it (the row was written: %p)", async (written) => {
    const late = await lateBench();
    const [ada, bob] = [late.open(), late.open()];
    bob.subscribe("presence-x", "bob");
    await settled();
    late.engine.hold("join");
    ada.subscribe("presence-x", "ada");
    await settled();
    await late.engine.fail("join", AWAY, written);
    expect(ada.seen).toMatchObject([{ type: "refused", error: AWAY.code }]);
    expect(await late.engine.inner.registry.members(late.app.id, "presence-x")).toMatchObject([{ id: "bob" }]);
    expect(late.hub.localHolderCount(late.app, "presence-x")).toBe(1);
    ada.subscribe("presence-x", "ada");
    await settled();
    expect(ada.types).toEqual(["refused", "subscribed"]);
    ada.vanish();
    bob.vanish();
    await isForgotten(late, "presence-x");
  });
});

describe("a cache channel", () => {
  const keeping = async (late: LateBench, data: string) => {
    await publish(late, "cache-x", data);
    await settled();
  };

  test("gives the newcomer its last event, or says that there is none", async () => {
    const late = await lateBench();
    const early = late.open();
    early.subscribe("cache-x");
    await settled();
    expect(early.types).toEqual(["subscribed", "missed"]);
    await keeping(late, "1");
    const newcomer = late.open();
    newcomer.subscribe("cache-x");
    await settled();
    expect(newcomer.types).toEqual(["subscribed", "event"]);
    expect(dataOf(newcomer)).toEqual(["1"]);
  });

  test("gives a newer event in place of the stale one when it came in while the old one was fetched", async () => {
    const late = await lateBench();
    await keeping(late, "old");
    const stale = late.engine.inner.broker.history;
    const newcomer = late.open();
    // The answer is made before the newer event and arrives after it.
    late.engine.inner.broker.history = (...query) => {
      const page = stale.apply(late.engine.inner.broker, query);
      return Promise.resolve(publish(late, "cache-x", "new"))
        .then(settled)
        .then(() => page);
    };
    newcomer.subscribe("cache-x");
    await settled();
    await settled();
    expect(newcomer.types).toEqual(["subscribed", "event"]);
    expect(dataOf(newcomer)).toEqual(["new"]);
  });

  test("gives nobody an event twice whose delivery is still on its way, and nobody too little", async () => {
    const late = await lateBench();
    const early = late.open();
    early.subscribe("cache-x");
    await settled();
    late.engine.hold("receive");
    for (const data of ["1", "2"]) await keeping(late, data);
    const newcomer = late.open();
    newcomer.subscribe("cache-x");
    await settled();
    expect(dataOf(newcomer)).toEqual(["2"]);
    await keeping(late, "3");
    await late.engine.release("receive");
    await keeping(late, "4");
    expect(dataOf(early)).toEqual(["1", "2", "3", "4"]);
    expect(dataOf(newcomer)).toEqual(["2", "3", "4"]);
  });

  test("does not take what a client said for the event it keeps", async () => {
    const late = await lateBench();
    await keeping(late, "kept");
    const newcomer = late.open();
    late.engine.hold("history");
    newcomer.subscribe("cache-x");
    await settled();
    const from = { connection: "9.9" };
    const said: Publication = {
      type: "event",
      app: late.app.id,
      channel: "cache-x",
      event: "client-e",
      data: "said",
      from,
    };
    await late.hub.publish(late.app, said);
    await settled();
    await late.engine.release("history");
    expect(dataOf(newcomer)).toEqual(["kept"]);
  });

  test("that cannot say what it keeps refuses, and nothing remains", async () => {
    const late = await lateBench();
    const newcomer = late.open();
    late.engine.hold("history");
    newcomer.subscribe("presence-cache-x", "1");
    await settled();
    await late.engine.fail("history", AWAY);
    expect(newcomer.seen).toMatchObject([{ type: "refused", error: AWAY.code }]);
    newcomer.vanish();
    await isForgotten(late, "presence-cache-x");
  });
});

describe("a connection that closes while it joins", () => {
  const moments = ["subscribe", "join", "history"] as const;

  test.each(moments)("leaves nothing behind, when the engine was at its %s", async (moment) => {
    const late = await lateBench();
    const client = late.open();
    late.engine.hold(moment);
    client.subscribe("presence-cache-x", "1");
    await settled();
    expect(late.engine.held(moment)).toBe(1);
    client.vanish();
    await settled();
    await late.engine.release(moment);
    await isForgotten(late, "presence-cache-x");
    expect(client.types).toEqual([]);
  });

  test.each(moments)("leaves nothing behind, when the engine failed at its %s", async (moment) => {
    const late = await lateBench();
    const client = late.open();
    late.engine.hold(moment);
    client.subscribe("presence-cache-x", "1");
    await settled();
    client.vanish();
    await late.engine.fail(moment, AWAY, true);
    await isForgotten(late, "presence-cache-x");
  });

  test("is told to the others as one who came and went, or not at all", async () => {
    const late = await lateBench();
    const [ada, bob] = [late.open(), late.open()];
    ada.subscribe("presence-x", "ada");
    await settled();
    late.engine.hold("join");
    bob.subscribe("presence-x", "bob");
    await settled();
    bob.vanish();
    await late.engine.release("join");
    const about = ada.types.filter((type) => type === "joined" || type === "left");
    expect([[], ["joined", "left"]]).toContainEqual(about);
    expect(await late.engine.inner.registry.members(late.app.id, "presence-x")).toMatchObject([{ id: "ada" }]);
  });

  test("does not take along somebody else who joins at the same time", async () => {
    const late = await lateBench();
    const [gone, stays] = [late.open(), late.open()];
    late.engine.hold("subscribe");
    gone.subscribe("room");
    stays.subscribe("room");
    await settled();
    gone.vanish();
    await late.engine.release("subscribe");
    await publish(late, "room", "for who stays");
    await settled();
    expect(stays.types).toEqual(["subscribed", "event"]);
    expect(late.engine.calls).not.toContain("unsubscribe room");
  });
});

describe("leaving", () => {
  test("reports a registry that fails during close, and keeps no audience", async () => {
    const late = await lateBench();
    const client = late.open();
    client.subscribe("presence-x", "1");
    await settled();
    late.engine.hold("leave", "tally");
    client.vanish();
    await settled();
    await late.engine.fail("leave", AWAY);
    await late.engine.fail("tally", AWAY);
    expect(late.events.filter(({ type }) => type === "failed")).toHaveLength(2);
    expect(late.hub.nodeStats).toEqual(NOBODY_HERE);
    expect(late.engine.calls).toContain("unsubscribe presence-x");
  });

  test("and joining in quick alternation ends where the last command says", async () => {
    const late = await lateBench();
    const client = late.open();
    for (let round = 0; round < 50; round++) {
      client.subscribe("presence-x", "1");
      client.send({ type: "unsubscribe", channel: "presence-x" });
    }
    client.subscribe("presence-x", "1");
    for (let turn = 0; turn < 60; turn++) await settled();
    const pairs = Array.from({ length: 50 }, () => ["subscribed", "unsubscribed"]).flat();
    expect(client.types).toEqual([...pairs, "subscribed"]);
    expect(await late.engine.inner.registry.members(late.app.id, "presence-x")).toMatchObject([{ id: "1" }]);
    const told = late.events.map(({ type }) => type).filter((type) => ["joined", "left"].includes(type));
    expect(told).toEqual(Array.from({ length: 101 }, (_, n) => (n % 2 === 0 ? "joined" : "left")));
    client.vanish();
    await isForgotten(late, "presence-x");
  });

  test("of the last one leaves no tenant, no audience and no topic (B26)", async () => {
    const late = await lateBench();
    const clients = Array.from({ length: 20 }, () => late.open());
    for (const [n, client] of clients.entries()) {
      client.signIn(`user-${n % 5}`, ["user-1", "user-2", "user-1"]);
      client.subscribe(`presence-${n % 3}`, `user-${n % 5}`);
      client.subscribe("room");
    }
    for (let turn = 0; turn < 10; turn++) await settled();
    expect(late.hub.nodeStats).toEqual({ apps: 1, connections: 20, channels: 4 + 5, users: 5 });
    for (const client of clients) client.vanish();
    await settled();
    await isForgotten(late, "room");
    for (const channel of ["presence-0", "presence-1", "presence-2"]) await isForgotten(late, channel);
  });
});
