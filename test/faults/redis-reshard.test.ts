/**
 * Slots of a Redis Cluster move to another master while back ends publish: what was taken arrives, once and in order, at clients of both
 * protocols on every node; what could not be is refused, and its key is unused.
 */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Server } from "../../packages/server/src/index.ts";
import { configOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { type RedisServer, startRedisCluster } from "../support/redis.ts";
import { startServer } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import type { TestSocket } from "../support/socket.ts";

setDefaultTimeout(240_000);

const PATIENCE = { withinMs: 60_000, everyMs: 200 };
/** So many that some are in every slot that moves. */
const ROOMS = Array.from({ length: 12 }, (_, n) => n);
/** Slots that move at a time; of a master's 5 461, in short those in which at least some of the channels are. */
const MOVED = scaled(5_461, 2_000);
const CHANNELS = ["room", "kept", "cache"].flatMap((kind) => ROOMS.map((n) => `${kind}-${n}`));

async function listen(server: Server): Promise<readonly TestSocket[]> {
  const native = await connectNative(server.url);
  const pusher = await connectPusher(server.url);
  for (const channel of CHANNELS) await Promise.all([native.subscribe(channel), pusher.subscribe(channel)]);
  return [native.socket, pusher.socket];
}

/** What was said, by channel, in the order in which it was heard. */
function heardBy({ frames }: TestSocket): ReadonlyMap<string, readonly number[]> {
  const heard = new Map<string, number[]>(CHANNELS.map((channel) => [channel, []]));
  for (const { event, channel = "", data } of frames) if (event === "said") heard.get(channel)?.push(Number(data));
  return heard;
}

/** In every channel one after the other, through both servers in turn, until it is over. */
class Load {
  readonly taken = new Map<string, number[]>();
  #isOver = false;
  readonly #done: Promise<unknown>;

  constructor(servers: readonly Server[]) {
    this.#done = Promise.all(CHANNELS.map((channel) => this.#publish(servers, channel)));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #publish(servers: readonly Server[], channel: string): Promise<void> {
    const taken: number[] = [];
    this.taken.set(channel, taken);
    for (let data = 0; !this.#isOver; data++) {
      const server = servers[data % servers.length];
      const isTaken = await server
        ?.toChannel(channel)
        .push({ event: "said", data })
        .then(
          () => true,
          (error) => expect(error).toMatchObject({ code: "engine_unavailable" }),
        );
      if (isTaken) taken.push(data);
      await Bun.sleep(40);
    }
  }
}

async function move(from: RedisServer | undefined, to: RedisServer | undefined, slots: number): Promise<void> {
  const [source, target] = [String(await from?.cli("CLUSTER", "MYID")), String(await to?.cli("CLUSTER", "MYID"))];
  const command = [external("redis-cli"), "--cluster", "reshard", `127.0.0.1:${from?.port}`, "--cluster-from", source];
  const moved = Bun.spawn([...command, "--cluster-to", target, "--cluster-slots", `${slots}`, "--cluster-yes"], {
    stdout: "ignore",
  });
  expect(await moved.exited).toBe(0);
}

test("what is taken while slots move is heard once and in order by everybody", async () => {
  const masters = await startRedisCluster();
  const cluster = masters.map(({ port }) => `127.0.0.1:${port}`);
  const config = { ...configOf(), engine: "redis", redis: { cluster }, log: { level: "silent" } } as const;
  const servers = [await startServer(config), await startServer(config)];
  const sockets = (await Promise.all(servers.map(listen))).flat();
  const load = new Load(servers);
  await Bun.sleep(500);
  const [one, two, three] = masters;
  await move(one, two, MOVED);
  await move(two, three, MOVED);
  await Bun.sleep(500);
  await load.stop();
  for (const socket of sockets) {
    await eventually(() => expect(missing(socket, load.taken)).toEqual([]), PATIENCE);
    for (const [channel, heard] of heardBy(socket)) {
      expect([channel, ...heard]).toEqual([channel, ...new Set(heard.toSorted((one, other) => one - other))]);
    }
  }
});

function missing(socket: TestSocket, taken: ReadonlyMap<string, readonly number[]>): readonly string[] {
  const all = heardBy(socket);
  return [...taken].flatMap(([channel, numbers]) => {
    const heard = new Set(all.get(channel));
    return numbers.filter((data) => !heard.has(data)).map((data) => `${channel} ${data}`);
  });
}
