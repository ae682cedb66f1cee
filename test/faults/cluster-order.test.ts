/** What two nodes promise about one channel: everybody hears all of it, once, in one order, and only who is meant to. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import Pusher from "pusher-js";
import { atEnd } from "../support/at-end.ts";
import { type ClusterNode, ENGINES, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { connectPusher, signedFetch, trigger, userAuth } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { startListeners } from "./listener.ts";
import { type SequenceReader, startSequenceReaders } from "./sequence.ts";

setDefaultTimeout(180_000);

const PATIENCE = { withinMs: 60_000, everyMs: 20 };
/** As far as a publisher is ahead of the slowest reader: these processors are not the reader's alone. */
const MOST_AHEAD = 2_000;
const READERS = scaled(200, 100);
const SEQUENCE = scaled(20_000, 4_000);

const clusters = {
  redis: await startCluster("redis"),
  nats: await startCluster("nats"),
  workers: await startCluster("workers"),
};

function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, n) => n + from);
}

function wrongIn(readers: readonly SequenceReader[]): readonly string[] {
  return readers.flatMap(({ wrong }) => wrong ?? []);
}

/** Says `p-0` up to `p-(count-1)` through the HTTP API, ten in each call. */
async function sayAll(url: string, channel: string, count: number, readers: readonly SequenceReader[]): Promise<void> {
  const behind = () => Math.min(...readers.map(({ next }) => next));
  for (let n = 0; n < count; n += 10) {
    const batch = numbers(10, n).map((each) => ({ name: "e", channel, data: `p-${each}` }));
    const answer = await signedFetch(url, APP, "POST", "/batch_events", { body: { batch } });
    await answer.arrayBuffer();
    expect(answer.status).toBe(200);
    expect(wrongIn(readers)).toEqual([]);
    if (n % 500 === 0) await eventually(() => expect(n - behind()).toBeLessThan(MOST_AHEAD), PATIENCE);
  }
}

/** The library itself, signed in, and the states it has been in. */
function realClient(url: string, user: string) {
  const { hostname: wsHost, port } = new URL(url);
  const user_data = JSON.stringify({ id: user });
  const pusher = new Pusher(APP.key, {
    cluster: "",
    wsHost,
    wsPort: Number(port),
    forceTLS: false,
    enabledTransports: ["ws"],
    userAuthentication: {
      endpoint: "",
      transport: "ajax",
      customHandler: ({ socketId }, done) => done(null, { auth: userAuth(APP, socketId, user_data), user_data }),
    },
  });
  atEnd(() => pusher.disconnect());
  const states: string[] = [];
  pusher.connection.bind("state_change", ({ current }: { current: string }) => states.push(current));
  pusher.signin();
  return { pusher, states };
}

describe.each(ENGINES)("on %s", (engine) => {
  function nodes(): readonly [ClusterNode, ClusterNode] {
    const [a, b] = clusters[engine];
    if (!a || !b) throw new Error("Two nodes were asked for.");
    return [a, b];
  }

  test(`each of ${READERS} subscribers on either node hears each of ${SEQUENCE} numbers once, in order (scenario 22)`, async () => {
    const [a, b] = nodes();
    const at = (n: number) => (n % 2 === 0 ? a.url : b.url);
    for (const [channel, count] of [
      ["kept-order", SEQUENCE],
      ["order", scaled(SEQUENCE, 1_000)],
    ] as const) {
      const readers = await startSequenceReaders(READERS, channel, at);
      await sayAll(a.url, channel, count, readers);
      // One more, so that nothing that comes twice can come after the last.
      await trigger(a.url, APP, { name: "e", channel, data: `p-${count}` });
      await eventually(() => expect(Math.min(...readers.map(({ next }) => next))).toBe(count + 1), PATIENCE);
      expect(wrongIn(readers)).toEqual([]);
      for (const reader of readers) reader.close();
    }
  });

  // Each round with its own subscription in the engine, for each protocol.
  test("whoever is told of the subscription misses nothing that is published from then on (scenario 23)", async () => {
    const [a, b] = nodes();
    const publisher = await a.native();
    await publisher.subscribe("race");
    let sent = 0;
    let isOver = false;
    const publishing = (async () => {
      while (!isOver) {
        const data = `r-${++sent}`;
        expect((await publisher.ask("publish", { channel: "race", event: "e", data })).event).toBe("published");
      }
    })();
    const native = await b.native();
    const pusher = await b.pusher();
    const heardBy = (frames: readonly { event: string; data?: unknown }[]) =>
      frames.flatMap(({ event, data }) => (event === "e" ? Number(String(data).slice(2)) : []));
    for (let round = 0; round < scaled(1_000, 50); round++) {
      for (const client of [native, pusher]) {
        const before = client.socket.frames.length;
        const heard = () => heardBy(client.socket.frames.slice(before));
        await client.subscribe("race");
        const later = sent + 1;
        await eventually(() => expect(heard().at(-1)).toBeGreaterThanOrEqual(later + 2), { ...PATIENCE, everyMs: 1 });
        const [first = 0] = heard();
        expect(first).toBeLessThanOrEqual(later);
        expect(heard()).toEqual(numbers(heard().length, first));
        if (client === native) await native.ask("unsubscribe", { channel: "race" });
        else {
          pusher.unsubscribe("race");
          await pusher.ping();
        }
      }
    }
    isOver = true;
    await publishing;
  });

  test("whoever publishes, or is named, does not hear it, wherever it is (scenario 24)", async () => {
    const [a, b] = nodes();
    const clients = [await a.pusher(), await b.pusher()] as const;
    const natives = [await a.native(), await b.native()] as const;
    const channel = "private-except";
    for (const client of clients) await client.subscribe(channel);
    for (const client of natives) await client.subscribe(channel, client.permission(channel));
    const everybody = [...clients, ...natives];
    const ids = [...clients.map(({ socketId }) => socketId), ...natives.map(({ id }) => id)];
    for (const [n, id] of ids.entries()) {
      // Through the node that holds it, and through the other.
      for (const [via, { url }] of [a, b].entries()) {
        await trigger(url, APP, { name: "e", channel, data: `not-${n}-${via}`, socket_id: id });
      }
    }
    for (const [n, client] of clients.entries()) client.send("client-e", `by-${n}`, channel);
    for (const [n, client] of natives.entries()) {
      await client.ask("publish", { channel, event: "client-e", data: `by-${n + 2}` });
    }
    await trigger(b.url, APP, { name: "e", channel, data: "last" });
    for (const [n, { socket }] of everybody.entries()) {
      const heard = () =>
        socket.frames
          .filter((frame) => frame.channel === channel && /^(client-)?e$/.test(frame.event))
          .map(({ data }) => data);
      const wanted = numbers(4)
        .filter((other) => other !== n)
        .flatMap((other) => [`not-${other}-0`, `not-${other}-1`, `by-${other}`]);
      await eventually(() => expect(heard().toSorted()).toEqual(["last", ...wanted].toSorted()), PATIENCE);
    }
  });

  test("what is published twice under one key is heard once, through whichever nodes (scenario 25)", async () => {
    const [a, b] = nodes();
    const listeners = await startListeners(4, "native", "kept-once", (n) => (n % 2 === 0 ? a.url : b.url));
    const publishers = [await a.native(), await b.native()];
    for (const publisher of publishers) await publisher.subscribe("kept-once");
    const call = (url: string, n: number) =>
      signedFetch(url, APP, "POST", "/events", {
        body: { name: "e", channel: "kept-once", data: `h-${n}`, idempotency_key: `key-${n}` },
      }).then(({ status }) => status);
    const repeated = await Promise.all(numbers(20).flatMap((n) => [call(a.url, n), call(b.url, n), call(a.url, n)]));
    expect(new Set(repeated)).toEqual(new Set([200]));
    for (const n of numbers(20)) expect([n, await call(b.url, n)]).toEqual([n, 200]);
    for (const n of numbers(20)) expect([n, await call(a.url, n)]).toEqual([n, 200]);
    for (const { heard } of listeners)
      await eventually(
        () =>
          expect(heard.toSorted()).toEqual(
            numbers(20)
              .map((n) => `h-${n}`)
              .toSorted(),
          ),
        PATIENCE,
      );
    await trigger(a.url, APP, { name: "e", channel: "kept-once", data: "h-99" });
    for (const { heard } of listeners) await eventually(() => expect(heard.length).toBe(21), PATIENCE);
  });

  test("a user that is ended is ended on every node within a second, for good, and nobody else is (scenario 37)", async () => {
    const [a, b] = nodes();
    const clients = [await a.pusher(), await b.pusher(), await b.pusher()];
    for (const client of clients) await client.signin({ id: "mallory" });
    const token = await makeToken({ sub: "mallory" });
    const natives = [await a.native({ token }), await b.native({ token })];
    const real = [realClient(a.url, "mallory"), realClient(b.url, "mallory")];
    for (const { pusher } of real) await eventually(() => expect(pusher.user.user_data?.id).toBe("mallory"), PATIENCE);
    const other = await a.pusher();
    await other.signin({ id: "alice" });
    const beganMs = performance.now();
    const answer = await signedFetch(b.url, APP, "POST", "/users/mallory/terminate_connections", { body: {} });
    expect(answer.status).toBe(200);
    for (const { socket } of [...clients, ...natives]) expect((await socket.closed).code).toBe(4009);
    for (const { pusher } of real)
      await eventually(() => expect(pusher.connection.state).toBe("disconnected"), { everyMs: 5 });
    expect(performance.now() - beganMs).toBeLessThan(1_000);
    for (const { socket } of natives) {
      expect(socket.frames.at(-1)).toMatchObject({ event: "closing", code: "terminated", reconnect: "never" });
    }
    await other.ping();
    // As long as the library would have taken to come back.
    await Bun.sleep(2_500);
    expect(real.map(({ pusher, states }) => [pusher.connection.state, states])).toEqual(
      real.map(() => ["disconnected", ["connected", "disconnected"]]),
    );
  });

  test("names that mean more than themselves to Redis, NATS or JavaScript are refused, or themselves (scenario 66)", async () => {
    const [a, b] = nodes();
    const odd = [
      "a*",
      "*",
      ">",
      "a.>",
      "a?",
      "[ab]",
      "a b",
      "a\r\nPING",
      "a\0",
      "#server-to-user-1",
      "#online-1",
      "a:b",
      "a%3A",
      "x".repeat(201),
    ];
    const fine = ["__proto__", "constructor", "a.", "a.b", ".", "a;b", "a,b", "a=b", "a@b", "toString"];
    const client = await b.native();
    for (const channel of odd)
      expect([channel, (await client.ask("subscribe", { channel })).event]).toEqual([channel, "error"]);
    for (const channel of fine) await client.subscribe(channel);
    const pusher = await connectPusher(b.url);
    for (const channel of odd) {
      expect([
        channel,
        await pusher.subscribe(channel).then(
          () => "in",
          () => "refused",
        ),
      ]).toEqual([channel, "refused"]);
    }
    for (const channel of [...fine, "ab", "a.x", "b"]) await trigger(a.url, APP, { name: "e", channel, data: channel });
    for (const channel of fine) expect((await client.next("e")).channel).toBe(channel);
    await trigger(a.url, APP, { name: "last", channel: "a.b", data: "" });
    await client.next("last");
    await client.silence(50);
    expect(pusher.socket.frames.filter(({ event }) => event === "e")).toEqual([]);
  });
});
