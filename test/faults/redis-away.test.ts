/** A Redis that dies, hangs, is cut off or refuses: publications wait and come once, in order, or their publishers are told. */

import { describe, expect, test } from "bun:test";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import { DEFAULTS } from "../../packages/server/src/engines/redis/settings.ts";
import { eventually } from "../support/eventually.ts";
import { settingsFor, startRedis } from "../support/redis.ts";
import { startNode } from "../support/redis-node.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { expectOrder, publishing, refusalOf } from "./publishing.ts";
import { serverDownContract } from "./server-down-contract.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const TEST_MS = 180_000;
const KEEP = { size: 1_000, ttlMs: 60_000 };

serverDownContract("Redis", async ({ waitMs = DEFAULTS.publishWaitMs } = {}) => {
  const server = await startRedis();
  const same = settingsFor(server.port, { publishWaitMs: waitMs });
  return { server, start: () => startNode(same), named: String(server.port) };
});

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const began = performance.now();
  const done = await work;
  expect(performance.now() - began).toBeLessThan(ms);
  return done;
}

test(
  "while Redis hangs, reads answer or fail within two seconds, publications within five, and nothing comes twice (scenario 12)",
  async () => {
    const server = await startRedis();
    const same = settingsFor(server.port);
    const [a, b] = [await startNode(same), await startNode(same)];
    for (const node of [a, b]) await node.subscribe("room");
    await a.join("presence-x", "1", "on a");
    await b.join("presence-x", "2", "on b");
    const run = publishing(a, "room", 50);
    await eventually(() => expect(b.heard("room").length).toBeGreaterThan(5), PATIENCE);
    server.signal("SIGSTOP");
    const { registry, broker } = a.engine;
    const reads = [
      async () => registry.members("app", "presence-x"),
      async () => registry.summary("app", "presence-x"),
      async () => registry.channels("app", ""),
      async () => broker.history("app", "room", { limit: 1, direction: "newest" }),
      async () => a.engine.nodes(),
    ];
    for (let round = 0; round < 2; round++) {
      for (const code of await Promise.all(reads.map((read) => within(2_000, refusalOf(read()))))) {
        expect(code).toBe("engine_unavailable");
      }
    }
    await Bun.sleep(5_000);
    server.signal("SIGCONT");
    const stuck = b.heard("room").length;
    await eventually(() => expect(b.heard("room").length).toBeGreaterThan(stuck + 5), PATIENCE);
    await run.stop();
    expect(run.slowestMs.refused).toBeLessThan(5_500);
    expect(new Set(run.refused)).toEqual(new Set(["engine_unavailable"]));
    for (const node of [a, b]) {
      await eventually(() => expect(Number(node.heard("room").at(-1))).toBe(run.accepted.at(-1) ?? -1), PATIENCE);
      expectOrder(node.heard("room"));
      const heard = new Set(node.heard("room").map(Number));
      expect(run.accepted.filter((number) => !heard.has(number))).toEqual([]);
    }
    // It was Redis that was away, so nobody is taken for dead.
    expect(await b.members("presence-x")).toEqual(["1", "2"]);
    expect([...a.facts, ...b.facts]).toEqual([]);
  },
  TEST_MS,
);

test("subscriptions whose connection is killed are there again within a second, and the gap is told before anything later (scenario 13)", async () => {
  const server = await startRedis();
  const a = await startNode(settingsFor(server.port));
  await Promise.all(Array.from({ length: 3_000 }, (_, n) => a.subscribe(`room-${n}`)));
  await a.publish("room-7", "before");
  await eventually(() => expect(a.heard("room-7")).toEqual(["before"]));
  const began = performance.now();
  expect(await server.cli("CLIENT", "KILL", "TYPE", "pubsub")).toBe(1);
  await eventually(() => expect(a.interruptions).toEqual([1]), { everyMs: 1 });
  expect(performance.now() - began).toBeLessThan(1_000);
  for (const n of [0, 1_500, 2_999]) {
    await a.publish(`room-${n}`, "after");
    await eventually(() => expect(a.heard(`room-${n}`)).toEqual(["after"]));
  }
});

describe("a Redis that does not want this node", () => {
  test(
    "because of the password is told of in the health, and gets its node back when it wants it (scenario 15)",
    async () => {
      const server = await startRedis({ password: "right" });
      const a = await startNode(settingsFor(server.port, { password: "secret-but-wrong" }));
      const health = a.engine.health();
      expect(health).toMatchObject({ reachable: false, why: expect.stringContaining("WRONGPASS") });
      expect(JSON.stringify(health)).not.toContain("secret-but-wrong");
      expect(await refusalOf(within(2_000, a.members("presence-x")))).toBe("engine_unavailable");
      await Bun.sleep(1_000);
      const connected = Number(/total_connections_received:(\d+)/.exec(String(await server.cli("INFO", "stats")))?.[1]);
      expect(connected).toBeLessThan(30);
      await server.cli("CONFIG", "SET", "requirepass", "secret-but-wrong");
      await eventually(() => expect(a.engine.health()).toEqual({ reachable: true }), PATIENCE);
      expect(a.failures.join()).not.toContain("secret-but-wrong");
    },
    TEST_MS,
  );

  test("because of the database is told of in the health (scenario 15)", async () => {
    const server = await startRedis();
    const a = await startNode(settingsFor(server.port, { db: 99 }));
    expect(a.engine.health()).toMatchObject({ reachable: false, why: expect.stringContaining("out of range") });
  });
});

describe("rubbish where publications are expected", () => {
  test(
    "is ignored and told of, and what comes after it arrives (scenario 17)",
    async () => {
      const server = await startRedis();
      const same = settingsFor(server.port, { prefix: "rubbish" });
      const a = await startNode(same);
      await a.subscribe("room");
      const [subject = ""] = (await server.cli("PUBSUB", "CHANNELS", "rubbish*room")) as string[];
      const rubbish = [
        "",
        "not JSON",
        "null",
        "[]",
        "1",
        '{"v":3,"type":"event","event":"e","data":"x"}',
        '{"v":2}',
        '{"v":2,"type":"event","event":1,"data":"x"}',
        '{"v":2,"type":"event","event":"e","data":{"a":1}}',
        '{"v":2,"type":"joined","member":"x"}',
        '{"v":2,"type":"count","count":-1}',
        '{"v":2,"type":"event","event":"e","data":"x","position":["a"]}',
        '{"v":2,"type":"event","event":"e","data":"x","except":[{}]}',
        '{"__proto__":{"v":2,"type":"event","polluted":1}}',
        'O:8:"stdClass":1:{s:1:"a";i:1;}',
        "[".repeat(100_000),
      ];
      for (const text of rubbish) await server.cli("PUBLISH", subject, text);
      await server.cli("EVAL", "return redis.call('PUBLISH', KEYS[1], '\\255\\254\\0\\1')", "1", subject);
      await server.cli(
        "PUBLISH",
        subject,
        '{"v":2,"type":"event","event":"e","data":"later version","new":{"a":1},"__proto__":{"x":1}}',
      );
      await a.publish("room", "after");
      await eventually(() => expect(a.heard("room")).toEqual(["later version", "after"]));
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      expect(a.failures.length).toBeGreaterThan(0);
      expect(a.failures.length).toBeLessThan(5);
      expect(a.interruptions).toEqual([]);
    },
    TEST_MS,
  );

  test(
    "of fifty megabytes costs the connection at most, and the node hears again (scenario 17)",
    async () => {
      const server = await startRedis();
      const a = await startNode(settingsFor(server.port, { prefix: "large" }));
      await a.subscribe("room");
      const [subject = ""] = (await server.cli("PUBSUB", "CHANNELS", "large*room")) as string[];
      await server.cli("PUBLISH", subject, "x".repeat(50 * 1024 * 1024));
      await eventually(async () => {
        await a.publish("room", "after");
        expect(a.heard("room").at(-1)).toBe("after");
      }, PATIENCE);
    },
    TEST_MS,
  );
});

test(
  "a node that is cut off is taken for dead, goes on, and is back once when the wire is mended (scenario 18)",
  async () => {
    const server = await startRedis();
    const same = settingsFor(server.port, { nodeTimeoutMs: 2_000, commandTimeoutMs: 700 });
    const wire = await startProxy(server.port);
    const a = await startNode({ ...same, topology: { type: "server", at: { host: "127.0.0.1", port: wire.port } } });
    const b = await startNode(same);
    for (const node of [a, b]) {
      await node.subscribe("presence-x");
      await node.subscribe("room");
    }
    await a.join("presence-x", "1", "stays");
    await a.join("presence-x", "2", "goes");
    await b.join("presence-x", "3", "elsewhere");
    wire.swallow();
    await eventually(async () => expect(await b.members("presence-x")).toEqual(["3"]), PATIENCE);
    expect(a.engine.health().reachable).toBe(false);
    expect(await refusalOf(within(2_000, a.leave("presence-x", "2", "goes")))).toBe("engine_unavailable");
    wire.mend();
    await eventually(async () => expect(await b.members("presence-x")).toEqual(["1", "3"]), PATIENCE);
    await eventually(() => expect(a.engine.health()).toEqual({ reachable: true }), PATIENCE);
    await a.publish("room", "after");
    for (const node of [a, b]) await eventually(() => expect(node.heard("room")).toEqual(["after"]), PATIENCE);
    expect(a.interruptions.length).toBeGreaterThan(0);
    // Nobody comes and goes any more.
    const seen = b.received.filter(({ type }) => type === "joined" || type === "left").length;
    await Bun.sleep(3_000);
    expect(b.received.filter(({ type }) => type === "joined" || type === "left")).toHaveLength(seen);
    expect(await a.members("presence-x")).toEqual(["1", "3"]);
    expect(await b.engine.nodes()).toHaveLength(2);
  },
  TEST_MS,
);

test(
  "after an outage nothing is published before every node listens again; what is refused leaves its key unused",
  async () => {
    const server = await startRedis();
    const same = settingsFor(server.port, { nodeTimeoutMs: 60_000, publishWaitMs: 2_000 });
    const wires = [await startProxy(server.port), await startProxy(server.port)] as const;
    const through = ({ port }: { port: number }) =>
      startNode({ ...same, topology: { type: "server", at: { host: "127.0.0.1", port } } });
    const [a, b] = [await through(wires[0]), await through(wires[1])];
    for (const node of [a, b]) await node.subscribe("room");
    for (const wire of wires) wire.cut();
    await eventually(() => expect(b.engine.health().reachable).toBe(false));
    wires[1].mend();
    await eventually(() => expect(b.engine.health()).toEqual({ reachable: true }), PATIENCE);
    for (const keep of [undefined, KEEP]) {
      expect(await refusalOf(b.publishOnce("room", keep ? "kept" : "plain", keep))).toBe("engine_unavailable");
    }
    wires[0].mend();
    await eventually(async () => expect(await b.publishOnce("room", "plain")).toBeUndefined(), PATIENCE);
    expect(await b.publishOnce("room", "kept", KEEP)).toMatchObject({ offset: 1 });
    await eventually(() => expect(a.heard("room")).toEqual(["plain", "kept"]), PATIENCE);
  },
  TEST_MS,
);

describe("on one Redis", () => {
  test.each([
    ["prefixes", { prefix: "one" }, { prefix: "other" }],
    ["databases", { prefix: "same", db: 1 }, { prefix: "same", db: 2 }],
  ])("deployments with different %s do not hear or see each other (scenario 19)", async (_, one, other) => {
    const server = await startRedis();
    const [a, b] = [await startNode(settingsFor(server.port, one)), await startNode(settingsFor(server.port, other))];
    for (const node of [a, b]) await node.subscribe("room");
    await a.publish("room", "of a", KEEP);
    await b.publish("room", "of b", KEEP);
    await a.join("presence-x", "1");
    await eventually(() => expect([a.heard("room"), b.heard("room")]).toEqual([["of a"], ["of b"]]));
    expect(await b.members("presence-x")).toEqual([]);
    expect(await b.engine.nodes()).toHaveLength(1);
    expect((await b.engine.broker.history("app", "room", { limit: 10, direction: "newest" })).events).toHaveLength(1);
  });
});

describe("on a wire that", () => {
  test.each([
    ["without history", undefined],
    ["with history", KEEP],
  ])(
    "loses answers, publications %s come once and in order all the same",
    async (_, keep) => {
      const server = await startRedis();
      const same = settingsFor(server.port, { commandTimeoutMs: 500 });
      const wire = await startProxy(server.port);
      const a = await startNode({ ...same, topology: { type: "server", at: { host: "127.0.0.1", port: wire.port } } });
      const b = await startNode(same);
      await b.subscribe("room");
      const run = publishing(a, "room", 20, keep);
      for (let round = 0; round < 3; round++) {
        const before = b.heard("room").length;
        await eventually(() => expect(b.heard("room").length).toBeGreaterThan(before + 5), PATIENCE);
        wire.swallow("answers");
        await Bun.sleep(300);
        wire.mend();
      }
      await run.stop();
      expect(run.refused).toEqual([]);
      await eventually(() => expect(b.heard("room").map(Number)).toEqual(run.accepted), PATIENCE);
      if (!keep) return;
      const { events: kept, position } = await b.engine.broker.history("app", "room", {
        limit: 1_000,
        direction: "newest",
      });
      expect(kept.map(({ publication }) => publication.data)).toEqual(b.heard("room") as string[]);
      expect(position.offset).toBe(run.accepted.length);
    },
    TEST_MS,
  );

  test("is slow, publications come in order and all of them", async () => {
    const server = await startRedis();
    const same = settingsFor(server.port);
    const wire = await startProxy(server.port);
    const a = await startNode({ ...same, topology: { type: "server", at: { host: "127.0.0.1", port: wire.port } } });
    await a.subscribe("room");
    wire.slow(200);
    const sent = Array.from({ length: 3_000 }, (_, n) => String(n));
    await Promise.all(sent.map((data) => a.publish("room", data)));
    await eventually(() => expect(a.heard("room")).toEqual(sent), PATIENCE);
  });

  test(
    "is cut again and again carries everything that was accepted, once",
    async () => {
      const server = await startRedis();
      const same = settingsFor(server.port);
      const wire = await startProxy(server.port);
      const a = await startNode({ ...same, topology: { type: "server", at: { host: "127.0.0.1", port: wire.port } } });
      const b = await startNode(same);
      await b.subscribe("room");
      const run = publishing(a, "room", 10);
      for (let round = 0; round < 5; round++) {
        await Bun.sleep(300);
        wire.cut();
        await Bun.sleep(100);
        wire.mend();
      }
      await run.stop();
      expect(run.refused).toEqual([]);
      await eventually(() => expect(b.heard("room").map(Number)).toEqual(run.accepted), PATIENCE);
    },
    TEST_MS,
  );
});

test(
  "a Redis that is full refuses what it would have to keep, carries the rest, and nobody is taken for dead",
  async () => {
    const server = await startRedis();
    const same = settingsFor(server.port, { nodeTimeoutMs: 1_500, publishWaitMs: 1_000 });
    const [a, b] = [await startNode(same), await startNode(same)];
    await b.subscribe("room");
    await a.join("presence-x", "1");
    await server.cli("CONFIG", "SET", "maxmemory", "1");
    expect(await refusalOf(a.publish("room", "kept", KEEP))).toBe("engine_unavailable");
    await a.publish("room", "plain");
    await eventually(() => expect(b.heard("room")).toEqual(["plain"]));
    expect(await refusalOf(b.join("presence-x", "2"))).toBe("engine_unavailable");
    await Bun.sleep(3_000);
    await server.cli("CONFIG", "SET", "maxmemory", "0");
    await eventually(async () => expect(await b.join("presence-x", "2")).toMatchObject({ isFirst: true }), PATIENCE);
    expect(await a.members("presence-x")).toEqual(["1", "2"]);
    expect([...a.facts, ...b.facts]).toEqual([]);
  },
  TEST_MS,
);

describe("a Redis that answers and refuses is named in what callers are told and in the health, until it does not", () => {
  const ways = {
    OOM: [
      ["CONFIG", "SET", "maxmemory", "1"],
      ["CONFIG", "SET", "maxmemory", "0"],
    ],
    READONLY: [
      ["REPLICAOF", "127.0.0.1", "1"],
      ["REPLICAOF", "NO", "ONE"],
    ],
    NOPERM: [
      ["ACL", "SETUSER", "fanfare", "-evalsha"],
      ["ACL", "SETUSER", "fanfare", "+evalsha"],
    ],
  } as const;
  test.each(["OOM", "READONLY", "NOPERM"] as const)(
    "%s",
    async (word) => {
      const server = await startRedis();
      await server.cli("ACL", "SETUSER", "fanfare", "on", ">secret", "~*", "&*", "+@all");
      const user = { username: "fanfare", password: "secret" };
      const node = await startNode(settingsFor(server.port, { ...user, publishWaitMs: 1_000 }));
      await node.subscribe("room");
      const [refuse, allow]: readonly (readonly [string, ...string[]])[] = ways[word];
      if (!refuse || !allow) throw new Error("There is no way to make it refuse.");
      await server.cli(...refuse);
      for (const work of [() => node.publish("room", "kept", KEEP), () => node.join("presence-x", "1")]) {
        const error = await work().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(CommandError);
        expect(error).toMatchObject({ code: "engine_unavailable", message: expect.stringContaining(`(${word})`) });
      }
      expect(node.engine.health()).toMatchObject({
        reachable: false,
        refusal: word,
        why: expect.stringContaining(word),
      });
      await server.cli(...allow);
      await eventually(() => expect(node.engine.health()).toEqual({ reachable: true }), PATIENCE);
      await node.publish("room", "after", KEEP);
      await eventually(() => expect(node.heard("room").at(-1)).toBe("after"), PATIENCE);
    },
    TEST_MS,
  );

  test(
    "NOAUTH",
    async () => {
      const server = await startRedis();
      const wire = await startProxy(server.port);
      const node = await startNode(settingsFor(wire.port, { publishWaitMs: 1_000 }));
      await node.subscribe("room");
      // Whoever is connected stays so, and a new connection needs it.
      await server.cli("CONFIG", "SET", "requirepass", "secret");
      wire.cut();
      wire.mend();
      await eventually(() => expect(node.engine.health()).toMatchObject({ refusal: "NOAUTH" }), PATIENCE);
      for (const work of [() => node.publish("room", "kept", KEEP), () => node.join("presence-x", "1")]) {
        const error = await work().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toMatchObject({ code: "engine_unavailable", message: expect.stringContaining("(NOAUTH)") });
      }
    },
    TEST_MS,
  );
});

test(
  "where somebody flushes Redis's scripts again and again, what was accepted comes once and in order",
  async () => {
    const server = await startRedis();
    const a = await startNode(settingsFor(server.port));
    await a.subscribe("room");
    const plain = publishing(a, "room", 7);
    const kept = publishing(a, "room", 5, KEEP);
    for (let round = 0; round < 5; round++) {
      await server.cli("SCRIPT", "FLUSH");
      await Bun.sleep(400);
    }
    await Promise.all([plain.stop(), kept.stop()]);
    const sent = [...plain.accepted, ...kept.accepted].sort((x, y) => x - y);
    await eventually(
      () =>
        expect(
          a
            .heard("room")
            .map(Number)
            .sort((x, y) => x - y),
        ).toEqual(sent),
      PATIENCE,
    );
    expect(sent.length).toBeGreaterThan(100);
  },
  TEST_MS,
);
