/**
 * An engine that comes back: with its data or without, at another place, as a replica of what it was, or as the one that it was
 * before. Whatever it is, nobody hears anything a second time, nothing that is accepted later is lost, and native clients
 * of a channel with history are told of the gap where nothing proves that there is none.
 */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { ConfigInput, Server } from "../../packages/server/src/index.ts";
import { configOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { type RedisServer, startRedis, startReplica, startSentinels } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import type { TestSocket } from "../support/socket.ts";
import { startProxy } from "../support/tcp-proxy.ts";

setDefaultTimeout(240_000);

const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const LASTING = ["--appendonly", "yes", "--appendfsync", "always"];
const KINDS = ["kept-room", "presence-kept", "cache-room"];

interface Ground {
  readonly where: ConfigInput;
  /**
   * One after the other. Each resolves when the engine is what it is to be from then on, and says whether that is to be
   * unseen: then nobody is told of a gap.
   */
  readonly faults: readonly (() => Promise<"unseen" | undefined>)[];
}

const at = (port: number) => ({ engine: "redis", redis: { port } }) as const;

/** Killed as the power goes, or ended by whoever runs it; and started again where it was. */
function again(server: RedisServer | NatsServer, end: () => Promise<void> = () => server.kill()) {
  return async () => {
    await end();
    await server.start();
    return undefined;
  };
}

const GROUNDS: Readonly<Record<string, () => Promise<Ground>>> = {
  "a Redis that is killed and comes back with its data, twice": async () => {
    const server = await startRedis({ args: LASTING });
    return { where: at(server.port), faults: [again(server), again(server)] };
  },
  "a Redis that is stopped and comes back with its data": async () => {
    const server = await startRedis({ args: LASTING });
    return { where: at(server.port), faults: [again(server, () => server.stop())] };
  },
  "a Redis that comes back with its data three times before anybody looks": async () => {
    const server = await startRedis({ args: LASTING });
    const wire = await startProxy(server.port);
    const fault = async () => {
      wire.cut();
      // Each life begins an epoch of its own where anybody asks.
      for (let times = 0; times < 3; times++) {
        await again(server)();
        const other = await startServer({ ...configOf(), ...at(server.port), log: { level: "silent" } });
        await watchersOf(other, "eve", ["kept-room", "cache-room"]);
        await other.stop();
      }
      wire.mend();
      return undefined;
    };
    return { where: at(wire.port), faults: [fault] };
  },
  "a Redis that comes back empty, twice": async () => {
    const server = await startRedis();
    return { where: at(server.port), faults: [again(server), again(server)] };
  },
  "a replica that is promoted by hand": async () => {
    const master = await startRedis();
    const replica = await startReplica(master);
    const wire = await startProxy(master.port);
    const fault = async () => {
      await master.kill();
      await replica.cli("REPLICAOF", "NO", "ONE");
      wire.lead(replica.port);
      return undefined;
    };
    return { where: at(wire.port), faults: [fault] };
  },
  "a replica that lacks the end": async () => {
    const master = await startRedis();
    const replica = await startReplica(master);
    const wire = await startProxy(master.port);
    // From here on it is told nothing.
    const part = async () => {
      await replica.cli("REPLICAOF", "NO", "ONE");
      return "unseen" as const;
    };
    const fault = async () => {
      await master.kill();
      wire.lead(replica.port);
      return undefined;
    };
    return { where: at(wire.port), faults: [part, fault] };
  },
  "sentinels that promote a replica": async () => {
    const { master, replica, ports } = await startSentinels();
    const fault = async () => {
      await master.kill();
      await eventually(async () => expect(String(await replica.cli("ROLE"))).toStartWith("master"), PATIENCE);
      return undefined;
    };
    const sentinels = ports.map((port) => `127.0.0.1:${port}`);
    return { where: { engine: "redis", redis: { sentinels } }, faults: [fault] };
  },
  "another Redis, and then the first again": async () => {
    const [one, other] = [await startRedis(), await startRedis()];
    const wire = await startProxy(one.port);
    const leadTo = (port: number) => async () => void wire.lead(port) as undefined;
    return { where: at(wire.port), faults: [leadTo(other.port), leadTo(one.port), leadTo(other.port)] };
  },
  "a NATS that comes back empty, twice": async () => {
    const server = await startNats();
    const where = { engine: "nats", nats: { servers: [server.address] } } as const;
    return { where, faults: [again(server), again(server)] };
  },
  "another NATS, and then the first again": async () => {
    const [one, other] = [await startNats(), await startNats()];
    const wire = await startProxy(one.port);
    const leadTo = (port: number) => async () => void wire.lead(port) as undefined;
    const where = { engine: "nats", nats: { servers: [`127.0.0.1:${wire.port}`] } } as const;
    return { where, faults: [leadTo(other.port), leadTo(one.port), leadTo(other.port)] };
  },
};

interface Watcher {
  readonly name: string;
  readonly socket: TestSocket;
}

/** One of each protocol on the server, in all channels. */
async function watchersOf(server: Server, user: string, channels: readonly string[]): Promise<readonly Watcher[]> {
  const native = await connectNative(server.url);
  const pusher = await connectPusher(server.url);
  for (const channel of channels) {
    const member = channel.startsWith("presence-") ? { user_id: user } : undefined;
    await native.subscribe(channel, member && native.permission(channel, member));
    await pusher.subscribe(channel, member && { data: member });
  }
  return [
    { name: `native ${user}`, socket: native.socket },
    { name: `pusher ${user}`, socket: pusher.socket },
  ];
}

function heard({ socket }: Watcher, channel: string): readonly number[] {
  return socket.frames.flatMap((frame) =>
    frame.channel === channel && frame.event === "said" ? Number(frame.data) : [],
  );
}

/** Says a number that nobody said before, without a key, by which it would be known; what is refused is not said again. */
async function say(server: Server, channel: string): Promise<number> {
  return await eventually(async () => {
    const number = ++last;
    const body = { name: "said", channel, data: String(number) };
    const answer = await signedFetch(server.url, APP, "POST", "/events", { body });
    await answer.arrayBuffer();
    expect(answer.status).toBe(200);
    return number;
  }, PATIENCE);
}

let last = 0;

async function expectReady(servers: readonly Server[]): Promise<void> {
  for (const { url } of servers) {
    await eventually(async () => expect((await fetch(`${url}/ready`)).status).toBe(200), PATIENCE);
  }
}

async function expectHeard(watchers: readonly Watcher[], channel: string, said: readonly number[]): Promise<void> {
  for (const watcher of watchers) {
    const told = () => [watcher.name, channel, ...heard(watcher, channel)];
    await eventually(() => expect(told()).toEqual([watcher.name, channel, ...said]), PATIENCE);
  }
}

/** Native clients of a channel with history are told, each once more than before. */
async function expectGap(watchers: readonly Watcher[], before: readonly number[]): Promise<void> {
  for (const [n, watcher] of watchers.entries()) {
    if (watcher.name.startsWith("pusher")) continue;
    await eventually(() => expect(gapsOf(watcher)).toBeGreaterThan(before[n] ?? 0), PATIENCE);
  }
}

function gapsOf({ socket }: Watcher): number {
  return socket.frames.filter(({ event, channel }) => event === "gap" && channel === "kept-room").length;
}

function changesOf({ socket }: Watcher): number {
  return socket.frames.filter(({ event }) => event.includes("member_")).length;
}

test.each(Object.entries(GROUNDS))("%s: nothing is heard twice, and all that comes later once", async (_, make) => {
  const { where, faults } = await make();
  const config = { ...configOf(), ...where, log: { level: "silent" } } as const;
  const servers = [await startServer(config), await startServer(config)] as const;
  const [a, b] = servers;
  const watchers = [...(await watchersOf(a, "ada", KINDS)), ...(await watchersOf(b, "bob", KINDS))];
  const said = new Map<string, readonly number[]>();
  const sayTo = async (server: Server, channel: string, count: number) => {
    const more: number[] = [];
    for (let n = 0; n < count; n++) more.push(await say(server, channel));
    const all = [...(said.get(channel) ?? []), ...more];
    said.set(channel, all);
    await expectHeard(watchers, channel, all);
  };
  for (const channel of KINDS) await sayTo(a, channel, 5);
  const changes = watchers.map(changesOf);
  for (const [n, fault] of faults.entries()) {
    const before = watchers.map(gapsOf);
    if ((await fault()) === "unseen") {
      for (const channel of KINDS) await sayTo(b, channel, 3);
      continue;
    }
    await expectGap(watchers, before);
    await expectReady(servers);
    for (const channel of KINDS) await sayTo(n % 2 === 0 ? b : a, channel, 3);
  }
  const newcomers = [...(await watchersOf(a, "cy", KINDS)), ...(await watchersOf(b, "dan", KINDS))];
  for (const channel of KINDS) {
    await sayTo(b, channel, 2);
    // A newcomer to a cache channel is handed its last event.
    await expectHeard(newcomers, channel, (said.get(channel) ?? []).slice(channel.startsWith("cache-") ? -3 : -2));
  }
  // Of members they hear nothing but that the newcomers came.
  for (const [n, watcher] of watchers.entries()) expect(changesOf(watcher)).toBe((changes[n] ?? 0) + 2);
});

test("a history of ten thousand that comes back with its Redis is not heard again, and what comes later is heard once", async () => {
  const server = await startRedis({ args: LASTING });
  const node = await startServer({ ...configOf(), ...at(server.port), log: { level: "silent" } });
  const watchers = await watchersOf(node, "ada", ["kept-room"]);
  const said = Array.from({ length: 10_000 }, (_, n) => n);
  const push = (numbers: readonly number[]) =>
    Promise.all(numbers.map((data) => node.toChannel("kept-room").push({ event: "said", data })));
  for (let from = 0; from < said.length; from += 500) {
    await push(said.slice(from, from + 500));
    await expectHeard(watchers, "kept-room", said.slice(0, from + 500));
  }
  await server.kill();
  await server.start();
  await expectGap(watchers, [0, 0]);
  await expectReady([node]);
  const later = [10_000, 10_001, 10_002];
  await push(later);
  await expectHeard(watchers, "kept-room", [...said, ...later]);
});
