/** A program's calls that mean connections, on whatever node these are. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startCluster, startNode } from "./cluster.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 50 };
const TEST_MS = 180_000;

describe("a program on one node", async () => {
  const cluster = await startCluster({}, { anonymous: true });
  const { one, other, redis } = cluster;

  test("tells every connection of the app on all nodes, once", async () => {
    const clients = [await connectPusher(one.url), await connectPusher(other.url)];
    const native = await connectNative(other.url);
    await one.broadcast({ event: "notice", data: { n: 1 } });
    for (const client of clients) {
      expect(await client.next("notice")).toEqual({ event: "notice", data: '{"n":1}' });
      await client.silence(100, "notice");
    }
    expect(await native.next("notice")).toEqual({ event: "notice", data: { n: 1 } });
    for (const client of [...clients, native]) await client.close();
  });

  test("reaches, finds and ends a connection of another (O18)", async () => {
    const [here, there] = [await connectPusher(one.url), await connectNative(other.url)];
    for (const id of [here.socketId, there.id]) {
      const target = one.toConnection(id);
      expect([await target.isEstablished(), await target.push({ event: "you", data: [1] })]).toEqual([true, true]);
    }
    expect(await here.next("you")).toEqual({ event: "you", data: "[1]" });
    expect(await there.next("you")).toEqual({ event: "you", data: [1] });
    // What answers at once knows this process only.
    expect([one.isEstablished(here.socketId), one.isEstablished(there.id)]).toEqual([true, false]);
    expect(await one.toConnection(there.id).disconnect("Time is up.")).toBe(true);
    expect(await there.next("closing")).toMatchObject({ code: "terminated", message: "Time is up." });
    expect((await there.socket.closed).code).toBe(4009);
    expect(await one.toConnection(there.id).disconnect()).toBe(false);
    expect(await one.toConnection(there.id).push("x")).toBe(false);
    for (const id of ["1.2", "", "x", "99999999999.1"]) expect(await one.toConnection(id).isEstablished()).toBe(false);
    await expect(one.toConnection(there.id).push({ event: "pusher:x", data: 1 })).rejects.toMatchObject({
      code: "event_reserved",
    });
    await here.close();
  });

  test("counts the connections of all nodes", async () => {
    const clients = [await connectPusher(one.url), await connectPusher(other.url), await connectPusher(other.url)];
    await eventually(async () => expect(await one.connections.countEverywhere()).toBe(3), PATIENCE);
    expect([one.connections.count(), other.connections.count()]).toEqual([1, 2]);
    for (const client of clients) await client.close();
    await eventually(async () => expect(await other.connections.countEverywhere()).toBe(0), PATIENCE);
    expect(await one.channels()).toEqual([]);
  });

  test(
    "is told that a connection is not there when its node is gone, whichever way it went",
    async () => {
      const third = await startNode(redis, {}, { anonymous: true });
      const { id } = await connectNative(third.url);
      expect(await one.toConnection(id).isEstablished()).toBe(true);
      await third.stop();
      expect(await one.toConnection(id).isEstablished()).toBe(false);
    },
    TEST_MS,
  );

  test("does not obey what somebody else publishes there", async () => {
    const client = await connectPusher(other.url);
    const channels = String(await redis.cli("PUBSUB", "CHANNELS", "*nodes*")).split(",");
    expect(channels.length).toBeGreaterThan(0);
    for (const channel of channels) {
      for (const data of ["no JSON", "{}", '{"type":"ask"}', '{"type":"ask","act":{"type":"format the disk"}}']) {
        await redis.cli("PUBLISH", channel, JSON.stringify({ v: 1, t: "event", e: "ask", d: data }));
      }
    }
    await client.ping();
    expect(await one.toConnection(client.socketId).isEstablished()).toBe(true);
    await client.close();
  });
});

test(
  "nodes that start while Redis is away reach each other's connections when it is back",
  async () => {
    const { redis, one } = await startCluster({ publishWaitS: 1 }, { anonymous: true });
    await redis.kill();
    const late = await startNode(redis, { publishWaitS: 1 }, { anonymous: true });
    const client = await connectPusher(late.url);
    await expect(one.broadcast({ event: "lost", data: 1 })).rejects.toMatchObject({ code: "engine_unavailable" });
    await expect(one.toConnection(client.socketId).isEstablished()).rejects.toMatchObject({
      code: "engine_unavailable",
    });
    await redis.start();
    await eventually(async () => expect(await one.toConnection(client.socketId).isEstablished()).toBe(true), PATIENCE);
    await one.broadcast({ event: "found", data: 2 });
    expect(await client.next("found")).toEqual({ event: "found", data: "2" });
    await client.silence(100, "lost");
  },
  TEST_MS,
);
