/** Whole servers, and engines, that are killed or stopped: who stays is told how many subscribe now, although nobody unsubscribed. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { ENGINES, startCluster, startNode } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { NativeTestClient } from "../support/native-client.ts";
import { startNats } from "../support/nats.ts";
import type { PusherTestClient } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { scaled } from "../support/soak.ts";

setDefaultTimeout(180_000);

const PATIENCE = { withinMs: 60_000, everyMs: 50 };

/** The last number that the client was told of the channel. */
function counted({ socket }: NativeTestClient | PusherTestClient, room = "room"): number | undefined {
  const told = socket.frames.flatMap(({ event, channel, data }) => {
    if (channel !== room) return [];
    if (event === "subscription_count") return (data as { count: number }).count;
    if (event !== "pusher_internal:subscription_count") return [];
    return (JSON.parse(String(data)) as { subscription_count: number }).subscription_count;
  });
  return told.at(-1);
}

test.each(ENGINES.flatMap((engine) => (["SIGKILL", "SIGTERM"] as const).map((signal) => [engine, signal] as const)))(
  "on %s, a node that goes by %s takes its subscribers out of the count that others are told",
  async (engine, signal) => {
    const [a, b] = await startCluster(engine, { ...COUNTING, config: { nodeTimeoutS: 3 } });
    if (!a || !b) throw new Error("Two nodes were asked for.");
    const stay = [await b.native(), await b.pusher()];
    const go = [await a.native(), await a.native(), await a.native()];
    for (const client of [...stay, ...go]) await client.subscribe("room");
    for (const client of stay) await eventually(() => expect(counted(client)).toBe(5), PATIENCE);
    if (signal === "SIGKILL") await a.kill();
    else a.signal(signal);
    for (const client of stay) await eventually(() => expect(counted(client)).toBe(2), PATIENCE);
  },
);

/** A server to be away for a while, and the settings that lead to it. */
async function engineOf(name: "redis" | "nats") {
  if (name === "redis") {
    const server = await startRedis();
    return { server, where: { engine: name, redis: { port: server.port } } };
  }
  const server = await startNats();
  return { server, where: { engine: name, nats: { servers: [server.address] } } };
}

/** The numbers that clients are left with have to stand this long. */
const STANDING_MS = 1_000;
/** Longer than a number waits for its engine. */
const AWAY_MS = 2_000;
const COUNTING = { app: { subscriptionCounts: true }, config: { publishWaitS: 1 } };

async function leaveWhileAway(name: "redis" | "nats", how: "killed" | "stopped"): Promise<void> {
  const { server, where } = await engineOf(name);
  const [a, b] = [await startNode(where, COUNTING), await startNode(where, COUNTING)];
  const [stay, here, there] = [await a.native(), await a.native(), await b.native()];
  for (const client of [stay, here]) for (const room of ["alone", "shared"]) await client.subscribe(room);
  await there.subscribe("shared");
  const counts = () => [counted(stay, "alone"), counted(stay, "shared")];
  await eventually(() => expect(counts()).toEqual([2, 3]), PATIENCE);
  if (how === "killed") await server.kill();
  else server.signal("SIGSTOP");
  for (const client of [here, there]) client.socket.terminate();
  await Bun.sleep(AWAY_MS);
  if (how === "killed") await server.start();
  else server.signal("SIGCONT");
  await eventually(() => expect(fetch(`${a.url}/ready`)).resolves.toMatchObject({ status: 200 }), PATIENCE);
  await eventually(() => expect(counts()).toEqual([1, 1]), { ...PATIENCE, withinMs: scaled(5_000, 20_000) });
  await Bun.sleep(STANDING_MS);
  expect(counts()).toEqual([1, 1]);
}

test.each(["killed", "stopped"] as const)(
  "who left while the engine was %s is out of the numbers that are told, within 5 s of its return",
  async (how) => {
    await Promise.all([leaveWhileAway("redis", how), leaveWhileAway("nats", how)]);
  },
);
