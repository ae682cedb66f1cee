/** Positions that outlive a page: a store that is quick, slow, broken or silent. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Position, PositionStore } from "../../packages/client/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { startServer } from "../support/server.ts";
import { eventText, startFakeServer } from "./fake-server.ts";
import { connect, dataOf, recoveringPusher } from "./pusher-js.ts";

setDefaultTimeout(30_000);

const server = await startServer({}, { channels: [{ match: "*", history: { size: 100 } }] });

function mapStore(entries: Map<string, Position>): PositionStore {
  return {
    get: (channel) => entries.get(channel),
    set: (channel, position) => void entries.set(channel, position),
    delete: (channel) => void entries.delete(channel),
  };
}

/** As React Native's AsyncStorage. */
function slowStore(entries: Map<string, Position>): PositionStore {
  const quick = mapStore(entries);
  return {
    get: async (channel) => await Bun.sleep(20).then(() => quick.get(channel)),
    set: async (channel, position) => quick.set(channel, position),
    delete: async (channel) => quick.delete(channel),
  };
}

test.each([
  ["a map", mapStore],
  ["a slow store", slowStore],
])("with %s, a page that is loaded anew hears what was published meanwhile", async (name, storeOf) => {
  const entries = new Map<string, Position>();
  const channel = `reload-${name.replaceAll(" ", "-")}`;
  const first = connect(recoveringPusher({ positions: storeOf(entries) }), server.port);
  const { heard: before, channel: joined } = first.listen(channel);
  await eventually(() => expect(joined.subscribed).toBe(true));
  await server.toChannel(channel).push({ event: "number", data: 1 });
  await eventually(() => expect(dataOf(before)).toEqual([1]));
  first.pusher.disconnect();
  await server.toChannel(channel).push({ event: "number", data: 2 });
  const second = connect(recoveringPusher({ positions: storeOf(entries) }), server.port);
  const { heard } = second.listen(channel);
  await eventually(() => expect(dataOf(heard)).toEqual([2]));
  second.pusher.unsubscribe(channel);
  await eventually(() => expect(entries.size).toBe(0));
});

const broken = () => {
  throw new Error("The storage is full.");
};

const FAILING: readonly [string, PositionStore][] = [
  ["throws", { get: broken, set: broken, delete: broken }],
  ["rejects", { get: async () => broken(), set: async () => broken(), delete: async () => broken() }],
  [
    "never answers",
    { get: () => new Promise(() => {}), set: () => new Promise(() => {}), delete: () => new Promise(() => {}) },
  ],
  ["holds nonsense", { get: () => ({ epoch: 1, offset: "x" }) as never, set() {}, delete() {} }],
];

test.each(FAILING)(
  "a store that %s costs no event: the channel is subscribed without it, and recovers by itself",
  async (name, positions) => {
    const fake = startFakeServer({
      onSubscribe: (it, { data }) => {
        const more = { position: { epoch: "e", offset: 1 }, ...(data.position !== undefined && { recovered: true }) };
        it.send("pusher_internal:subscription_succeeded", { channel: data.channel, data: {}, ...more });
      },
    });
    const client = connect(recoveringPusher({ positions, spreadMs: 0 }), fake.port);
    const { channel, heard } = client.listen(name);
    await eventually(() => expect(channel.subscribed).toBe(true));
    fake.connections[0]?.sendText(eventText(name, "a", { epoch: "e", offset: 2 }));
    await eventually(() => expect(dataOf(heard)).toEqual(["a"]));
    fake.connections[0]?.close(4200);
    await eventually(() =>
      expect(fake.connections[1]?.frames.at(-1)?.data.position).toEqual({ epoch: "e", offset: 2 }),
    );
  },
);

test("what is sent after a subscription that waits for a slow store stays behind it", async () => {
  const fake = startFakeServer();
  const client = connect(recoveringPusher({ positions: slowStore(new Map()) }), fake.port);
  await eventually(() => expect(client.pusher.connection.state).toBe("connected"));
  client.pusher.subscribe("a");
  client.pusher.send_event("client-x", {}, "a");
  client.pusher.subscribe("b");
  await eventually(() =>
    expect(fake.connections[0]?.frames.map(({ event, data }) => [event, data.channel])).toEqual([
      ["pusher:subscribe", "a"],
      ["client-x", undefined],
      ["pusher:subscribe", "b"],
    ]),
  );
});
