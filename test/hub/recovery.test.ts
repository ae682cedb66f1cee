/** Coming back to a channel with history: exactly what was missed, in order, before anything new; or the word that something is lost. */

import { describe, expect, test } from "bun:test";
import type { App } from "../../packages/server/src/domain/app.ts";
import type { Position, Resume } from "../../packages/server/src/domain/message.ts";
import { AWAY, type FakeClient, fakeApp, type LateBench, lateBench, type Seen, settled } from "../support/fakes.ts";
import { channelAuth } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";

const history = { size: 5, ttlS: 60 };
const CHANNELS: App["channels"] = [
  { match: "cache-both", history, clientPublish: "any" },
  { match: "presence-*", history },
  { match: "room*", history, clientPublish: "any" },
];

function start(limits: { outboundBufferBytes?: number } = {}): Promise<LateBench> {
  return lateBench({ app: fakeApp({ channels: CHANNELS }), limits });
}

async function publish({ hub, app }: LateBench, channel: string, ...data: readonly string[]): Promise<void> {
  for (const each of data) await hub.publish(app, { type: "event", app: app.id, channel, event: "e", data: each });
}

function subscribe(client: FakeClient, channel: string, resume?: Resume): void {
  client.send({ type: "subscribe", channel, ...(resume !== undefined && { resume }) });
}

async function join(late: LateBench, channel: string, resume?: Resume): Promise<FakeClient> {
  const client = late.open();
  subscribe(client, channel, resume);
  await settled();
  return client;
}

function dataOf(client: FakeClient): readonly unknown[] {
  return client.seen.filter(({ type }) => type === "event").map(({ data }) => data);
}

/** Where the frame says that the client stands. */
function positionIn(frame: Seen | undefined): Position {
  const position = frame?.position;
  if (typeof position !== "object" || position === null || !("epoch" in position) || !("offset" in position)) {
    throw new Error(`There is no position in ${JSON.stringify(frame)}`);
  }
  return { epoch: String(position.epoch), offset: Number(position.offset) };
}

describe("a client that resumes", () => {
  test("gets exactly what it missed, in order, with positions, and then what is new (scenario 26)", async () => {
    const late = await start();
    const before = await join(late, "room");
    await publish(late, "room", "1", "2");
    await settled();
    const stood = positionIn(before.seen.at(-1));
    before.vanish();
    await publish(late, "room", "3", "4");
    const back = await join(late, "room", stood);
    await publish(late, "room", "5");
    await settled();
    expect(back.seen[0]).toMatchObject({ type: "subscribed", recovered: true, position: stood });
    expect(dataOf(back)).toEqual(["3", "4", "5"]);
    expect(back.seen.slice(1).map((frame) => positionIn(frame).offset)).toEqual([3, 4, 5]);
  });

  test("who missed nothing is told so, in a channel that never had an event, too", async () => {
    const late = await start();
    const first = await join(late, "room");
    const stood = positionIn(first.seen[0]);
    const back = await join(late, "room", stood);
    expect(back.seen).toMatchObject([{ type: "subscribed", recovered: true, position: stood }]);
    await publish(late, "room", "1");
    await settled();
    first.vanish();
    back.vanish();
    const again = await join(late, "room", stood);
    expect(again.seen[0]).toMatchObject({ recovered: true });
    expect(dataOf(again)).toEqual(["1"]);
  });

  test("is told that something is lost when it was away for too long, and where the channel is now", async () => {
    const late = await start();
    const stood = positionIn((await join(late, "room")).seen[0]);
    await publish(late, "room", "1", "2", "3", "4", "5", "6");
    const back = await join(late, "room", stood);
    expect(back.seen).toMatchObject([{ recovered: false, position: { epoch: stood.epoch, offset: 6 } }]);
    late.clock.pass(61_000);
    await publish(late, "room", "7");
    await settled();
    expect(dataOf(back)).toEqual(["7"]);
    const expired = await join(late, "room", { ...stood, offset: 5 });
    expect(expired.seen).toMatchObject([{ recovered: false, position: { offset: 7 } }]);
  });

  test.each([
    ["from another epoch", (at: Position) => ({ epoch: "another", offset: at.offset })],
    ["from before there was an epoch", () => ({ epoch: "", offset: 0 })],
    ["from a place that is still to come", (at: Position) => ({ ...at, offset: at.offset + 1 })],
  ])("%s is told that something is lost (scenario 26)", async (_, from) => {
    const late = await start();
    await publish(late, "room", "1");
    const at = positionIn((await join(late, "room")).seen[0]);
    const back = await join(late, "room", from(at));
    expect(back.seen).toMatchObject([{ type: "subscribed", recovered: false, position: at }]);
  });

  test("is told that something is lost where nothing is kept, and no position", async () => {
    const late = await start();
    for (const channel of ["plain", "cache-plain"]) {
      await publish(late, channel, "1");
      const [answer] = (await join(late, channel, { epoch: "e", offset: 1 })).seen;
      expect(answer).toEqual({ type: "subscribed", channel, recovered: false });
    }
    expect((await join(late, "plain")).seen).toEqual([{ type: "subscribed", channel: "plain" }]);
  });

  test("who missed more than may wait for it is told that something is lost, rather than cut", async () => {
    const late = await start({ outboundBufferBytes: 2_000 });
    const stood = positionIn((await join(late, "room")).seen[0]);
    await publish(late, "room", "x".repeat(1_000));
    expect((await join(late, "room", stood)).seen[0]).toMatchObject({ recovered: true });
    await publish(late, "room", "y".repeat(1_000));
    const back = await join(late, "room", stood);
    expect(back.seen).toMatchObject([{ recovered: false, position: { offset: 2 } }]);
  });

  test("misses nothing and hears nothing twice of what comes while history is read", async () => {
    const late = await start();
    const early = await join(late, "room");
    const stood = positionIn(early.seen[0]);
    await publish(late, "room", "1");
    const broker = late.engine.inner.broker;
    const read = broker.history;
    broker.history = async (...query) => {
      // The answer is made first and arrives after two more have come in.
      const page = await read.apply(broker, query);
      broker.history = read;
      await publish(late, "room", "2", "3");
      await settled();
      return page;
    };
    const back = await join(late, "room", stood);
    await settled();
    await publish(late, "room", "4");
    await settled();
    expect(back.seen[0]).toMatchObject({ recovered: true });
    expect(dataOf(back)).toEqual(["1", "2", "3", "4"]);
    expect(dataOf(early)).toEqual(["1", "2", "3", "4"]);
  });

  test("hears nothing twice whose delivery is still on its way", async () => {
    const late = await start();
    const early = await join(late, "room");
    late.engine.hold("receive");
    await publish(late, "room", "1", "2");
    const stood = positionIn(early.seen[0]);
    const [back, plain] = [await join(late, "room", stood), await join(late, "room")];
    await publish(late, "room", "3");
    await late.engine.release("receive");
    expect(dataOf(early)).toEqual(["1", "2", "3"]);
    expect(dataOf(back)).toEqual(["1", "2", "3"]);
    expect(dataOf(plain)).toEqual(["3"]);
    expect(positionIn(plain.seen[0]).offset).toBe(2);
  });

  test("reads again when more was told than history said, for that would be a hole", async () => {
    const late = await start();
    const stood = positionIn((await join(late, "room")).seen[0]);
    const broker = late.engine.inner.broker;
    const read = broker.history;
    const stale = await read.call(broker, late.app.id, "room", { after: stood, limit: 100, direction: "oldest" });
    await publish(late, "room", "1", "2");
    await settled();
    let asked = 0;
    broker.history = (...query) => (++asked === 1 ? stale : read.apply(broker, query));
    const back = await join(late, "room", stood);
    expect(asked).toBe(2);
    expect(dataOf(back)).toEqual(["1", "2"]);
  });

  test("is refused when history does not answer, and nothing remains of it", async () => {
    const late = await start();
    const client = late.open();
    late.engine.hold("history");
    subscribe(client, "room", { epoch: "e", offset: 1 });
    await settled();
    await late.engine.fail("history", AWAY);
    expect(client.seen).toMatchObject([{ type: "refused", error: AWAY.code }]);
    client.vanish();
    await settled();
    expect(late.hub.nodeStats.channels).toBe(0);
  });

  test("gets what clients said, too, its own words among them", async () => {
    const late = await start();
    const [ada, bob] = [await join(late, "room"), await join(late, "room")];
    const stood = positionIn(ada.seen[0]);
    const say = { type: "publish", channel: "room", event: "said" } as const;
    ada.send({ ...say, data: "1", ref: "mine" });
    bob.send({ ...say, data: "2" });
    await settled();
    expect(dataOf(ada)).toEqual(["2"]);
    expect(ada.seen.find(({ type }) => type === "published")).toMatchObject({ position: { offset: 1 } });
    expect(dataOf(await join(late, "room", stood))).toEqual(["1", "2"]);
  });

  test("into a presence channel is told its members, where it stands, and what it missed", async () => {
    const late = await start();
    const ada = late.open();
    ada.subscribe("presence-x", "ada");
    await settled();
    const stood = positionIn(ada.seen[0]);
    await publish(late, "presence-x", "1");
    const bob = late.open();
    const data = JSON.stringify({ user_id: "bob" });
    const proof = { auth: channelAuth(APP, bob.id, "presence-x", data), data };
    bob.send({ type: "subscribe", channel: "presence-x", proof, resume: stood });
    await settled();
    expect(bob.seen[0]).toMatchObject({ members: [{ id: "ada" }, { id: "bob" }], position: stood, recovered: true });
    expect(dataOf(bob)).toEqual(["1"]);
    expect(ada.types).toEqual(["subscribed", "event", "joined"]);
  });
});

describe("a client that was never there", () => {
  test("is handed nothing of the past, unless it asks for all that is kept", async () => {
    const late = await start();
    await publish(late, "room", "1", "2");
    const plain = await join(late, "room");
    expect(plain.seen).toMatchObject([{ type: "subscribed", position: { offset: 2 } }]);
    expect(plain.seen[0]).not.toHaveProperty("recovered");
    const all = await join(late, "room", "kept");
    expect(all.seen[0]).toMatchObject({ recovered: true, position: { offset: 0 } });
    expect(dataOf(all)).toEqual(["1", "2"]);
    await publish(late, "room", "3", "4", "5", "6");
    const some = await join(late, "room", "kept");
    expect(some.seen[0]).toMatchObject({ recovered: false, position: { offset: 1 } });
    expect(dataOf(some)).toEqual(["2", "3", "4", "5", "6"]);
  });

  test("and asks for all is handed the latest that fit", async () => {
    const late = await start({ outboundBufferBytes: 2_500 });
    await publish(late, "room", ...["1", "2", "3"].map((data) => data.repeat(900)));
    const client = await join(late, "room", "kept");
    expect(client.seen[0]).toMatchObject({ recovered: false, position: { offset: 1 } });
    expect(dataOf(client)).toEqual(["2".repeat(900), "3".repeat(900)]);
  });
});

describe("a cache channel with history", () => {
  test("gives the last event that a back end published, and to who resumes what it missed", async () => {
    const late = await start();
    const empty = await join(late, "cache-both");
    expect(empty.types).toEqual(["subscribed", "missed"]);
    await publish(late, "cache-both", "1", "2");
    empty.send({ type: "publish", channel: "cache-both", event: "said", data: "3" });
    await settled();
    const fresh = await join(late, "cache-both");
    expect(dataOf(fresh)).toEqual(["2"]);
    expect(fresh.seen[0]).toMatchObject({ position: { offset: 3 } });
    expect(fresh.seen[1]).not.toHaveProperty("position");
    const back = await join(late, "cache-both", { ...positionIn(fresh.seen[0]), offset: 1 });
    expect(dataOf(back)).toEqual(["2", "3"]);
    const current = await join(late, "cache-both", positionIn(fresh.seen[0]));
    expect(current.types).toEqual(["subscribed"]);
    const lost = await join(late, "cache-both", { epoch: "another", offset: 1 });
    expect(lost.types).toEqual(["subscribed", "event"]);
    expect(lost.seen[0]).toMatchObject({ recovered: false, position: { offset: 3 } });
  });
});

test("a channel that keeps nothing tells no positions", async () => {
  const late = await start();
  const clients = await Promise.all(["plain", "room", "room", "room"].map((channel) => join(late, channel)));
  await publish(late, "plain", "1");
  await publish(late, "room", "1");
  await settled();
  expect(clients.map((client) => dataOf(client))).toEqual([["1"], ["1"], ["1"], ["1"]]);
  expect(clients[0]?.seen[1]).not.toHaveProperty("position");
});
