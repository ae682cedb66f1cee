/** Signing in and watching while the engine takes its time. */

import { describe, expect, test } from "bun:test";
import { Connection } from "../../packages/server/src/domain/connection.ts";
import type { User } from "../../packages/server/src/domain/message.ts";
import { connect } from "../../packages/server/src/hub/connect.ts";
import { AWAY, type Bench, bench, FakeSocket, lateBench, plainProtocol, settled } from "../support/fakes.ts";

const NOBODY_HERE = { apps: 0, connections: 0, channels: 0, users: 0 };

test.each(["subscribe", "join"] as const)(
  "a connection that closes while it signs in leaves nothing behind (%s)",
  async (moment) => {
    const late = await lateBench();
    const { engine, app, hub } = late;
    const watcher = late.open();
    watcher.signIn("watcher", ["1"]);
    await settled();
    engine.hold(moment);
    const client = late.open();
    client.signIn("1");
    await settled();
    client.vanish();
    await settled();
    await engine.release(moment);
    expect(await engine.inner.registry.members(app.id, "#online-1")).toEqual([]);
    expect(hub.nodeStats).toMatchObject({ connections: 1, users: 1 });
    const told = watcher.seen.filter(({ type }) => type === "watch").slice(1);
    expect(told.map(({ online }) => online)).toEqual(told.length === 0 ? [] : [["1"], []]);
    watcher.vanish();
    await settled();
    expect(hub.nodeStats).toEqual(NOBODY_HERE);
  },
);

test("a connection that closed before its proof was checked is never taken for the user's", async () => {
  const slow = Promise.withResolvers<void>();
  const made = await bench({ more: { guards: [{ command: () => slow.promise.then(() => undefined) }] } });
  const client = made.open();
  client.signIn("1", ["2", "3"]);
  client.vanish();
  slow.resolve();
  await settled();
  expect(made.hub.nodeStats).toEqual(NOBODY_HERE);
});

test("a failed sign-in is refused, and the next one is not taken for a repetition", async () => {
  const late = await lateBench();
  const [client, watcher] = [late.open(), late.open()];
  watcher.signIn("watcher", ["1"]);
  await settled();
  late.engine.hold("join");
  client.signIn("1");
  await settled();
  await late.engine.fail("join", AWAY);
  expect(client.seen).toMatchObject([{ type: "refused", error: AWAY.code }]);
  expect(late.hub.nodeStats.users).toBe(1);
  client.signIn("1");
  await settled();
  expect(client.types).toEqual(["refused", "signed-in"]);
  expect(await late.engine.inner.registry.members(late.app.id, "#online-1")).toHaveLength(1);
  expect(watcher.seen.at(-1)).toMatchObject({ type: "watch", online: ["1"] });
});

test("a user terminated while signing in is out, and stays out", async () => {
  const late = await lateBench();
  const client = late.open();
  late.engine.hold("join");
  client.signIn("1");
  await settled();
  await late.hub.steering.terminate(late.app, "1");
  await settled();
  expect(client.socket.closedWith?.reason).toBe("terminated");
  await late.engine.release("join");
  expect(await late.engine.inner.registry.members(late.app.id, "#online-1")).toEqual([]);
  expect(late.hub.nodeStats).toEqual(NOBODY_HERE);
});

test("signing in again as the same user is harmless, as another is refused", async () => {
  const made = await bench();
  const client = made.open();
  client.signIn("1");
  client.signIn("1");
  client.signIn("2");
  await settled();
  expect(client.types).toEqual(["signed-in", "signed-in", "refused"]);
  expect(client.seen.at(-1)?.error).toBe("already_signed_in");
  expect(made.hub.nodeStats.users).toBe(1);
});

test("a watched user comes once with its first connection and goes once with its last", async () => {
  const made = await bench();
  const watcher = made.open();
  watcher.signIn("watcher", ["1", "2"]);
  await settled();
  const [first, second] = [made.open(), made.open()];
  first.signIn("1");
  second.signIn("1");
  await settled();
  first.vanish();
  await settled();
  second.vanish();
  await settled();
  expect(watcher.seen.filter(({ type }) => type === "watch")).toEqual([
    { type: "watch", online: [], offline: ["1", "2"] },
    { type: "watch", online: ["1"], offline: [] },
    { type: "watch", online: [], offline: ["1"] },
  ]);
});

test("a watchlist that cannot be read leaves no audience", async () => {
  const late = await lateBench();
  const client = late.open();
  late.engine.hold("members");
  client.signIn("1", ["2", "3"]);
  await settled();
  expect(late.hub.nodeStats.channels).toBe(3);
  await late.engine.fail("members", AWAY);
  expect(client.types).toEqual(["signed-in", "refused"]);
  expect(late.hub.nodeStats.channels).toBe(1);
  client.vanish();
  await settled();
  expect(late.hub.nodeStats).toEqual(NOBODY_HERE);
});

test("a watchlist read anew, with names given twice, counts each user once", async () => {
  const { hub, app, open } = await bench();
  const client = open();
  expect(await hub.users.watch(client.connection, ["2", "2", "3"])).toEqual([]);
  expect(await hub.users.watch(client.connection, ["3", "3", "4"])).toEqual([]);
  expect(hub.nodeStats.channels).toBe(2);
  open().signIn("3");
  await settled();
  expect(client.seen).toEqual([{ type: "watch", online: ["3"], offline: [] }]);
  expect(hub.localHolderCount(app, "#online-2")).toBe(0);
});

test("a client that arrives with a user while the engine is away is sent away to come again, and is not nobody", async () => {
  const late = await lateBench();
  const { hub, app, clock, topics, engine } = late;
  const socket = new FakeSocket(topics);
  const connection = new Connection("5.5", app, plainProtocol("joining", true), "127.0.0.1", clock.monotonicMs());
  engine.hold("join");
  connect(hub, connection, socket, { id: "1" });
  await settled();
  await engine.fail("join", AWAY);
  expect(socket.closedWith?.reason).toBe("engine_unavailable");
  expect(connection.disconnectReason).toMatchObject({ code: "engine_unavailable", reconnect: "later" });
  await settled();
  expect(hub.nodeStats).toEqual(NOBODY_HERE);
});

test("a client that arrives with a user hears the welcome first, then has its turn", async () => {
  const late = await lateBench();
  const { hub, app, clock, topics, engine } = late;
  const protocol = plainProtocol("joining", true);
  const socket = new FakeSocket(topics);
  const connection = new Connection("5.5", app, protocol, "127.0.0.1", clock.monotonicMs());
  const user: User = { id: "1", watchlist: ["2", "2"] };
  engine.hold("join");
  connect(hub, connection, socket, user);
  await settled();
  const types = () => socket.frames.map((frame) => JSON.parse(frame).type);
  expect(types()).toEqual(["welcome"]);
  await engine.release("join");
  expect(types()).toEqual(["welcome", "watch"]);
  expect(connection.isIn("#server-to-user-1")).toBe(true);
  hub.close(connection, 1000);
  await settled();
  expect(hub.nodeStats).toEqual(NOBODY_HERE);
});

describe("a user who is terminated", () => {
  const arriveWith = ({ hub, app, clock, topics }: Bench, user: User) => {
    const socket = new FakeSocket(topics);
    const connection = new Connection(crypto.randomUUID(), app, plainProtocol(), "127.0.0.1", clock.monotonicMs());
    connect(hub, connection, socket, user);
    return socket;
  };
  const reasonOf = (socket: FakeSocket) => socket.closedWith?.reason;

  test("while a client is on its way in, is out", async () => {
    const late = await lateBench();
    late.engine.hold("subscribe");
    const socket = arriveWith(late, { id: "1", issuedAtMs: late.clock.wallMs() });
    await late.hub.steering.terminate(late.app, "1");
    await late.engine.release("subscribe");
    expect(reasonOf(socket)).toBe("terminated");
    expect(late.hub.nodeStats).toEqual(NOBODY_HERE);
  });

  test("comes in by a token issued a millisecond later, or issued before a time that is over, and by none without a time", async () => {
    const made = await bench();
    const { hub, app, clock } = made;
    const atMs = clock.wallMs();
    await hub.steering.terminate(app, "1");
    clock.pass(10);
    const come = async (user: User) => {
      const socket = arriveWith(made, user);
      await settled();
      return reasonOf(socket);
    };
    expect(await come({ id: "1", issuedAtMs: 0 })).toBe("token_invalid");
    expect(await come({ id: "1", issuedAtMs: atMs })).toBe("token_invalid");
    expect(await come({ id: "1", issuedAtMs: atMs + 1 })).toBeUndefined();
    expect(await come({ id: "2", issuedAtMs: 0 })).toBeUndefined();
    expect(await come({ id: "1" })).toBeUndefined();
    clock.pass(app.limits.revocationTtlS * 1000);
    expect(await come({ id: "1", issuedAtMs: 0 })).toBeUndefined();
  });

  test("and comes in again is left alone when the engine was away for a while", async () => {
    const late = await lateBench();
    const { hub, app, clock, engine } = late;
    const before = arriveWith(late, { id: "1", issuedAtMs: clock.wallMs() });
    const others = arriveWith(late, { id: "2", issuedAtMs: 0 });
    await settled();
    // As if another node had, and this one had not heard it.
    await engine.ledger.setMax(JSON.stringify(["revoked", app.id, "1"]), clock.wallMs(), 60_000);
    const after = arriveWith(late, { id: "1", issuedAtMs: clock.wallMs() + 1 });
    await settled();
    expect([before, after, others].map(reasonOf)).toEqual([undefined, undefined, undefined]);
    engine.host?.interrupted();
    hub.sweep();
    await settled();
    expect([before, after, others].map(reasonOf)).toEqual(["terminated", undefined, undefined]);
  });

  test("is not signed in as long as nobody can say whether he is", async () => {
    const late = await lateBench();
    late.engine.ledger.get = () => Promise.reject(AWAY);
    const socket = arriveWith(late, { id: "1", issuedAtMs: late.clock.wallMs() });
    await settled();
    expect(socket.frames.map((frame) => JSON.parse(frame).type)).toEqual(["welcome", "closing"]);
    expect(reasonOf(socket)).toBe("engine_unavailable");
    expect(late.hub.nodeStats.users).toBe(0);
  });
});
