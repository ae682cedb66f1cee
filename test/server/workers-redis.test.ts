/** Workers of a server whose engine is Redis: each is a node of the cluster by itself, and the first process only looks after them. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { oneOnEach, startWorkers, workerPids } from "../support/workers.ts";

test("workers meet in Redis, with those of another machine, and the others report one that is killed", async () => {
  const redis = await startRedis();
  const config = { engine: "redis", redis: { port: redis.port }, nodeTimeoutS: 3 } as const;
  const server = await startWorkers(config);
  const other = await startWorkers(config);
  const [watcher, dies] = await oneOnEach(server.url, 2);
  const [elsewhere] = await oneOnEach(other.url, 1);
  if (!watcher || !dies || !elsewhere) throw new Error("Two workers here and one there were asked for.");
  const all = [watcher, dies, elsewhere];
  for (const [index, { client }] of all.entries()) {
    await client.subscribe("room");
    await client.subscribe(
      "presence-room",
      client.permission("presence-room", { user_id: index === 2 ? "1" : `${index}` }),
    );
  }
  await dies.client.ask("say", { ask: "say", channel: "room", text: "by a worker" });
  for (const { client } of all) expect((await client.next("said")).data).toBe("by a worker");
  other.signal("SIGUSR2");
  for (const { client } of all) expect((await client.next("said")).data).toBe("by the first process");
  const [, told = "{}"] = await other.prints(/^told (.*)$/m);
  const { nodes } = JSON.parse(told) as { nodes: { name: string }[] };
  const pids = nodes.map(({ name }) => Number(name.split(":").at(-1)));
  for (const pid of [...workerPids(server.pid), ...workerPids(other.pid)]) expect(pids).toContain(pid);

  process.kill(dies.pid, "SIGKILL");
  await server.prints(/worker \d listens again/, 20_000);
  // Its user is still there, on the other machine.
  await elsewhere.client.close();
  await watcher.client.next("member_removed", 20_000);
  await Bun.sleep(300);
  const again = (await watcher.client.unread()).filter(({ event }) => event === "member_removed");
  expect(again).toEqual([]);
  await eventually(() => expect(workerPids(server.pid)).toHaveLength(2));
}, 60_000);
