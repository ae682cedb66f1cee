/** Clients that come back to another node, and nodes that come back without their past: what was missed comes exactly, or is said to be lost. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { ENGINES, engineSettings, startCluster, startNode } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { NativeTestClient } from "../support/native-client.ts";
import { trigger } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP } from "../support/server.ts";

setDefaultTimeout(180_000);

const PATIENCE = { withinMs: 60_000, everyMs: 20 };

const say = (url: string, channel: string, data: unknown) => trigger(url, APP, { name: "e", channel, data: `${data}` });

function numbers(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, n) => `${n + from}`);
}

function heardBy(client: NativeTestClient): readonly unknown[] {
  return client.socket.frames.filter(({ event }) => event === "e").map(({ data }) => `${data}`);
}

const clusters = {
  redis: await startCluster("redis"),
  nats: await startCluster("nats"),
  workers: await startCluster("workers"),
};

describe.each(ENGINES)("on %s", (engine) => {
  // Away for as long as 100 publications take, instead of 10 s.
  test.each(["the same node", "the other node"])(
    "a client that comes back to %s gets the 100 it missed, before what is new (scenario 26)",
    async (which) => {
      const [a, b] = clusters[engine];
      if (!a || !b) throw new Error("Two nodes were asked for.");
      const channel = `kept-${which.replaceAll(" ", "-")}`;
      const first = await a.native();
      await first.subscribe(channel);
      await say(b.url, channel, 0);
      const { position } = await first.next("e");
      first.socket.terminate();
      for (const n of numbers(100, 1)) await say(Number(n) % 2 === 0 ? a.url : b.url, channel, n);
      const back = await (which === "the same node" ? a : b).native();
      const answer = back.subscribe(channel, { position });
      for (const n of numbers(20, 101)) await say(a.url, channel, n);
      expect(await answer).toMatchObject({ recovered: true, position });
      await eventually(() => expect(heardBy(back)).toHaveLength(120), PATIENCE);
      expect(heardBy(back)).toEqual(numbers(120, 1));
    },
  );

  test("the last event of a cache channel is there on the other node, for as long as it is to be (scenario 27)", async () => {
    const [a, b] = clusters[engine];
    if (!a || !b) throw new Error("Two nodes were asked for.");
    const early = await b.pusher();
    await early.subscribe("cache-news");
    await early.next("pusher:cache_miss");
    await early.close();
    await say(a.url, "cache-news", "old");
    await say(a.url, "cache-news", "last");
    const pusher = await b.pusher();
    await pusher.subscribe("cache-news");
    expect((await pusher.next("e")).data).toBe("last");
    const native = await b.native();
    await native.subscribe("cache-news");
    expect((await native.next("e")).data).toBe("last");
    await say(a.url, "cache-brief", "soon stale");
    await Bun.sleep(700);
    const late = await b.pusher();
    await late.subscribe("cache-brief");
    await late.next("pusher:cache_miss");
    expect(late.socket.frames.filter(({ event }) => event === "e")).toEqual([]);
  });
});

describe.each(["redis", "nats"] as const)("on %s", (engine) => {
  test("a client of a node that was killed resumes at another, and at the node itself when it is back (scenario 26)", async () => {
    const where = { ...(await engineSettings(engine)), nodeTimeoutS: 2 };
    const [a, b] = await Promise.all([startNode(where), startNode(where)]);
    const client = await a.native();
    await client.subscribe("kept-room");
    await say(a.url, "kept-room", 0);
    const { position } = await client.next("e");
    const { port } = a.process;
    await a.kill();
    for (const n of numbers(50, 1)) await say(b.url, "kept-room", n);
    const again = await startNode(where, {}, port);
    for (const n of numbers(50, 51)) await say(again.url, "kept-room", n);
    for (const node of [b, again]) {
      const back = await node.native();
      expect(await back.subscribe("kept-room", { position })).toMatchObject({ recovered: true, position });
      await eventually(() => expect(heardBy(back)).toEqual(numbers(100, 1)), PATIENCE);
    }
  });

  test("the last event of a cache channel outlives the node it was published through (scenario 27)", async () => {
    const where = { ...(await engineSettings(engine)), nodeTimeoutS: 2 };
    const [a, b] = await Promise.all([startNode(where), startNode(where)]);
    await say(a.url, "cache-news", "last");
    await a.kill();
    const client = await b.pusher();
    await client.subscribe("cache-news");
    expect((await client.next("e")).data).toBe("last");
  });
});

test("after Redis lost its data a client is told that something may be missing, and goes on from there (scenario 26)", async () => {
  const redis = await startRedis();
  const where = { engine: "redis", redis: { port: redis.port } } as const;
  const [a, b] = await Promise.all([startNode(where), startNode(where)]);
  const stays = await b.native();
  await stays.subscribe("kept-room");
  const client = await a.native();
  await client.subscribe("kept-room");
  for (const n of numbers(10)) await say(a.url, "kept-room", n);
  await eventually(() => expect(heardBy(client)).toEqual(numbers(10)));
  const position = client.socket.frames.at(-1)?.position;
  client.socket.terminate();
  await redis.cli("FLUSHALL");
  for (const n of numbers(10, 10)) await say(b.url, "kept-room", n);
  const back = await b.native();
  const answer = await back.subscribe("kept-room", { position });
  expect(answer.recovered).toBe(false);
  await say(a.url, "kept-room", "new");
  expect((await back.next("e")).data).toBe("new");
  // Who was there all the time was told everything.
  await eventually(() => expect(heardBy(stays)).toEqual([...numbers(20), "new"]), PATIENCE);
  const third = await a.native();
  expect(await third.subscribe("kept-room", { position: answer.position })).toMatchObject({ recovered: true });
  expect((await third.next("e")).data).toBe("new");
});
