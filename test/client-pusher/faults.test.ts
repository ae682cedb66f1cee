/** `recover` while servers die: a node, and the Redis that holds the history. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { createPublisher } from "@fanfare/publisher";
import { engineSettings, startNode } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { connect, dataOf, marksOf, recoveringPusher, VERSIONS } from "./pusher-js.ts";

setDefaultTimeout(120_000);
const PATIENCE = { withinMs: 60_000, everyMs: 30 };
const QUICK = { retry: { minMs: 50, maxMs: 400 } };

function publisherAt(url: string) {
  return createPublisher({ url, appId: APP.id, key: APP.key, secret: APP.secret });
}

test("a node is killed: what another one published meanwhile is heard there, in order", async () => {
  const where = await engineSettings("redis");
  const [first, second] = await Promise.all([startNode(where), startNode(where)]);
  const proxy = await startProxy(Number(new URL(first.url).port));
  const all = VERSIONS.map((version) => connect(recoveringPusher(QUICK, version), proxy.port).listen("kept"));
  await eventually(() => expect(all.every(({ channel }) => channel.subscribed)).toBe(true), PATIENCE);
  const publisher = publisherAt(second.url);
  await publisher.publish("kept", "number", 1);
  await eventually(() => expect(all.map(({ heard }) => dataOf(heard))).toEqual(all.map(() => [1])), PATIENCE);
  await first.kill();
  for (const number of [2, 3, 4]) await publisher.publish("kept", "number", number);
  proxy.lead(Number(new URL(second.url).port));
  await eventually(() => expect(all.map(({ heard }) => dataOf(heard))).toEqual(all.map(() => [1, 2, 3, 4])), PATIENCE);
  expect(all.flatMap(({ heard }) => marksOf(heard))).toEqual(all.map(() => "fanfare:recovered"));
});

test("Redis is killed and comes back empty: a page that was away is told of the gap, and goes on", async () => {
  const redis = await startRedis();
  const history = { channels: [{ match: "*", history: { size: 100 } }] };
  const server = await startServer({ engine: "redis", redis: { port: redis.port } }, history);
  const proxy = await startProxy(server.port);
  const { channel, heard } = connect(recoveringPusher(QUICK), proxy.port).listen("memory");
  await eventually(() => expect(channel.subscribed).toBe(true), PATIENCE);
  const publisher = publisherAt(server.url);
  await publisher.publish("memory", "number", 1);
  await eventually(() => expect(dataOf(heard)).toEqual([1]), PATIENCE);
  proxy.cut();
  await publisher.publish("memory", "number", 2);
  await redis.kill();
  // The page returns while there is no Redis: its subscription is refused, and asked for again until there is one.
  proxy.mend();
  await eventually(() => expect(channel.pusher.connection.state).toBe("connected"), PATIENCE);
  await redis.start();
  await eventually(() => expect(marksOf(heard)).toContain("fanfare:gap"), PATIENCE);
  await publisher.publish("memory", "number", 3);
  await eventually(() => expect(dataOf(heard)).toEqual([1, 3]), PATIENCE);
});
