/** Three nodes on one Redis that join, leave, publish, die and are cut off at random, against a plain list of who is where. */

import { expect, test } from "bun:test";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import { eventually } from "../support/eventually.ts";
import { settingsFor, startRedis } from "../support/redis.ts";
import { type RedisNode, startNode } from "../support/redis-node.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";

const SEED = 20_261_121;
const STEPS = 1_500;
const CHANNELS = ["presence-a", "presence-b", "presence-c"];
const USERS = ["1", "2", "3", "4", "5", "6"];
const PATIENCE = { withinMs: 60_000, everyMs: 50 };

interface Seat {
  readonly node: RedisNode;
  readonly wire: TcpProxy;
  /** Channel, user and connection of its members; what the node was asked for last. */
  readonly rows: Map<string, readonly [string, string, string]>;
}

test(`after ${STEPS} steps at random, with nodes that are cut off and taken for dead, everybody is where they should be`, async () => {
  const server = await startRedis();
  const same = settingsFor(server.port, { nodeTimeoutMs: 1_500, commandTimeoutMs: 400 });
  const chance = generator(SEED);
  const seat = async (): Promise<Seat> => {
    const wire = await startProxy(server.port);
    const at = { host: "127.0.0.1", port: wire.port };
    const node = await startNode({ ...same, topology: { type: "server", at } });
    await Promise.all(CHANNELS.map((channel) => node.subscribe(channel)));
    return { node, wire, rows: new Map() };
  };
  const seats = [await seat(), await seat(), await seat()];
  const witness = await startNode(same);
  await Promise.all(CHANNELS.map((channel) => witness.subscribe(channel)));
  let connections = 0;

  const come = async ({ node, rows }: Seat) => {
    const row = [pick(CHANNELS, chance), pick(USERS, chance), `c${connections++}`] as const;
    if (await isDone(node.join(...row))) rows.set(row[2], row);
  };
  const go = async ({ node, rows }: Seat) => {
    const row = pick([...rows.values()], chance);
    if (!row) return;
    rows.delete(row[2]);
    await isDone(node.leave(...row));
  };
  for (let step = 0; step < STEPS; step++) {
    const at = pick(seats, chance);
    if (!at) continue;
    const dice = chance();
    if (dice < 0.5) await come(at);
    else if (dice < 0.98) await go(at);
    else if (dice < 0.99) {
      at.wire.cut();
      await Bun.sleep(chance() * 200);
      at.wire.mend();
    } else if (dice < 0.993) {
      at.wire.swallow();
      await go(at);
      await Bun.sleep(chance() * 2_500);
      at.wire.mend();
    } else if (dice < 0.997) await server.cli("CLIENT", "KILL", "TYPE", "normal");
    else await server.cli("FLUSHALL");
  }

  for (const channel of CHANNELS) {
    const expected = [...new Set(seats.flatMap(({ rows }) => usersIn(rows, channel)))].sort();
    await eventually(async () => expect(await witness.members(channel)).toEqual(expected), PATIENCE);
    // Whoever only listened, and was never interrupted, has heard the same.
    await eventually(() => expect(heardIn(witness, channel)).toEqual(expected), PATIENCE);
  }
  for (const { node, rows } of seats) {
    for (const row of rows.values()) expect(await isDone(node.leave(...row))).toBe(true);
    await node.engine.close();
  }
  await witness.engine.close();
  expect(await server.cli("KEYS", `${same.prefix}*`)).toEqual([]);
}, 180_000);

/** False where the engine was away. */
async function isDone(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof CommandError && error.code === "engine_unavailable") return false;
    throw error;
  }
}

function usersIn(rows: Seat["rows"], channel: string): readonly string[] {
  return [...rows.values()].flatMap(([of, user]) => (of === channel ? [user] : []));
}

/** Who is there for somebody who hears of arrivals and departures. */
function heardIn(node: RedisNode, channel: string): readonly string[] {
  const there = new Set<string>();
  for (const publication of node.received) {
    if (publication.channel !== channel) continue;
    if (publication.type === "joined") there.add(publication.member.id);
    if (publication.type === "left") there.delete(publication.member.id);
  }
  return [...there].sort();
}

function pick<T>(from: readonly T[], chance: () => number): T {
  const found = from[Math.floor(chance() * from.length)];
  return found as T;
}

/** Mulberry32: the same run each time, as far as the world allows. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
