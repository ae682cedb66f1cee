/** What nodes have on a real Redis ends where none of them lives, and goes on for as long as one does. */

import { expect, test } from "bun:test";
import type { RedisSettings } from "../../packages/server/src/engines/redis/settings.ts";
import { eventually } from "../support/eventually.ts";
import { settingsFor, startRedis } from "../support/redis.ts";
import { startNode } from "../support/redis-node.ts";
import { startHolder } from "./redis-process.ts";

/** In place of a day. */
const LEASE_MS = 4_000;
const PATIENCE = { withinMs: 60_000, everyMs: 100 };
const TEST_MS = 180_000;

const server = await startRedis();
const settings = () => settingsFor(server.port, { nodeTimeoutMs: 1_000, leaseMs: LEASE_MS });
const keysOf = async ({ prefix }: RedisSettings) => (await server.cli("KEYS", `${prefix}*`)) as string[];
const lifeOf = async (keys: readonly string[]) =>
  await Promise.all(keys.map(async (key) => [key, Number(await server.cli("PTTL", key))] as const));

const HOLDINGS = {
  rows: [
    ["presence-x", "1", "a"],
    ["presence-y", "2", "a"],
  ],
  tallies: [
    ["presence-x", 1],
    ["room", 5],
  ],
  places: [["app", "a"]],
} as const;

test(
  "where every node is killed and none ever starts again, nothing stays",
  async () => {
    const same = settings();
    const [a, b] = [await startHolder(same, HOLDINGS), await startHolder(same, HOLDINGS)];
    expect((await keysOf(same)).length).toBeGreaterThan(10);
    await Promise.all([a.kill(), b.kill()]);
    for (const [key, ms] of await lifeOf(await keysOf(same))) expect([key, ms]).not.toEqual([key, -1]);
    await eventually(async () => expect(await keysOf(same)).toEqual([]), PATIENCE);
  },
  TEST_MS,
);

test(
  "what a living node has outlives the lease, much as it may be, and whoever starts after the others' end finds nothing of theirs",
  async () => {
    const same = settings();
    const rooms = Array.from({ length: 2_000 }, (_, n) => `room-${n}`);
    const lives = await startNode(same);
    await lives.join("presence-x", "lives");
    await lives.join("presence-only", "lives");
    await lives.engine.ledger.acquire("app", "lives", 1);
    for (const room of rooms) await lives.engine.registry.setSubscriberCount("app", room, 1);
    const dead = await startHolder(same, HOLDINGS);
    await dead.kill();
    await eventually(async () => expect(await lives.members("presence-y")).toEqual([]), PATIENCE);
    await Bun.sleep(3 * LEASE_MS);
    for (const channel of ["presence-x", "presence-only"]) expect(await lives.members(channel)).toEqual(["lives"]);
    expect(await lives.engine.registry.channels("app", "room-")).toHaveLength(rooms.length);
    expect(await lives.engine.ledger.acquire("app", "another", 1)).toBe(false);
    const facts = lives.facts.map(({ type, channel }) => `${type} ${channel}`).sort();
    // Of presence-x the living node never counted anybody: it lives and dies with the dead one's.
    expect(facts).toEqual(["left presence-x", "left presence-y", "vacated presence-x", "vacated room"]);
    expect(lives.interruptions).toEqual([]);
    await lives.engine.close();
    expect(await keysOf(same)).toEqual([]);
  },
  TEST_MS,
);

test(
  "whoever starts when half a lease is over since the last beat begins anew, and tells of nobody that was there before",
  async () => {
    const same = settings();
    const dead = await startHolder(same, HOLDINGS);
    await dead.kill();
    await eventually(async () => expect(await keysOf(same)).not.toContain(`${same.prefix}:v2:writers`), PATIENCE);
    const next = await startNode(same);
    expect(await next.join("presence-x", "1")).toMatchObject({ isFirst: true, members: [{ id: "1" }] });
    expect(await next.engine.registry.setSubscriberCount("app", "room", 1)).toBe("occupied");
    expect(await next.engine.ledger.acquire("app", "another", 1)).toBe(true);
    await Bun.sleep(2 * LEASE_MS);
    expect(await next.members("presence-x")).toEqual(["1"]);
    expect(await next.engine.registry.summary("app", "room")).toEqual({ name: "room", subscribers: 1 });
    expect(next.facts).toEqual([]);
    await next.engine.close();
    expect(await keysOf(same)).toEqual([]);
  },
  TEST_MS,
);
