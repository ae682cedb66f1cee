/** A node that joins a full cluster gets its share of the connections: those that miss nothing by it, and nobody notices. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ChannelAuthorizationHandler } from "pusher-js";
import { type Client, createClient } from "../../packages/client/src/index.ts";
import type { ConfigInput, Server } from "../../packages/server/src/index.ts";
import { connect, freshPusher, recoveringPusher } from "../client-pusher/pusher-js.ts";
import { atEnd } from "../support/at-end.ts";
import { engineSettings } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { channelAuth, connectPusher, signedFetch, trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { type Choice, startTcpBalancer } from "../support/tcp-balancer.ts";
import { QUICK, startFillingNode } from "./filling.ts";

setDefaultTimeout(120_000);

const PATIENCE = { withinMs: 60_000, everyMs: 100 };

/** Members of `presence-hall` who read a room each, and keep what they hear. */
interface Reader {
  readonly room: string;
  readonly heard: number[];
  readonly problems: unknown[];
  /** Of its connection now. */
  id(): string | undefined;
}

const ROOMS = 5;

async function startReaders(port: number, natives: number, pushers: number): Promise<readonly Reader[]> {
  const readers: Reader[] = [];
  for (let n = 0; n < natives; n++) readers.push(await nativeReader(port, n));
  const Recovering = recoveringPusher({ spreadMs: 200 });
  for (let n = 0; n < pushers; n++) readers.push(pusherReader(Recovering, port, natives + n));
  return readers;
}

async function nativeReader(port: number, n: number): Promise<Reader> {
  const token = await makeToken({ sub: `reader-${n}`, channels: ["presence-*"] });
  const client: Client = createClient({ url: `ws://127.0.0.1:${port}`, token, backoff: { minMs: 50, maxMs: 500 } });
  atEnd(() => client.close());
  const room = `room-${n % ROOMS}`;
  const reader: Reader = { room, heard: [], problems: [], id: () => client.snapshot.id };
  const channel = client.channel(room);
  channel.on("n", (data) => void reader.heard.push(Number(data)));
  channel.onGap((gap) => void reader.problems.push(gap));
  client.channel("presence-hall").on("n", () => {});
  return reader;
}

function pusherReader(Class: ReturnType<typeof recoveringPusher>, port: number, n: number): Reader {
  const customHandler = hallPermission(`reader-${n}`);
  const { pusher, listen } = connect(Class, port, { channelAuthorization: { customHandler } as never });
  const room = `room-${n % ROOMS}`;
  const reader: Reader = { room, heard: [], problems: [], id: () => pusher.connection.socket_id };
  const { channel } = listen(room);
  channel.bind("n", (data: unknown) => void reader.heard.push(Number(data)));
  channel.bind("fanfare:gap", (gap: unknown) => void reader.problems.push(gap));
  listen("presence-hall");
  return reader;
}

function hallPermission(user: string): ChannelAuthorizationHandler {
  return ({ socketId, channelName }, callback) => {
    const channel_data = JSON.stringify({ user_id: user });
    callback(null, { auth: channelAuth(APP, socketId, channelName, channel_data), channel_data });
  };
}

/** Publishes numbers to all rooms until it is stopped, through any of the nodes. */
function startPress(nodes: readonly Server[]): { stop(): Promise<readonly number[]> } {
  const said: number[] = [];
  let isOver = false;
  const run = async () => {
    for (let n = 0; !isOver; n++) {
      const channels = Array.from({ length: ROOMS }, (_, room) => `room-${room}`);
      await trigger(nodes[n % nodes.length]?.url ?? "", APP, { name: "n", channels, data: String(n) });
      said.push(n);
      await Bun.sleep(20);
    }
  };
  const running = run();
  return {
    stop: async () => {
      isOver = true;
      await running;
      return said;
    },
  };
}

/** A member of the hall on each node, who stays and hears who comes and goes. */
async function startWitness(node: Server, user: string) {
  const client = await connectPusher(node.url);
  await client.subscribe("presence-hall", { data: { user_id: user } });
  await client.subscribe("plain-room");
  const moves = () =>
    client.socket.unread.filter(({ event }) => /^pusher_internal:member_/.test(event)).map(({ data }) => data);
  return { client, moves };
}

const countsOf = async (node: Server) => (await node.nodes()).map(({ connections }) => connections);

async function expectEven(node: Server, movable: number): Promise<void> {
  const counts = await countsOf(node);
  const even = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  for (const count of counts) expect(Math.abs(count - even)).toBeLessThanOrEqual(Math.max(1, even * 0.1));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(movable);
}

interface Filled {
  readonly where: ConfigInput;
  readonly nodes: Server[];
  readonly balancer: Awaited<ReturnType<typeof startTcpBalancer>>;
  readonly readers: readonly Reader[];
}

/** Nodes with their clients. */
async function fill(
  engine: "redis" | "nats",
  count: number,
  choice: Choice,
  natives: number,
  pushers: number,
): Promise<Filled> {
  const where = await engineSettings(engine);
  const nodes: Server[] = [];
  while (nodes.length < count) nodes.push(await startFillingNode(where));
  const balancer = await startTcpBalancer(
    nodes.map(({ port }) => port),
    choice,
  );
  const readers = await startReaders(balancer.port, natives, pushers);
  await eventually(async () => {
    const answer = await signedFetch(nodes[0]?.url ?? "", APP, "GET", "/channels/presence-hall/users");
    expect(((await answer.json()) as { users: object[] }).users).toHaveLength(natives + pushers);
  }, PATIENCE);
  return { where, nodes, balancer, readers };
}

async function join({ where, nodes, balancer }: Filled): Promise<Server> {
  const node = await startFillingNode(where);
  balancer.add(node.port);
  nodes.push(node);
  return node;
}

// Half a minute of four servers at work for each: on NATS, and with more nodes, in the soak.
const CLUSTERS: readonly (readonly [engine: "redis" | "nats", nodes: number])[] = [
  ["redis", 2],
  ["nats", 2],
  ["redis", 3],
  ["redis", 4],
  ["nats", 4],
];

describe.each(scaled(CLUSTERS, CLUSTERS.slice(0, 1)))("a node that joins on %s, beside %i,", (engine, count) => {
  test("gets its share of those who miss nothing by it: no event is lost, and nobody's presence flickers", async () => {
    const [natives, pushers, staying] = scaled([240, 60, 12], [80, 20, 6]);
    const filled = await fill(engine, count, "least connections", natives, pushers);
    const { nodes, readers, balancer } = filled;
    const stay: { id: string; check: () => Promise<unknown> }[] = [];
    for (let n = 0; n < staying; n++) {
      const native = await connectNative(`http://127.0.0.1:${balancer.port}`);
      await native.subscribe(n % 2 === 0 ? "plain-room" : "room-0");
      if (n % 2 === 1) await native.subscribe("plain-room");
      const { pusher } = connect(freshPusher(), balancer.port);
      pusher.subscribe("room-0");
      await eventually(() => expect(pusher.connection.state).toBe("connected"), PATIENCE);
      const { socket_id: id } = pusher.connection;
      stay.push({ id: native.id, check: () => native.ping() });
      stay.push({ id, check: async () => expect(pusher.connection.socket_id).toBe(id) });
    }
    const [first] = nodes as [Server, ...Server[]];
    const witnesses: Awaited<ReturnType<typeof startWitness>>[] = [];
    for (const [n, node] of nodes.entries()) witnesses.push(await startWitness(node, `witness-${n}`));
    await eventually(() => expect(witnesses[0]?.moves()).toHaveLength(count - 1), PATIENCE);
    const before = new Map(readers.map((reader) => [reader, reader.id()]));
    const press = startPress([...nodes]);
    const joined = await join(filled);
    await eventually(() => expectEven(first, natives + pushers), { ...PATIENCE, withinMs: 90_000 });
    expect(await countsOf(joined)).toHaveLength(count + 1);
    // Until those who are held for members no longer are.
    await Bun.sleep((QUICK.rebalanceHoldS + 1) * 1_000);
    await eventually(() => expectEven(first, natives + pushers), PATIENCE);
    const said = await press.stop();
    await eventually(() => {
      for (const { heard } of readers) expect(heard.at(-1)).toBe(said.at(-1));
    }, PATIENCE);
    for (const { heard, problems } of readers) {
      const from = said.indexOf(heard[0] ?? -1);
      expect(heard).toEqual(said.slice(from));
      expect(problems).toEqual([]);
    }
    const moved = readers.filter((reader) => reader.id() !== before.get(reader)).length;
    const share = (natives + pushers) / (count + 1);
    expect(moved).toBeGreaterThan(share * 0.6);
    expect(moved).toBeLessThan(share * 1.8);
    for (const { moves } of witnesses) {
      expect(moves().filter((data) => !String(data).includes("witness"))).toEqual([]);
    }
    for (const { check } of stay) await check();
    const metrics = await (await fetch(`${first.url}/metrics`)).text();
    expect(Number(/^fanfare_relocations_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
    await Promise.all(nodes.map((node) => node.stop()));
  });
});
