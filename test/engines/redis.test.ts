/** The Redis engine on a real server: what every engine has to do. */

import { expect, test } from "bun:test";
import { Redis } from "ioredis";
import { redisEngine } from "../../packages/server/src/engines/redis/engine.ts";
import { engineContract, outageContract, silentConnectionContract } from "../../packages/server/testing/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { LISTENS, settingsFor, startRedis } from "../support/redis.ts";
import { realClock, startNode, startSilencedNode } from "../support/redis-node.ts";
import { runner } from "../support/runner.ts";
import { startProxy } from "../support/tcp-proxy.ts";

const server = await startRedis();

const redis = () => ({ engine: redisEngine(settingsFor(server.port), realClock), pass: (ms: number) => Bun.sleep(ms) });

engineContract(runner, "redis", redis);

outageContract(runner, "redis", async ({ waitMs, waitBytes }) => {
  const own = await startRedis();
  const node = await startNode(settingsFor(own.port, { publishWaitMs: waitMs, publishWaitBytes: waitBytes }));
  const leave = async () => {
    await own.kill();
    await eventually(() => expect(node.engine.health().reachable).toBe(false));
  };
  return { node, leave, comeBack: () => own.start() };
});

silentConnectionContract(runner, "redis", {
  "nothing comes but the answers to PING": async () => {
    const proxy = await startProxy(server.port);
    return await startSilencedNode(settingsFor(proxy.port), [proxy]);
  },
  "it leads to another Redis, which is empty": async () => {
    const [proxy, other] = [await startProxy(server.port), await startRedis()];
    const node = await startNode(settingsFor(proxy.port));
    const silence = () => proxy.divert({ which: LISTENS, target: other.port });
    return { node, silence, restore: () => proxy.mend() };
  },
});

test("what comes a second time over Redis is heard once: arrivals and departures, too", async () => {
  const settings = settingsFor(server.port);
  const [a, b] = [await startNode(settings), await startNode(settings)];
  const tap = new Redis({ host: "127.0.0.1", port: server.port });
  atEnd(() => tap.disconnect());
  const carried: [string, string][] = [];
  tap.on("pmessage", (_, subject: string, text: string) => carried.push([subject, text]));
  await tap.psubscribe(`${settings.prefix}:v2:channel:*`);
  await b.subscribe("presence-x");
  await a.join("presence-x", "1");
  await a.leave("presence-x", "1");
  await a.publish("presence-x", "said");
  await eventually(() => expect(carried).toHaveLength(3));
  for (const [subject, text] of [...carried]) await server.cli("PUBLISH", subject, text);
  await a.publish("presence-x", "last");
  await eventually(() => expect(b.heard("presence-x").at(-1)).toBe("last"));
  expect(b.received.map(({ type }) => type)).toEqual(["joined", "left", "event", "event"]);
});

test("what goes to Redis in one command fails each by itself, and comes in the order in which it was sent", async () => {
  const settings = settingsFor(server.port);
  const [a, b] = [await startNode(settings), await startNode(settings)];
  const channels = ["presence-1", "presence-2", "presence-3"];
  await a.join("presence-2", "early");
  const members = await server.cli(
    "SCAN",
    "0",
    "MATCH",
    `${settings.prefix}:*:presence:app:presence-2`,
    "COUNT",
    "99999",
  );
  for (const key of [`${settings.prefix}:v2:history:app:presence-2`, ...(members as [string, string[]])[1]]) {
    await server.cli("SET", key, "of another type");
  }
  for (const channel of channels) await b.subscribe(channel);
  const done = await Promise.allSettled([
    ...channels.map((channel) => a.join(channel, "1")),
    ...channels.map((channel) => a.publish(channel, "kept", { size: 10, ttlMs: 60_000 })),
  ]);
  const outcomes = ["fulfilled", "rejected", "fulfilled"];
  expect(done.map(({ status }): string => status)).toEqual([...outcomes, ...outcomes]);
  await eventually(() =>
    expect(b.received.map(({ type, channel }) => `${type} ${channel}`)).toEqual([
      "joined presence-1",
      "joined presence-3",
      "event presence-1",
      "event presence-3",
    ]),
  );
});

test("joins that are answered with long rosters go in several commands, so that Redis serves others in between", async () => {
  const node = await startNode(settingsFor(server.port));
  const long = "n".repeat(900);
  const joinAll = (from: number) =>
    Promise.all(
      Array.from({ length: 50 }, (_, n) => node.join("presence-large", `${from + n}-${long}`, `c-${from + n}`)),
    );
  const commands = async () =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await server.cli("INFO", "commandstats")))?.[1]);
  await joinAll(0);
  const before = await commands();
  await joinAll(50);
  // Each is answered with 50 to 100 members of a kilobyte.
  expect((await commands()) - before).toBeGreaterThan(10);
});
