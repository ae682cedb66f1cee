/** Many clients that come back to one channel at once: Redis is asked few times, and each client gets exactly what it missed. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectNative, type NativeTestClient } from "../support/native-client.ts";
import { trigger } from "../support/pusher-client.ts";
import type { RedisServer } from "../support/redis.ts";
import { APP } from "../support/server.ts";
import { startCluster } from "./cluster.ts";

setDefaultTimeout(180_000);

const ROOM = "kept-room";
const MANY = 500;

async function scriptsRun(redis: RedisServer): Promise<number> {
  const said = String(await redis.cli("INFO", "commandstats"));
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(said)?.[1] ?? 0);
}

function heard(client: NativeTestClient): readonly number[] {
  return client.socket.frames.filter(({ event }) => event === "e").map(({ data }) => Number(data));
}

test("five hundred that resume while somebody publishes miss nothing, hear nothing twice, and cost few reads", async () => {
  const app = { anonymous: true, channels: [{ match: ROOM, history: { size: 1_000, ttlS: 60 } }] };
  const { redis, one, other } = await startCluster({}, app);
  const say = (url: string, n: number) => trigger(url, APP, { name: "e", channel: ROOM, data: `${n}` });
  const first = await connectNative(one.url);
  const { position } = await first.subscribe(ROOM);
  for (let n = 1; n <= 50; n++) await say(one.url, n);
  const clients: NativeTestClient[] = [];
  while (clients.length < MANY) {
    clients.push(...(await Promise.all(Array.from({ length: 100 }, () => connectNative(one.url)))));
  }
  const before = await scriptsRun(redis);
  const answers = clients.map((client) => client.subscribe(ROOM, { position }));
  for (let n = 51; n <= 100; n++) await say(n % 2 === 0 ? one.url : other.url, n);
  for (const answer of answers) expect(await answer).toMatchObject({ recovered: true, position });
  const all = Array.from({ length: 100 }, (_, n) => n + 1);
  for (const client of clients) await eventually(() => expect(heard(client)).toEqual(all), { withinMs: 20_000 });
  // Fifty of them are publications; beats and counts are some more.
  expect((await scriptsRun(redis)) - before).toBeLessThan(50 + MANY / 2);
});
