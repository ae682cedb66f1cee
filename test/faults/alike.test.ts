/** Many clients and one fault: the log of a real server tells it in a few lines, not in one for each client. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { startNode } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { channelAuth } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP } from "../support/server.ts";

setDefaultTimeout(180_000);

const MANY = 300;
const PATIENCE = { withinMs: 60_000, everyMs: 50 };

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly during?: string;
  readonly leftOut?: number;
}

function faultsIn(output: string): readonly Line[] {
  const lines = output.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as Line).filter(({ level }) => level >= 50);
}

/** Members of a presence channel: each of them has something to take back when it goes. */
async function enter(url: string) {
  const clients = [];
  while (clients.length < MANY) {
    const some = await Promise.all(Array.from({ length: 50 }, () => connectNative(url)));
    for (const [n, client] of some.entries()) {
      const data = JSON.stringify({ user_id: `${clients.length + n}` });
      const auth = channelAuth(APP, client.id, "presence-room", data);
      await client.subscribe("presence-room", { auth, channel_data: data });
    }
    clients.push(...some);
  }
  return clients;
}

test("three hundred members that go while Redis is dead cost a few lines, which say how many there were", async () => {
  const redis = await startRedis();
  const node = await startNode(
    { engine: "redis", redis: { port: redis.port } },
    { app: { limits: { presenceMembers: 1_000 } } },
  );
  const clients = await enter(node.url);
  await redis.kill();
  for (const client of clients) client.socket.terminate();
  const output = () => faultsIn(node.process.output).filter(({ during }) => during === "background work");
  const count = () => output().reduce((sum, { leftOut = 0 }) => sum + 1 + leftOut, 0);
  await eventually(() => expect(count()).toBeGreaterThanOrEqual(MANY), PATIENCE);
  expect(output().length).toBeLessThan(5);
  expect(faultsIn(node.process.output).length).toBeLessThan(20);
});
