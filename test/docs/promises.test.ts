/** Promises of other servers that no other test has at its centre. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { connectNative } from "../support/native-client.ts";
import { spawnCli } from "../support/process.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";

setDefaultTimeout(60_000);

test("`serve --host --port` listens there, and nowhere else (S1)", async () => {
  const child = spawnCli(["serve", "--host", "127.0.0.2", "--port", "0"]);
  const [, port] = await child.prints(/http:\/\/127\.0\.0\.2:(\d+)/);
  expect((await fetch(`http://127.0.0.2:${port}/health`)).status).toBe(200);
  await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
});

test("however many clients and channels there are, a server has the same few connections to Redis (S35)", async () => {
  const redis = await startRedis();
  const server = await startServer({
    engine: "redis",
    redis: { host: "127.0.0.1", port: redis.port },
    defaults: { anonymous: true },
    apps: [APP],
  });
  const first = await connectNative(server.url);
  await first.subscribe("channel-0");
  const before = await connectionsTo();
  for (let n = 1; n <= 100; n++) {
    const client = await connectNative(server.url);
    await client.subscribe(`channel-${n}`);
    await client.subscribe("everybody");
  }
  await server.toChannel("everybody").push({ event: "e", data: 1 });
  expect(await connectionsTo()).toBeLessThanOrEqual(before);
  expect(before).toBeLessThan(8);

  async function connectionsTo(): Promise<number> {
    return String(await redis.cli("CLIENT", "LIST"))
      .trim()
      .split("\n").length;
  }
});
