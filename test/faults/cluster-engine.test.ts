/** Whole servers whose Redis or NATS dies, hangs, hangs up or is out of reach: what clients and back ends notice, with every message counted. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { startNode, usersOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { NativeTestClient } from "../support/native-client.ts";
import { NatsServer, ONLY_PONGS, startNats } from "../support/nats.ts";
import { freePort } from "../support/ports.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { onlyPongs, type RedisServer, startRedis } from "../support/redis.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { expectInOrder, type Listener, missing, Source, startListeners } from "./listener.ts";
import { startBareProcess } from "./process.ts";

setDefaultTimeout(180_000);

const CHANNEL = "presence-room";
const PATIENCE = { withinMs: 60_000, everyMs: 50 };

/** How long a publication waits, and how much longer its engine hangs. */
const PUBLISH_WAIT_S = scaled(5, 2);
const HANG_MS = scaled(8_000, 4_000);

const enter = (client: NativeTestClient, id: string) =>
  client.subscribe(CHANNEL, client.permission(CHANNEL, { user_id: id }));

const onRedis = (port: number) => ({ engine: "redis", redis: { port } }) as const;
const onNats = (port: number) => ({ engine: "nats", nats: { servers: [`127.0.0.1:${port}`] } }) as const;

/** What nodes meet on, and how they are told where it is. */
const SERVERS = {
  redis: { start: startRedis, on: onRedis, onlyPongs: onlyPongs("fanfare") },
  nats: { start: startNats, on: onNats, onlyPongs: ONLY_PONGS },
} as const;

/** Scenario 18: how long a node is cut off, and how long another may be silent. */
const PARTITION = scaled({ forMs: 60_000, nodeTimeoutS: 6 }, { forMs: 5_000, nodeTimeoutS: 2 });

/** What is promised holds on a machine that is free; the normal run may share one. */
const bound = (ms: number) => scaled(ms, 4 * ms);

/** Redis is heard by a connection of its own, which it can kill itself; NATS by the one that there is. */
async function cutSubscribers(server: RedisServer | NatsServer, wire: TcpProxy): Promise<void> {
  if (server instanceof NatsServer) {
    wire.cut();
    wire.mend();
  } else {
    expect(await server.cli("CLIENT", "KILL", "TYPE", "pubsub")).toBeGreaterThan(0);
  }
}

/** How many things the engine has there: keys, or streams. */
async function sizeOf(server: RedisServer | NatsServer): Promise<number> {
  return server instanceof NatsServer ? (await server.streams()).length : Number(await server.cli("DBSIZE"));
}

async function timed<T>(work: Promise<T>): Promise<readonly [T, number]> {
  const beganMs = performance.now();
  const done = await work;
  return [done, performance.now() - beganMs];
}

/** Of both protocols on both nodes, in a channel that keeps what was said and in one that does not. */
async function audience(urls: readonly [string, string]) {
  const at = (n: number) => urls[n % 2 === 0 ? 0 : 1];
  const kept = [
    ...(await startListeners(4, "native", "kept-room", at)),
    ...(await startListeners(2, "pusher", "kept-room", at)),
  ];
  const plain = [
    ...(await startListeners(2, "native", "room", at)),
    ...(await startListeners(2, "pusher", "room", at)),
  ];
  return { kept, plain };
}

/** Nothing that was answered 200 is missing, nothing comes twice, and everybody hears it in the same order. */
async function expectHeardByAll(accepted: readonly string[], listeners: readonly Listener[]): Promise<void> {
  for (const listener of listeners) {
    await eventually(() => expect(missing(accepted, listener.heard)).toEqual([]), PATIENCE);
    expectInOrder(listener.heard);
    expect([listener.closes, listener.heard]).toEqual([[], listeners[0]?.heard ?? []]);
  }
}

async function startPair(where: ConfigInput) {
  const [a, b] = await Promise.all([startNode(where), startNode(where)]);
  const clients = [await a.native(), await b.native()] as const;
  for (const [n, client] of clients.entries()) await enter(client, `user-${n}`);
  return { a, b, clients, ...(await audience([a.url, b.url])) };
}

describe.each(["redis", "nats"] as const)("on %s", (engine) => {
  const { start, on, onlyPongs: sieve } = SERVERS[engine];
  test("its server is killed and is back after 3 s: publications wait, are answered, and are heard once by all (scenario 11)", async () => {
    const server = await start();
    const { a, b, clients, kept, plain } = await startPair(on(server.port));
    const sources = [
      new Source("a", () => a.url, "kept-room", 50),
      new Source("b", () => b.url, "kept-room", 50),
      new Source("c", () => a.url, "room", 50),
    ];
    await Bun.sleep(1_000);
    await server.kill();
    // Of connections nobody needs the engine for.
    const [, tookMs] = await timed(a.native());
    expect(tookMs).toBeLessThan(bound(1_000));
    await eventually(async () => expect((await fetch(`${a.url}/ready`)).status).toBe(503));
    expect((await fetch(`${a.url}/health`)).status).toBe(200);
    await Bun.sleep(2_500);
    const before = kept.map(({ heard }) => heard.length);
    await server.start();
    const [, backMs] = await timed(
      eventually(() => expect(kept.every(({ heard }, n) => heard.length > (before[n] ?? 0))).toBe(true), PATIENCE),
    );
    expect(backMs).toBeLessThan(bound(2_000));
    await Bun.sleep(1_000);
    await Promise.all(sources.map((source) => source.stop()));
    for (const { refused, unanswered, accepted } of sources) {
      expect([refused, unanswered]).toEqual([[], []]);
      expect(accepted.length).toBeGreaterThan(20);
    }
    const [one, two, three] = sources;
    await expectHeardByAll([...(one?.accepted ?? []), ...(two?.accepted ?? [])], kept);
    await expectHeardByAll(three?.accepted ?? [], plain);
    // An engine without its data is told again who is there, and nobody is told that anybody went.
    for (const { url } of [a, b])
      await eventually(async () => expect(await usersOf(url, CHANNEL)).toEqual(["user-0", "user-1"]), PATIENCE);
    for (const { socket } of clients)
      expect(socket.frames.filter(({ event }) => event === "member_removed")).toEqual([]);
    for (const { url } of [a, b])
      await eventually(async () => expect((await fetch(`${url}/ready`)).status).toBe(200), PATIENCE);
    for (const { process: child } of [a, b]) {
      const lines = child.stderr.split("\n").filter((line) => line.includes("the engine can"));
      expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
        "the engine cannot be reached: publications wait, and are refused after `publishWaitS`",
        "the engine can be reached again",
      ]);
    }
  });

  test("a server starts before it, says so, and serves as soon as it is there (scenario 16)", async () => {
    const port = await freePort();
    const server = await startBareProcess({
      config: { ...on(port), apps: [{ ...APP, anonymous: true }], log: { format: "json" } },
    });
    await server.prints(new RegExp(`${port}`));
    expect((await fetch(`${server.url}/ready`)).status).toBe(503);
    const answer = signedFetch(server.url, APP, "POST", "/events", {
      body: { name: "e", channel: "room", data: "early" },
    });
    const engineServer = await start({ port });
    expect((await answer).status).toBe(200);
    await eventually(async () => expect((await fetch(`${server.url}/ready`)).status).toBe(200), PATIENCE);
    const [listener] = await startListeners(1, "native", "room", () => server.url);
    const source = new Source("a", () => server.url, "room", 20);
    await eventually(() => expect(listener?.heard.length).toBeGreaterThan(5));
    await source.stop();
    expect(await sizeOf(engineServer)).toBeGreaterThan(0);
  });

  test(`its server hangs for ${HANG_MS / 1_000} s: newcomers connect, reads fail within 2 s, publications within ${PUBLISH_WAIT_S}, and what was accepted is heard once (scenario 12)`, async () => {
    const server = await start();
    const { a, b, clients, kept } = await startPair({ ...on(server.port), publishWaitS: PUBLISH_WAIT_S });
    const sources = [new Source("a", () => a.url, "kept-room", 50), new Source("b", () => b.url, "kept-room", 50)];
    await Bun.sleep(500);
    server.signal("SIGSTOP");
    const stoppedMs = performance.now();
    await Bun.sleep(200);
    const reads = ["/channels", `/channels/${CHANNEL}`, `/channels/${CHANNEL}/users`].flatMap((path) =>
      [a, b].map(({ url }) => timed(signedFetch(url, APP, "GET", path))),
    );
    for (const [answer, tookMs] of await Promise.all(reads)) {
      expect([200, 503]).toContain(answer.status);
      expect(tookMs).toBeLessThan(bound(2_200));
    }
    const [pusher, tookMs] = await timed(a.pusher());
    expect(tookMs).toBeLessThan(bound(1_000));
    await pusher.ping();
    await Bun.sleep(HANG_MS - (performance.now() - stoppedMs));
    server.signal("SIGCONT");
    const before = kept.map(({ heard }) => heard.length);
    await eventually(
      () => expect(kept.every(({ heard }, n) => heard.length > (before[n] ?? 0) + 10)).toBe(true),
      PATIENCE,
    );
    await Promise.all(sources.map((source) => source.stop()));
    const refused = sources.flatMap((source) => source.refused);
    expect(refused.length).toBeGreaterThan(0);
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]));
    expect(refused.every(({ retryAfter }) => Number(retryAfter) > 0)).toBe(true);
    for (const { slowestMs, unanswered } of sources) {
      expect(slowestMs).toBeLessThan(bound(1_000 * PUBLISH_WAIT_S + 500));
      expect(unanswered).toEqual([]);
    }
    await expectHeardByAll(
      sources.flatMap(({ accepted }) => accepted),
      kept,
    );
    for (const { url } of [a, b]) expect(await usersOf(url, CHANNEL)).toEqual(["user-0", "user-1"]);
    for (const { socket } of clients)
      expect(socket.frames.filter(({ event }) => event === "member_removed")).toEqual([]);
  });

  test("the connections it is heard by are cut under load: a second later all is heard, and a gap is told where something may be lost (scenario 13)", async () => {
    const server = await start();
    const wire = await startProxy(server.port);
    const { a, b, kept, plain } = await startPair(on(wire.port));
    const sources = [new Source("a", () => a.url, "kept-room", 10), new Source("b", () => b.url, "room", 10)];
    await Bun.sleep(500);
    for (let round = 0; round < 3; round++) {
      await cutSubscribers(server, wire);
      const before = plain.map(({ heard }) => heard.length);
      const [, backMs] = await timed(
        eventually(() => expect(plain.every(({ heard }, n) => heard.length > (before[n] ?? 0))).toBe(true), PATIENCE),
      );
      expect(backMs).toBeLessThan(bound(1_000));
      await Bun.sleep(300);
    }
    await Promise.all(sources.map((source) => source.stop()));
    expect(sources.flatMap(({ refused, unanswered }) => [...refused, ...unanswered])).toEqual([]);
    const [one, two] = sources;
    // What was kept is found again; of the rest, those are told who have a word for it.
    await expectHeardByAll(one?.accepted ?? [], kept);
    for (const { language, gaps } of kept) expect([language, gaps]).toEqual([language, 0]);
    for (const { language, gaps, heard, closes } of plain) {
      expectInOrder(heard);
      expect([closes, missing(heard, two?.accepted ?? [])]).toEqual([[], []]);
      if (language === "native") expect(gaps).toBe(3);
    }
  });

  test("whoever asks a node right after it answered a client finds what the client was told", async () => {
    const node = await startNode(on((await start()).port));
    const client = await node.native();
    const countOf = async (channel: string) => {
      const answer = await signedFetch(node.url, APP, "GET", `/channels/${channel}`, {
        query: { info: "subscription_count" },
      });
      return ((await answer.json()) as { subscription_count?: number }).subscription_count;
    };
    for (let round = 0; round < 20; round++) {
      for (const channel of [`room-${round}`, `presence-${round}`]) {
        await client.subscribe(channel, client.permission(channel, { user_id: "1" }));
        expect(await countOf(channel)).toBe(1);
        await client.ask("unsubscribe", { channel });
        expect(await countOf(channel)).not.toBe(1);
      }
    }
  });

  // In short cut off for more than twice the 2 s after which a node counts as dead then.
  test("a node that is cut off from it goes on serving its clients, is taken for dead, and all agree again when the wire is mended, without flapping (scenario 18)", async () => {
    const server = await start();
    const wire = await startProxy(server.port);
    const { nodeTimeoutS } = PARTITION;
    const nodes = [wire.port, server.port].map((port) => startNode({ ...on(port), nodeTimeoutS }));
    const [a, b] = await Promise.all([nodes[0], nodes[1]]);
    if (!a || !b) throw new Error("Two nodes were asked for.");
    const here = await a.native();
    const there = await b.native();
    await enter(there, "there");
    await enter(here, "here");
    const goes = await a.native();
    await enter(goes, "goes");
    await eventually(() => expect(there.socket.frames.filter(({ event }) => event === "member_added")).toHaveLength(2));
    const { kept } = await audience([a.url, b.url]);
    const source = new Source("b", () => b.url, "kept-room", 20);
    wire.swallow();
    const cutMs = performance.now();
    await eventually(async () => expect(await usersOf(b.url, CHANNEL)).toEqual(["there"]), PATIENCE);
    await here.ping();
    const [newcomer, tookMs] = await timed(a.native());
    expect(tookMs).toBeLessThan(bound(1_000));
    newcomer.socket.send({ event: "subscribe", id: "later", data: { channel: "other" } });
    const [[answer, answerMs], [refused, refusedMs]] = await Promise.all([
      timed(newcomer.next((frame) => frame.id === "later", bound(6_000))),
      timed(signedFetch(a.url, APP, "POST", "/events", { body: { name: "e", channel: "room", data: "x" } })),
    ]);
    expect([answer.event, answerMs < bound(5_500)]).toEqual(["error", true]);
    expect([refused.status, refusedMs < bound(5_500)]).toEqual([503, true]);
    await goes.close();
    await Bun.sleep(PARTITION.forMs - (performance.now() - cutMs));
    await here.ping();
    wire.mend();
    const [, agreedMs] = await timed(
      Promise.all(
        [a, b].map(({ url }) =>
          eventually(async () => expect(await usersOf(url, CHANNEL)).toEqual(["here", "there"]), PATIENCE),
        ),
      ),
    );
    expect(agreedMs).toBeLessThan(bound(1_000 * nodeTimeoutS));
    await Bun.sleep(500 + 1_000 * nodeTimeoutS);
    await source.stop();
    expect([source.refused, source.unanswered]).toEqual([[], []]);
    await expectHeardByAll(source.accepted, kept);
    const changes = there.socket.frames.flatMap(({ event, data }) =>
      event.startsWith("member_") ? `${event} ${(data as { user: { id: string } }).user.id}` : [],
    );
    expect(changes.slice(0, 2).toSorted()).toEqual(["member_added goes", "member_added here"]);
    expect(changes.slice(2, 4).toSorted()).toEqual(["member_removed goes", "member_removed here"]);
    expect(changes.slice(4)).toEqual(["member_added here"]);
    await newcomer.subscribe("other");
  });

  test("what a node listens on answers PING and delivers nothing: it is not ready, and its clients are told that they may have missed something", async () => {
    const server = await start();
    const wire = await startProxy(server.port);
    const [a, b] = await Promise.all([startNode(on(server.port)), startNode(on(wire.port))]);
    const client = await b.native();
    await client.subscribe("room");
    const { kept } = await audience([a.url, b.url]);
    const source = new Source("a", () => a.url, "kept-room", 20);
    wire.sift(sieve);
    await eventually(async () => expect((await fetch(`${b.url}/ready`)).status).toBe(503), PATIENCE);
    const { status } = await signedFetch(a.url, APP, "POST", "/events", {
      body: { name: "lost", channel: "room", data: "x" },
    });
    expect([status, (await fetch(`${a.url}/ready`)).status]).toEqual([200, 200]);
    wire.mend();
    await client.next(({ event, channel }) => event === "gap" && channel === "room", PATIENCE.withinMs);
    await eventually(async () => expect((await fetch(`${b.url}/ready`)).status).toBe(200), PATIENCE);
    await source.stop();
    await expectHeardByAll(source.accepted, kept);
  });
});

test("a Redis that is full is named in the answers of both protocols, in the log, in a metric and by /ready", async () => {
  const server = await startRedis();
  const node = await startNode(onRedis(server.port), { config: { publishWaitS: 1 } });
  const client = await node.native();
  await client.subscribe("kept-1");
  const metric = async () =>
    /^fanfare_engine_refusing\{reason="OOM"\} (\d)$/m.exec(await (await fetch(`${node.url}/metrics`)).text())?.[1];
  expect(await metric()).toBe("0");
  await server.cli("CONFIG", "SET", "maxmemory", "1");
  const answer = await signedFetch(node.url, APP, "POST", "/events", {
    body: { name: "e", channel: "kept-1", data: "x" },
  });
  expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining("its memory is full")]);
  client.socket.send({ event: "publish", id: "p", data: { channel: "kept-1", event: "e", payload: 1 } });
  const refused = await client.next(({ id }) => id === "p", PATIENCE.withinMs);
  expect(JSON.stringify(refused)).toContain("(OOM)");
  const ready = await fetch(`${node.url}/ready`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("(OOM)")]);
  await eventually(() => expect(node.process.output).toMatch(/"refusal":"OOM"/), PATIENCE);
  expect(await metric()).toBe("1");
  await server.cli("CONFIG", "SET", "maxmemory", "0");
  await eventually(async () => expect((await fetch(`${node.url}/ready`)).status).toBe(200), PATIENCE);
  await eventually(() => expect(node.process.output).toContain("the engine can be reached again"), PATIENCE);
});
