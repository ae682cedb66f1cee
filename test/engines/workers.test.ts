/** The workers engine: a node here, and the process between the nodes in another process, over Bun's own channel. */

import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import type { Publication } from "../../packages/server/src/domain/message.ts";
import type { Engine, RegistryChange } from "../../packages/server/src/domain/ports.ts";
import { type WorkerEngine, workersEngine } from "../../packages/server/src/engines/workers/engine.ts";
import type { HubBatch, WorkerBatch } from "../../packages/server/src/engines/workers/messages.ts";
import { EngineNode } from "../../packages/server/testing/engine-node.ts";
import { engineContract, engineHost, outageContract, type PublishWait } from "../../packages/server/testing/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { runner } from "../support/runner.ts";
import type { FromWorkerHub } from "./programs/worker-hub.ts";

const PROGRAM = join(import.meta.dir, "programs", "worker-hub.ts");

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

interface Far {
  readonly pid: number;
  /** A node of a hub that has no other; a new hub for each name. */
  node(board: string, id: string, patience?: PublishWait): WorkerEngine;
  /** The node's process died. */
  died(board: string, id: string): void;
  /** How much each hub remembers. */
  size(board: string): Promise<number>;
  end(): Promise<unknown>;
}

function startFar(): Far {
  const engines = new Map<string, WorkerEngine>();
  const sizes: ((size: number) => void)[] = [];
  const child = Bun.spawn([process.execPath, PROGRAM], {
    serialization: "json",
    stdio: ["ignore", "inherit", "inherit"],
    ipc(message: FromWorkerHub) {
      if ("size" in message) sizes.shift()?.(message.size);
      else engines.get(`${message.board}/${message.id}`)?.receive(message.batch);
    },
  });
  return {
    pid: child.pid,
    node(board, id, patience) {
      const engine = workersEngine(
        clock,
        (batch: WorkerBatch) => {
          if (child.exitCode === null && child.signalCode === null) child.send({ type: "batch", board, id, batch });
        },
        patience,
      );
      engines.set(`${board}/${id}`, engine);
      return engine;
    },
    died: (board, id) => child.send({ type: "gone", board, id }),
    size: (board) => {
      child.send({ type: "size", board });
      return new Promise((resolve) => sizes.push(resolve));
    },
    end: () => {
      child.kill("SIGKILL");
      return child.exited;
    },
  };
}

const far = startFar();
afterAll(() => far.end());

const alone = () => {
  const engine = far.node(crypto.randomUUID(), "a");
  return { engine, pass: (ms: number) => Bun.sleep(ms) };
};

engineContract(runner, "workers", alone);

outageContract(runner, "workers", async (patience) => {
  const own = startFar();
  atEnd(() => own.end());
  const node = new EngineNode(own.node(crypto.randomUUID(), "a", patience));
  await node.engine.start(node);
  // Stopped, as a process is that hangs: where it dies, so do its workers.
  const leave = async () => void process.kill(own.pid, "SIGSTOP");
  const comeBack = async () => void process.kill(own.pid, "SIGCONT");
  return { node, leave, comeBack };
});

interface Node {
  readonly engine: Engine;
  readonly received: Publication[];
  readonly facts: RegistryChange[];
}

const board = () => crypto.randomUUID();

async function startNode(on: string, id: string, from: Far = far): Promise<Node> {
  const engine = from.node(on, id);
  const received: Publication[] = [];
  const facts: RegistryChange[] = [];
  const report = { id, name: id, startedAtMs: 1, connections: 3, lagMs: 0, memoryBytes: 5e6, draining: false };
  const more = { registryChanged: (more: readonly RegistryChange[]) => facts.push(...more), report: () => report };
  await engine.start(engineHost((publication) => received.push(publication), more));
  atEnd(() => engine.close());
  return { engine, received, facts };
}

const said = (data: string, channel = "room") =>
  ({ type: "event", app: "app", channel, event: "e", data }) as const satisfies Publication;
const row = (user: string, connection: string, channel = "presence-x") => ({
  app: "app",
  channel,
  connection,
  member: { id: user, info: { name: user } },
});
const words = ({ received }: Node) => received.map((each) => (each.type === "event" ? each.data : each.type));

describe("two nodes", () => {
  test("hear what either publishes, in the same order", async () => {
    const on = board();
    const [a, b] = [await startNode(on, "a"), await startNode(on, "b")];
    await Promise.all([a.engine.broker.subscribe("app", "room"), b.engine.broker.subscribe("app", "room")]);
    const sent = Array.from({ length: 300 }, (_, n) => (n % 3 === 0 ? b : a).engine.broker.publish(said(String(n))));
    await Promise.all(sent);
    await eventually(() => expect(words(a)).toHaveLength(300));
    await eventually(() => expect(words(b)).toEqual(words(a)));
    const [ofA, ofB] = [words(a).filter((n) => Number(n) % 3 !== 0), words(a).filter((n) => Number(n) % 3 === 0)];
    expect(ofA).toEqual([...ofA].sort((left, right) => Number(left) - Number(right)));
    expect(ofB).toEqual([...ofB].sort((left, right) => Number(left) - Number(right)));
  });

  test("are one: who is where, how many subscribe, what history and the ledger say", async () => {
    const on = board();
    const [a, b] = [await startNode(on, "a"), await startNode(on, "b")];
    const most = Number.POSITIVE_INFINITY;
    expect((await a.engine.registry.join(row("1", "1a"), most)).isFirst).toBe(true);
    expect((await b.engine.registry.join(row("1", "1b"), most)).isFirst).toBe(false);
    expect(await a.engine.registry.setSubscriberCount("app", "presence-x", 1)).toBe("occupied");
    expect(await b.engine.registry.setSubscriberCount("app", "presence-x", 2)).toBeUndefined();
    expect(await a.engine.registry.summary("app", "presence-x")).toEqual({
      name: "presence-x",
      subscribers: 3,
      users: 1,
    });
    expect(await a.engine.registry.setSubscriberCount("app", "presence-x", 0)).toBeUndefined();
    expect(await b.engine.registry.setSubscriberCount("app", "presence-x", 0)).toBe("vacated");
    expect(await a.engine.registry.leave(row("1", "1a"))).toEqual({ isLast: false });
    expect(await b.engine.registry.leave(row("1", "1b"))).toEqual({ isLast: true });
    await a.engine.broker.publish(said("kept"), { size: 2, ttlMs: 60_000 });
    expect((await b.engine.broker.history("app", "room", { limit: 9, direction: "newest" })).events).toHaveLength(1);
    expect(await a.engine.ledger.acquire("app", "x", 1)).toBe(true);
    expect(await b.engine.ledger.acquire("app", "y", 1)).toBe(false);
    expect(await a.engine.ledger.setIfAbsent("call", 60_000)).toBe(true);
    expect(await b.engine.ledger.setIfAbsent("call", 60_000)).toBe(false);
  });

  test("are listed with what they say of themselves, from either", async () => {
    const on = board();
    const [a] = [await startNode(on, "a"), await startNode(on, "b")];
    const nodes = await a.engine.nodes();
    expect(nodes.map(({ id, connections, memoryBytes }) => [id, connections, memoryBytes])).toEqual([
      ["a", 3, 5e6],
      ["b", 3, 5e6],
    ]);
    for (const { silentMs } of nodes) expect(silentMs).toBeLessThan(5_000);
  });

  test("a newcomer is in the channel before the next one's arrival is told", async () => {
    const on = board();
    const [a, b] = [await startNode(on, "a"), await startNode(on, "b")];
    await b.engine.broker.subscribe("app", "presence-x");
    const most = Number.POSITIVE_INFINITY;
    const joins = Array.from({ length: 20 }, async (_, n) => {
      const joining = b.engine.registry.join(row(`b${n}`, `b${n}`), most);
      void a.engine.registry.join(row(`a${n}`, `a${n}`), most);
      const { members } = await joining;
      // What a hub does between the answer and the answer to its client takes a few turns of this queue.
      for (let turn = 0; turn < 20; turn++) await undefined;
      return { members: members.map(({ id }) => id), later: b.received.length };
    });
    const joined = await Promise.all(joins);
    await eventually(() => expect(arrivals(b)).toHaveLength(40));
    for (const { members, later } of joined) {
      const all = new Set([...members, ...arrivals(b).slice(later)]);
      expect(all.size).toBe(40);
    }
  });
});

function arrivals({ received }: Node): string[] {
  return received.flatMap((each) => (each.type === "joined" ? each.member.id : []));
}

describe("a node that died", () => {
  test("leaves nothing: its members leave once, its channels end, its places are free, and one node tells", async () => {
    const on = board();
    const [a, b, c] = [await startNode(on, "a"), await startNode(on, "b"), await startNode(on, "c")];
    const most = Number.POSITIVE_INFINITY;
    await Promise.all([a, b, c].map(({ engine }) => engine.broker.subscribe("app", "presence-x")));
    for (const [node, user, connection] of [
      [a, "1", "1a"],
      [b, "1", "1b"],
      [b, "2", "2b"],
      [b, "2", "2c"],
      [c, "3", "3c"],
    ] as const) {
      await node.engine.registry.join(row(user, connection), most);
    }
    await b.engine.registry.setSubscriberCount("app", "presence-x", 3);
    await c.engine.registry.setSubscriberCount("app", "presence-x", 1);
    await b.engine.registry.setSubscriberCount("app", "only-b", 2);
    expect(await b.engine.ledger.acquire("app", "2b", 1)).toBe(true);

    far.died(on, "b");

    await eventually(() => expect(words(a).filter((word) => word === "left")).toHaveLength(1));
    await eventually(async () => expect(await a.engine.registry.channels("app", "")).toHaveLength(1));
    expect((await a.engine.registry.members("app", "presence-x")).map(({ id }) => id)).toEqual(["1", "3"]);
    expect(await a.engine.registry.summary("app", "presence-x")).toMatchObject({ subscribers: 1, users: 2 });
    expect(await c.engine.ledger.acquire("app", "3c", 1)).toBe(true);
    await eventually(() => expect(a.facts).toHaveLength(3));
    expect(a.facts).toEqual([
      { type: "left", app: "app", channel: "presence-x", member: { id: "2" } },
      { type: "counted", app: "app", channel: "presence-x" },
      { type: "vacated", app: "app", channel: "only-b" },
    ]);
    expect(c.facts).toEqual([]);
    expect((await a.engine.nodes()).map(({ id }) => id)).toEqual(["a", "c"]);
    // It is dead to the others, whatever it may still say.
    Promise.resolve(b.engine.broker.publish(said("ghost", "presence-x"))).catch(() => {});
    await a.engine.broker.publish(said("last", "presence-x"));
    await eventually(() => expect(words(a).at(-1)).toBe("last"));
    expect(words(a)).not.toContain("ghost");
  });

  test("is waited for until it has told on what it was answered, and no longer when it dies", async () => {
    const on = board();
    const [a, b] = [await startNode(on, "a"), await startNode(on, "b")];
    const order: string[] = [];
    const counted = (count: number) =>
      Promise.resolve(b.engine.registry.setSubscriberCount("app", "presence-x", count)).then(() =>
        order.push(`b ${count}`),
      );
    expect(await a.engine.registry.setSubscriberCount("app", "presence-x", 1)).toBe("occupied");
    const one = counted(1);
    // What is asked later is answered, so this answer would be here.
    expect(await b.engine.registry.summary("app", "presence-x")).toMatchObject({ subscribers: 2 });
    order.push("a told");
    a.engine.registry.changesRecorded?.("app", "presence-x");
    await one;
    await a.engine.registry.join(row("1", "1a"), 10);
    expect(await a.engine.registry.leave(row("1", "1a"))).toEqual({ isLast: true });
    const two = counted(2);
    expect(await b.engine.registry.summary("app", "presence-x")).toMatchObject({ subscribers: 3 });
    order.push("a died");
    far.died(on, "a");
    await two;
    expect(order).toEqual(["a told", "b 1", "a died", "b 2"]);
  });

  test("and all others, leave a hub that remembers nothing", async () => {
    const on = board();
    const nodes = [await startNode(on, "a"), await startNode(on, "b"), await startNode(on, "c")];
    for (const [index, { engine }] of nodes.entries()) {
      for (let n = 0; n < 50; n++) {
        await engine.broker.subscribe("app", `presence-${n}`);
        await engine.registry.join(row("u", `${index}-${n}`, `presence-${n}`), 10);
        await engine.registry.setSubscriberCount("app", `presence-${n}`, 1);
        await engine.ledger.acquire("app", `${index}-${n}`, 1_000);
      }
    }
    expect(await far.size(on)).toBeGreaterThan(600);
    far.died(on, "b");
    await nodes[0]?.engine.close();
    far.died(on, "c");
    await eventually(async () => expect(await far.size(on)).toBe(0));
  });
});

describe("a process between the nodes that stops answering", () => {
  test("is told of as unreachable, refuses after five seconds, and publishes nothing of that when it is back", async () => {
    const frozen = startFar();
    atEnd(() => frozen.end());
    const on = board();
    const node = await startNode(on, "a", frozen);
    await node.engine.broker.subscribe("app", "room");
    await node.engine.broker.publish(said("before"));
    expect(node.engine.health()).toEqual({ reachable: true });
    process.kill(frozen.pid, "SIGSTOP");
    const startMs = performance.now();
    const error = await Promise.resolve(node.engine.broker.publish(said("refused"))).catch((reason: unknown) => reason);
    const waitedMs = performance.now() - startMs;
    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ code: "engine_unavailable" });
    expect(waitedMs).toBeGreaterThan(4_900);
    expect(waitedMs).toBeLessThan(9_000);
    expect(node.engine.health()).toMatchObject({ reachable: false });
    process.kill(frozen.pid, "SIGCONT");
    await eventually(() => expect(node.engine.health()).toEqual({ reachable: true }));
    await node.engine.broker.publish(said("after"));
    await eventually(() => expect(words(node).at(-1)).toBe("after"));
    expect(words(node)).toEqual(["before", "after"]);
  }, 30_000);

  test("takes only so many bytes: what is more is refused at once", async () => {
    const frozen = startFar();
    atEnd(() => frozen.end());
    const node = await startNode(board(), "a", frozen);
    process.kill(frozen.pid, "SIGSTOP");
    const data = "x".repeat(1024 * 1024);
    const startMs = performance.now();
    const outcomes = Array.from({ length: 72 }, () =>
      Promise.resolve(node.engine.broker.publish(said(data))).then(
        () => "published",
        () => Math.round(performance.now() - startMs),
      ),
    );
    const refusedAtOnce = await Promise.race([Promise.all(outcomes.slice(64)), Bun.sleep(3_000).then(() => "late")]);
    expect(refusedAtOnce).not.toBe("late");
    await frozen.end();
  }, 30_000);
});

test("what waits for a node that does not read is counted, and said when it is too much", async () => {
  const { WorkerHub } = await import("../../packages/server/src/engines/workers/worker-hub.ts");
  const { memoryEngine } = await import("../../packages/server/src/engines/memory/engine.ts");
  const workerHub = new WorkerHub({ engine: memoryEngine(clock), clock, failed: () => {} });
  await workerHub.start();
  let overflows = 0;
  const batches: HubBatch[] = [];
  const slow = workerHub.attach({ send: (batch) => batches.push(batch), overflowed: () => overflows++ });
  const ask = (requests: WorkerBatch["requests"], acknowledged = 0) =>
    slow.receive({ acknowledged, untilMs: null, requests });
  ask([[1, "subscribe", ["app", "room"]]]);
  const data = "x".repeat(1024 * 1024);
  for (let n = 0; n < 60; n++) ask([[0, "publish", [said(data)]]]);
  await Bun.sleep(10);
  expect(overflows).toBe(0);
  ask([], batches.at(-1)?.number);
  for (let n = 0; n < 60; n++) ask([[0, "publish", [said(data)]]]);
  expect(overflows).toBe(0);
  for (let n = 0; n < 10; n++) ask([[0, "publish", [said(data)]]]);
  expect(overflows).toBeGreaterThan(0);
  await workerHub.close();
});

test("much that comes at once leaves time for everything else, keeps its order, and is acknowledged when it is done", async () => {
  const WORDS = 300;
  const sent: WorkerBatch[] = [];
  const engine = workersEngine(clock, (batch) => sent.push(batch));
  atEnd(() => engine.close());
  const heard: string[] = [];
  const busy = (publication: Publication) => {
    const untilMs = performance.now() + 1;
    while (performance.now() < untilMs);
    if (publication.type === "event") heard.push(publication.data);
  };
  const started = engine.start(engineHost(busy));
  const all = Array.from({ length: WORDS }, (_, n) => String(n));
  const told = all.map((data) => ["publication", said(data)] as const);
  engine.receive({ number: 0, atMs: 0, messages: [["answer", 1]] });
  await started;
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  engine.receive({ number: 1, atMs: 0, messages: told.slice(0, WORDS - 1) });
  engine.receive({ number: 2, atMs: 0, messages: told.slice(WORDS - 1) });
  expect(heard.length).toBeLessThan(WORDS);
  expect(sent.every(({ acknowledged: got }) => got === 0)).toBe(true);
  await eventually(() => expect(heard).toEqual(all));
  clearInterval(ticking);
  expect(ticks).toBeGreaterThan(3);
  await eventually(() => expect(sent.at(-1)?.acknowledged).toBe(2), { withinMs: 5_000 });
});

test("whoever publishes waits for a node that does not keep up, for a second at most", async () => {
  const { WorkerHub } = await import("../../packages/server/src/engines/workers/worker-hub.ts");
  const { memoryEngine } = await import("../../packages/server/src/engines/memory/engine.ts");
  const workerHub = new WorkerHub({ engine: memoryEngine(clock), clock, failed: () => {} });
  atEnd(() => workerHub.close());
  await workerHub.start();
  const batches: HubBatch[] = [];
  const slow = workerHub.attach({ send: (batch) => batches.push(batch) });
  slow.receive({ acknowledged: 0, untilMs: null, requests: [[1, "subscribe", ["app", "room"]]] });
  const engine = workersEngine(clock, (batch) => quick.receive(batch));
  const quick = workerHub.attach({ send: (batch) => engine.receive(batch) });
  atEnd(() => engine.close());
  await engine.start(engineHost(() => {}));
  const data = "x".repeat(400_000);
  const publish = async () => {
    const startMs = performance.now();
    await engine.broker.publish(said(data));
    return performance.now() - startMs;
  };
  expect(Math.max(await publish(), await publish())).toBeLessThan(900);
  const waited = publish();
  await eventually(() =>
    expect(batches.flatMap(({ messages: told }) => told).filter(([type]) => type === "publication").length).toBe(3),
  );
  expect(await Promise.race([waited, Bun.sleep(300).then(() => "waits")])).toBe("waits");
  slow.receive({ acknowledged: batches.at(-1)?.number ?? 0, untilMs: null, requests: [] });
  await waited;
  await Promise.all([publish(), publish(), publish()]);
  expect(await publish()).toBeGreaterThan(900);
  expect(await publish()).toBeGreaterThan(900);
  await slow.disconnect();
  expect(await publish()).toBeLessThan(900);
}, 30_000);
