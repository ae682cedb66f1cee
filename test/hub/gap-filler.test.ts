/** An engine that drops, delays and repeats: what is missing is found in history before anything later is told, or clients are told of the gap. */

import { describe, expect, test } from "bun:test";
import type { App } from "../../packages/server/src/domain/app.ts";
import { nativeProtocol } from "../../packages/server/src/protocols/native/codec.ts";
import { pusherProtocol } from "../../packages/server/src/protocols/pusher/codec.ts";
import { AWAY, type FakeClient, fakeApp, type LateBench, lateBench, settled } from "../support/fakes.ts";

const history = { size: 5, ttlS: 60 };
const CHANNELS: App["channels"] = ["room*", "presence-kept"].map((match) => ({ match, history, clientPublish: "any" }));

async function start(limits: { outboundBufferBytes?: number } = {}): Promise<LateBench> {
  return lateBench({ app: fakeApp({ channels: CHANNELS }), limits });
}

async function join(late: LateBench, channel: string, user?: string): Promise<FakeClient> {
  const client = late.open();
  client.subscribe(channel, user);
  await settled();
  return client;
}

async function publish({ hub, app }: LateBench, channel: string, ...data: readonly string[]): Promise<void> {
  for (const each of data) await hub.publish(app, { type: "event", app: app.id, channel, event: "e", data: each });
}

/** They are kept, and never reach this node. */
async function lose(late: LateBench, channel: string, ...data: readonly string[]): Promise<void> {
  late.engine.hold("receive");
  await publish(late, channel, ...data);
  for (const _ of data) late.engine.lose("receive");
  await late.engine.release("receive");
}

/** What the client was told after its subscription: the data of events, the types of everything else. */
function told(client: FakeClient): readonly unknown[] {
  return client.seen.slice(1).map(({ type, data }) => (type === "event" ? data : type));
}

describe("a hole in what a node receives", () => {
  test("is filled from history before what comes after it is told", async () => {
    const late = await start();
    const clients = [await join(late, "room"), await join(late, "room")];
    await publish(late, "room", "1");
    await lose(late, "room", "2", "3");
    late.engine.hold("history");
    await publish(late, "room", "4", "5");
    await settled();
    for (const client of clients) expect(told(client)).toEqual(["1"]);
    await late.engine.release("history");
    for (const client of clients) expect(told(client)).toEqual(["1", "2", "3", "4", "5"]);
    expect(late.events.some(({ type }) => type === "gap")).toBe(false);
  });

  test("keeps back everything else of the channel, and nothing of another", async () => {
    const late = await start();
    const ada = await join(late, "presence-kept", "ada");
    const other = await join(late, "room-2");
    await lose(late, "presence-kept", "1");
    late.engine.hold("history");
    await publish(late, "presence-kept", "2");
    await settled();
    const bob = late.open();
    bob.subscribe("presence-kept", "bob");
    await publish(late, "room-2", "elsewhere");
    await settled();
    expect(told(ada)).toEqual([]);
    expect(told(other)).toEqual(["elsewhere"]);
    await late.engine.release("history");
    expect(told(ada)).toEqual(["1", "2", "joined"]);
    expect(told(bob)).toEqual([]);
    await publish(late, "presence-kept", "3");
    await settled();
    expect(told(bob)).toEqual(["3"]);
  });

  test("is told as a gap, and what was received behind it follows though it is not kept any more", async () => {
    const late = await start();
    const client = await join(late, "room");
    await publish(late, "room", "1");
    await lose(late, "room", "2");
    late.engine.hold("history");
    late.engine.host?.interrupted();
    // History keeps five: when it answers, the first two of these are gone.
    await publish(late, "room", "3", "4", "5", "6", "7", "8", "9");
    await late.engine.release("history");
    await settled();
    expect(told(client)).toEqual(["1", "gap", "3", "4", "5", "6", "7", "8", "9"]);
  });

  test("is told to clients as a gap where it is not kept any more, and what is kept follows", async () => {
    const late = await start();
    const client = await join(late, "room");
    await publish(late, "room", "1");
    await lose(late, "room", "2", "3");
    late.engine.hold("receive");
    await publish(late, "room", "4", "5", "6", "7", "8");
    await late.engine.release("receive");
    await settled();
    expect(told(client)).toEqual(["1", "gap", "4", "5", "6", "7", "8"]);
    expect(late.events.filter(({ type }) => type === "gap")).toMatchObject([{ channel: "room" }]);
    await publish(late, "room", "9");
    await settled();
    expect(told(client).at(-1)).toBe("9");
  });

  test("is told as a gap when history cannot be read, and the channel goes on", async () => {
    const late = await start();
    const client = await join(late, "room");
    await lose(late, "room", "1");
    late.engine.hold("history");
    await publish(late, "room", "2", "3");
    await settled();
    const broken = new Error("on purpose");
    await late.engine.fail("history", broken);
    expect(told(client)).toEqual(["gap", "2", "3"]);
    expect(late.events.filter(({ type }) => type === "failed")).toMatchObject([{ error: broken }]);
    await publish(late, "room", "4");
    await settled();
    expect(told(client)).toEqual(["gap", "2", "3", "4"]);
  });

  test("is looked for again each second while the engine is away", async () => {
    const late = await start();
    const client = await join(late, "room");
    await lose(late, "room", "1");
    late.engine.hold("history");
    await publish(late, "room", "2", "3");
    await settled();
    for (let times = 0; times < 3; times++) {
      await late.engine.fail("history", AWAY);
      expect(told(client)).toEqual([]);
      late.engine.hold("history");
      late.clock.pass(1_000);
      late.hub.sweep();
      await settled();
    }
    await late.engine.release("history");
    expect(told(client)).toEqual(["1", "2", "3"]);
    expect(late.events.some(({ type }) => type === "gap")).toBe(false);
  });

  test("is a gap after ten seconds of an engine that is away, told once", async () => {
    const late = await start();
    const client = await join(late, "room");
    await lose(late, "room", "1");
    late.engine.hold("history");
    await publish(late, "room", "2");
    await settled();
    for (let times = 0; times < 12; times++) {
      await late.engine.fail("history", AWAY);
      late.engine.hold("history");
      late.clock.pass(1_000);
      late.hub.sweep();
      await settled();
    }
    expect(told(client)).toEqual(["gap", "2"]);
    await late.engine.release("history");
    await publish(late, "room", "3");
    await settled();
    expect(told(client)).toEqual(["gap", "2", "3"]);
  });

  test("is not waited for longer than ten seconds, and a late answer changes nothing", async () => {
    const late = await start();
    const client = await join(late, "room");
    await lose(late, "room", "1");
    late.engine.hold("history");
    await publish(late, "room", "2");
    await settled();
    late.clock.pass(9_000);
    late.hub.sweep();
    expect(told(client)).toEqual([]);
    late.clock.pass(2_000);
    late.hub.sweep();
    expect(told(client)).toEqual(["gap", "2"]);
    await late.engine.release("history");
    await publish(late, "room", "3");
    await settled();
    expect(told(client)).toEqual(["gap", "2", "3"]);
  });

  test.each([
    ["a thousand", "x", 1_001],
    ["their bytes' worth", "x".repeat(1_000), 3],
  ])("does not keep back more than %s", async (_, data, count) => {
    const late = await start({ outboundBufferBytes: data.length > 1 ? 3_000 : 1_048_576 });
    const client = await join(late, "room");
    await lose(late, "room", "1");
    late.engine.hold("history");
    for (let n = 0; n < count - 1; n++) await publish(late, "room", data);
    await settled();
    expect(told(client)).toEqual([]);
    await publish(late, "room", data);
    await settled();
    expect(told(client)).toEqual(["gap", ...Array.from({ length: count }, () => data)]);
    await late.engine.release("history");
    expect(told(client)).toHaveLength(count + 1);
  });

  test("is looked for again when there is another behind it", async () => {
    const late = await start();
    const client = await join(late, "room");
    await lose(late, "room", "1");
    late.engine.hold("history");
    await publish(late, "room", "2");
    await settled();
    late.engine.inner.broker.history = stale(late, late.engine.inner.broker.history);
    await late.engine.release("history");
    for (let turn = 0; turn < 10; turn++) await settled();
    expect(told(client)).toEqual(["1", "2", "3", "4"]);
  });

  test("among what a client was excluded from does not bring that back to it", async () => {
    const late = await start();
    const [ada, bob] = [await join(late, "room"), await join(late, "room")];
    late.engine.hold("receive");
    ada.send({ type: "publish", channel: "room", event: "said", data: "1" });
    await settled();
    late.engine.lose("receive");
    await late.engine.release("receive");
    await publish(late, "room", "2");
    await settled();
    expect(told(ada)).toEqual(["2"]);
    expect(told(bob)).toEqual(["1", "2"]);
  });
});

/** The first answer is made before another is lost and one more comes in behind it. */
function stale(late: LateBench, read: LateBench["engine"]["broker"]["history"]): typeof read {
  let asked = 0;
  return async (...query) => {
    const page = await read.apply(late.engine.inner.broker, query);
    if (++asked > 1) return page;
    await lose(late, "room", "3");
    await publish(late, "room", "4");
    await settled();
    return page;
  };
}

describe("what a node receives twice", () => {
  test("is told once", async () => {
    const late = await start();
    const client = await join(late, "room");
    await publish(late, "room", "1", "2");
    await settled();
    const { events: kept } = await late.hub.histories.read(late.app, "room", { limit: 10, direction: "newest" });
    for (const { publication } of kept) late.engine.host?.receive(publication);
    await publish(late, "room", "3");
    await settled();
    expect(told(client)).toEqual(["1", "2", "3"]);
  });

  test("and in another order is told once, in the right one", async () => {
    const late = await start();
    const client = await join(late, "room");
    await lose(late, "room", "1", "2", "3");
    const { events: kept } = await late.hub.histories.read(late.app, "room", { limit: 10, direction: "newest" });
    for (const { publication } of kept.toReversed()) late.engine.host?.receive(publication);
    await settled();
    expect(told(client)).toEqual(["1", "2", "3"]);
  });
});

describe("an interruption", () => {
  test("is mended from history where there is one, and told as a gap elsewhere", async () => {
    const late = await start();
    const [kept, plain, cache] = [await join(late, "room"), await join(late, "plain"), await join(late, "cache-x")];
    const people = await join(late, "presence-kept", "ada");
    await publish(late, "room", "1");
    await lose(late, "room", "2");
    await lose(late, "presence-kept", "3");
    await lose(late, "plain", "lost");
    await lose(late, "cache-x", "last");
    late.engine.host?.interrupted();
    await settled();
    expect(told(kept)).toEqual(["1", "2"]);
    expect(told(plain)).toEqual(["gap"]);
    expect(told(cache)).toEqual(["missed", "gap", "last"]);
    // Its comings and goings are not kept.
    expect(told(people)).toEqual(["gap", "3"]);
  });

  test("of some channels leaves the others alone, and unknown ones", async () => {
    const late = await start();
    const [one, two] = [await join(late, "plain-1"), await join(late, "plain-2")];
    const app = late.app.id;
    late.engine.host?.interrupted([
      { app, channel: "plain-1" },
      { app, channel: "nobody" },
      { app: "nobody", channel: "plain-2" },
    ]);
    await settled();
    expect([told(one), told(two)]).toEqual([["gap"], []]);
  });

  test("holds what comes in until it is mended, and a second one has it looked at again", async () => {
    const late = await start();
    const client = await join(late, "room");
    await lose(late, "room", "1");
    late.engine.hold("history");
    late.engine.host?.interrupted();
    await publish(late, "room", "2");
    await settled();
    expect(told(client)).toEqual([]);
    await lose(late, "room", "3");
    late.engine.host?.interrupted();
    await late.engine.release("history");
    await settled();
    expect(told(client)).toEqual(["1", "2", "3"]);
  });

  test("after which the engine has forgotten everything is a gap, and numbering begins anew (scenario 26)", async () => {
    const late = await start();
    const client = await join(late, "room");
    await publish(late, "room", "1", "2");
    await settled();
    const [stood] = client.seen.slice(-1).map(({ position }) => position);
    late.engine.inner.broker.history = () => ({
      events: [],
      position: { epoch: "new", offset: 0 },
      complete: false,
      hasMore: false,
    });
    late.engine.host?.interrupted();
    await settled();
    expect(told(client)).toEqual(["1", "2", "gap"]);
    const position = { epoch: "new", offset: 1 };
    const publication = { type: "event", app: late.app.id, channel: "room", event: "e", data: "3", position } as const;
    late.engine.host?.receive(publication);
    expect(told(client)).toEqual(["1", "2", "gap", "3"]);
    expect(stood).not.toEqual(position);
  });

  test("that lost the end of a history does not take what comes after it for known", async () => {
    const late = await start();
    const client = await join(late, "room");
    await publish(late, "room", "1", "2", "3");
    await settled();
    const { events: kept, position } = await late.hub.histories.read(late.app, "room", {
      limit: 10,
      direction: "newest",
    });
    const before = { ...position, offset: 1 };
    late.engine.inner.broker.history = () => ({
      events: kept.slice(0, 1),
      position: before,
      complete: false,
      hasMore: false,
    });
    late.engine.host?.interrupted();
    await settled();
    const [, again] = kept;
    if (!again) throw new Error("Two are kept.");
    late.engine.host?.receive({ ...again.publication, data: "another 2" });
    expect(told(client)).toEqual(["1", "2", "3", "gap", "another 2"]);
  });

  test("of a thousand channels reads sixteen histories at a time", async () => {
    const late = await lateBench({
      app: fakeApp({ channels: CHANNELS, limits: { channelsPerConnection: 1_000, subscribesPerSecond: 10_000 } }),
    });
    const client = late.open();
    for (let n = 0; n < 200; n++) client.subscribe(`room-${n}`);
    for (let turn = 0; turn < 50 && client.seen.length < 200; turn++) await settled();
    late.engine.hold("history");
    late.engine.host?.interrupted();
    await settled();
    expect(late.engine.held("history")).toBe(16);
    await late.engine.release("history");
    for (let turn = 0; turn < 20; turn++) await settled();
    await publish(late, "room-199", "after");
    await settled();
    expect(client.seen).toHaveLength(201);
  });

  test("is a frame to native clients, and nothing to Pusher clients", async () => {
    const late = await lateBench({
      more: { protocols: [nativeProtocol({ jsonDepth: 8 }), pusherProtocol({ jsonDepth: 8 })] },
    });
    const [native, pusher] = late.hub.protocols.map((protocol) => late.open(late.app, protocol));
    if (!native || !pusher) throw new Error("There are two protocols.");
    const answer = () => {};
    await late.hub.join(native.connection, "plain", undefined, answer);
    await late.hub.join(pusher.connection, "plain", undefined, answer);
    late.engine.host?.interrupted();
    await settled();
    expect(native.socket.frames).toEqual(['{"event":"gap","channel":"plain"}']);
    expect(pusher.socket.frames).toEqual([]);
  });
});
