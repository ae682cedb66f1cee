/** Whole servers that are killed or frozen: what clients of the others, the HTTP API and webhooks are told, and that nobody loses a message. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  type ClusterNode,
  channelsOf,
  ENGINES,
  engineSettings,
  startCluster,
  startNode,
  usersOf,
} from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { NativeTestClient } from "../support/native-client.ts";
import { startRedis } from "../support/redis.ts";
import { scaled, soaking } from "../support/soak.ts";
import type { TestFrame } from "../support/socket.ts";
import { startReceiver } from "./hooks.ts";
import { expectInOrder, missing, Source, startListeners } from "./listener.ts";

setDefaultTimeout(180_000);

const CHANNEL = "presence-room";
const PATIENCE = { withinMs: 60_000, everyMs: 50 };

/** Scenario 4: so many publications a second, through two nodes. */
const PER_SECOND = scaled(500, 250);
const LOAD_MS = scaled(10_000, 1_000);
/** After so much silence a node counts as dead. */
const NODE_TIMEOUT_S = scaled(6, 3);
/** Scenario 3: how long a node is frozen, and how long another may be silent. */
const FREEZE = scaled({ forMs: 30_000, nodeTimeoutS: 6 }, { forMs: 5_000, nodeTimeoutS: 2 });
/** `publishWaitS`, and what these processors need to say so. */
const ANSWERED_MS = 5_500;

const enter = (client: NativeTestClient, id: string, channel = CHANNEL) =>
  client.subscribe(channel, client.permission(channel, { user_id: id }));

function nodesOf(cluster: readonly ClusterNode[]): readonly [ClusterNode, ClusterNode] {
  const [a, b] = cluster;
  if (!a || !b) throw new Error("Two nodes were asked for.");
  return [a, b];
}

function sourcesAt({ url }: ClusterNode, name: string): readonly Source[] {
  const count = 10;
  const everyMs = (1000 * 2 * count) / PER_SECOND;
  return Array.from({ length: count }, (_, n) => new Source(name + "x".repeat(n), () => url, "kept-load", everyMs));
}

/** Users in the order in which the client was told of their coming or going. */
function told(frames: readonly TestFrame[], what: "added" | "removed"): readonly string[] {
  return frames.flatMap(({ event, data }) => {
    if (event === `member_${what}`) return (data as { user: { id: string } }).user.id;
    if (event === `pusher_internal:member_${what}`) return (JSON.parse(String(data)) as { user_id: string }).user_id;
    return [];
  });
}

describe.each(ENGINES)("on %s", (engine) => {
  test("members of a node that is killed leave once, within 10 s, for clients, the API and webhooks (scenario 1)", async () => {
    const { told: hooks, options } = startReceiver();
    const config = { ...options.config, nodeTimeoutS: NODE_TIMEOUT_S };
    const [a, b] = nodesOf(await startCluster(engine, { ...options, config }));
    const native = await b.native();
    await enter(native, "watcher");
    const pusher = await b.pusher();
    await pusher.subscribe(CHANNEL, { data: { user_id: "both" } });
    const lost = await Promise.all(
      ["1", "2", "2", "3", "4", "5", "both"].map(async (id) => {
        const client = await a.native();
        await enter(client, id);
        return client;
      }),
    );
    await lost[0]?.subscribe("only-there");
    const gone = ["1", "2", "3", "4", "5"];
    await eventually(async () => expect(await usersOf(b.url, CHANNEL)).toEqual([...gone, "both", "watcher"]));
    await eventually(() => expect(hooks("member_added")).toHaveLength(7), PATIENCE);
    const beganMs = performance.now();
    await a.kill();
    for (const { socket } of [native, pusher]) {
      await eventually(() => expect([...told(socket.frames, "removed")].sort()).toEqual(gone), PATIENCE);
    }
    expect(performance.now() - beganMs).toBeLessThan(scaled(10_000, 40_000));
    expect(await usersOf(b.url, CHANNEL)).toEqual(["both", "watcher"]);
    await eventually(async () => expect(await channelsOf(b.url)).toEqual([CHANNEL]));
    const ended = () => hooks("member_removed", "channel_vacated");
    const ends = ["channel_vacated only-there", ...gone.map((id) => `member_removed ${CHANNEL} ${id}`)];
    await eventually(() => expect(ended()).toEqual(ends), PATIENCE);
    // Whatever would have been said twice has been by then.
    await Bun.sleep(1_500);
    expect(ended()).toEqual(ends);
    for (const { socket } of [native, pusher]) expect([...told(socket.frames, "removed")].sort()).toEqual(gone);
  });

  test("a node that is killed under load takes nothing along that anybody was told is published (scenario 4)", async () => {
    const [a, b] = nodesOf(await startCluster(engine));
    let isDead = false;
    const listeners = [
      ...(await startListeners(8, "native", "kept-load", (n) => (n % 2 === 0 && !isDead ? a.url : b.url))),
      ...(await startListeners(4, "pusher", "kept-load", () => b.url)),
    ];
    const beganMs = performance.now();
    const [viaA, viaB] = [sourcesAt(a, "a"), sourcesAt(b, "b")];
    const acceptedBy = (sources: readonly Source[]) => sources.flatMap(({ accepted }) => accepted);
    await Bun.sleep(LOAD_MS);
    const perSecond = (1000 * acceptedBy([...viaA, ...viaB]).length) / (performance.now() - beganMs);
    await a.kill();
    isDead = true;
    await Bun.sleep(scaled(2_500, 1_500));
    await Promise.all([...viaA, ...viaB].map((source) => source.stop()));
    const accepted = acceptedBy([...viaA, ...viaB]);
    expect(accepted.length).toBeGreaterThan(100);
    if (soaking) expect(perSecond).toBeGreaterThan(0.95 * PER_SECOND);
    // Workers share one address: a kill breaks calls to either.
    if (engine !== "workers")
      expect(viaB.flatMap(({ unanswered, refused }) => [...unanswered, ...refused])).toEqual([]);
    const stayed = listeners.filter(({ closes }) => closes.length === 0);
    const returned = listeners.filter(({ closes, language }) => closes.length > 0 && language === "native");
    // Which worker a client meets is the kernel's choice: all of them may have been with one.
    if (engine !== "workers") expect([stayed.length, returned.length]).toEqual([8, 4]);
    const checked = [...stayed, ...returned];
    expect(checked.length).toBeGreaterThanOrEqual(8);
    for (const listener of checked) {
      await eventually(() => expect(missing(accepted, listener.heard)).toEqual([]), PATIENCE);
      expectInOrder(listener.heard);
    }
    for (const { recovered } of returned) expect(recovered).toEqual([true]);
    const [first] = checked;
    for (const { heard } of checked) expect(heard).toEqual(first?.heard ?? []);
  });
});

test("nothing is left of nodes that were all killed: not for the one that starts next, and not in Redis when that stops (scenario 2)", async () => {
  const redis = await startRedis();
  const where = { engine: "redis", redis: { port: redis.port }, nodeTimeoutS: 2 } as const;
  const both = await Promise.all([startNode(where), startNode(where)]);
  for (const [n, node] of both.entries()) {
    const client = await node.native();
    await enter(client, `user-${n}`);
    await client.subscribe("room");
  }
  expect(await usersOf(both[1].url, CHANNEL)).toEqual(["user-0", "user-1"]);
  await Promise.all(both.map((node) => node.kill()));
  // Should nobody ever come back, Redis itself clears up.
  const keys = (await redis.cli("KEYS", "*")) as string[];
  expect(keys.length).toBeGreaterThan(0);
  for (const key of keys) expect([key, Number(await redis.cli("PTTL", key)) > 0]).toEqual([key, true]);
  const beganMs = performance.now();
  const next = await startNode(where);
  await eventually(async () => expect(await channelsOf(next.url)).toEqual([]), PATIENCE);
  expect(performance.now() - beganMs).toBeLessThan(scaled(10_000, 40_000));
  const back = await next.native();
  await enter(back, "new");
  expect(await usersOf(next.url, CHANNEL)).toEqual(["new"]);
  await back.close();
  expect((await next.process.stop()).code).toBe(0);
  await eventually(async () => expect(await redis.cli("KEYS", "*")).toEqual([]), PATIENCE);
});

// In short frozen for more than twice the 2 s after which a node counts as dead then.
test.each(["redis", "nats"] as const)(
  "a node on %s that was frozen is taken for dead, wakes, and nobody has moved back (scenario 3)",
  async (engine) => {
    const where = { ...(await engineSettings(engine)), nodeTimeoutS: FREEZE.nodeTimeoutS };
    const [a, b] = await Promise.all([startNode(where), startNode(where)]);
    const watcher = await b.native();
    await enter(watcher, "watcher");
    const asleep = await a.native();
    await enter(asleep, "asleep");
    const moves = await a.native();
    await enter(moves, "moves");
    await asleep.subscribe("kept-room");
    await eventually(() => expect(told(watcher.socket.frames, "added")).toEqual(["asleep", "moves"]));
    const listeners = [
      ...(await startListeners(2, "native", "kept-room", (n) => (n === 0 ? a.url : b.url))),
      ...(await startListeners(2, "pusher", "kept-room", (n) => (n === 0 ? a.url : b.url))),
    ];
    const source = new Source("b", () => b.url, "kept-room", 20);
    a.signal("SIGSTOP");
    const frozenMs = performance.now();
    await eventually(
      () => expect([...told(watcher.socket.frames, "removed")].sort()).toEqual(["asleep", "moves"]),
      PATIENCE,
    );
    expect(await usersOf(b.url, CHANNEL)).toEqual(["watcher"]);
    const again = await b.native();
    await enter(again, "moves");
    moves.socket.terminate();
    await Bun.sleep(FREEZE.forMs - (performance.now() - frozenMs) - 1_000);
    // Asked of the sleeper: it answers when it wakes, and as soon as any other would.
    const late = new Source("late", () => a.url, "late-room", 20);
    await Bun.sleep(1_000);
    expect(late.slowestMs).toBe(0);
    a.signal("SIGCONT");
    await eventually(async () => {
      for (const { url } of [a, b]) expect(await usersOf(url, CHANNEL)).toEqual(["asleep", "moves", "watcher"]);
    }, PATIENCE);
    await eventually(
      () => expect([...told(watcher.socket.frames, "added")].sort()).toEqual(["asleep", "asleep", "moves", "moves"]),
      PATIENCE,
    );
    await Promise.all([source.stop(), late.stop()]);
    expect([source.refused, source.unanswered]).toEqual([[], []]);
    expect(late.unanswered).toEqual([]);
    for (const { slowestMs } of [source, late]) expect(slowestMs).toBeLessThan(1_000 + ANSWERED_MS);
    for (const listener of listeners) {
      // Those of the sleeper get all of it as well, late: its engine's past fills what it missed.
      await eventually(() => expect(missing(source.accepted, listener.heard)).toEqual([]), PATIENCE);
      expect(listener.heard).toEqual(source.accepted);
      expect([listener.closes, listener.gaps]).toEqual([[], 0]);
    }
    // No ghosts: whoever goes now is gone, once.
    await again.close();
    await asleep.close();
    const gone = ["asleep", "asleep", "moves", "moves"];
    await eventually(() => expect([...told(watcher.socket.frames, "removed")].sort()).toEqual(gone), PATIENCE);
    await Bun.sleep(scaled(3_000, 1_000));
    expect([...told(watcher.socket.frames, "removed")].sort()).toEqual(gone);
    for (const { url } of [a, b]) expect(await usersOf(url, CHANNEL)).toEqual(["watcher"]);
  },
);
