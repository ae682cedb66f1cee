/** Publishing and calls: exactly once, in order, within limits. The server is real where it has a say. */

import { describe, expect, test } from "bun:test";
import { createClientIn } from "../../packages/client/src/client.ts";
import { realEnvironment } from "../../packages/client/src/environment.ts";
import { atEnd } from "../support/at-end.ts";
import { chance } from "../support/chance.ts";
import { eventually } from "../support/eventually.ts";
import { refusingEngine } from "../support/refusing-engine.ts";
import { FakeWorld, rejection, settled } from "./fake-world.ts";
import { startWorld } from "./server-world.ts";

describe("with the real server", () => {
  test("100 messages that were published offline arrive once and in order, at the rate that the server allows", async () => {
    const world = await startWorld({ limits: { clientEventsPerSecond: 50 } });
    const heard: number[] = [];
    const reader = world.directClient();
    reader.channel("kept-queue").on("n", (n: number) => heard.push(n));
    await eventually(() => expect(reader.channel("kept-queue").snapshot.state).toBe("attached"));
    world.proxy.cut();
    const refusals: unknown[] = [];
    const writer = world.client({ log: (entry) => entry.code === "rate_limited" && refusals.push(entry) });
    const sent = Array.from({ length: 100 }, (_, n) => writer.channel("kept-queue").publish("n", n));
    expect(writer.snapshot.queued).toBe(100);
    await expect(writer.channel("kept-queue").publish("n", 100)).rejects.toMatchObject({ code: "queue_full" });
    world.proxy.mend();
    const published = await Promise.all(sent);
    expect(published.map(({ position }) => position?.offset)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    await eventually(() => expect(heard).toEqual(Array.from({ length: 100 }, (_, n) => n)));
    expect(writer.snapshot.queued).toBe(0);
    expect(refusals).toEqual([]);
  });

  test("a rate that others use up as well pauses the queue and keeps the order", async () => {
    const world = await startWorld({ limits: { clientEventsPerSecond: 10 } });
    const heard: number[] = [];
    const reader = world.directClient();
    reader.channel("room").on("n", (n: number) => heard.push(n));
    const writer = world.directClient();
    const room = writer.channel("room");
    room.hold();
    await eventually(() => {
      expect(reader.channel("room").snapshot.state).toBe("attached");
      expect(room.snapshot.state).toBe("attached");
    });
    const typing = Array.from({ length: 8 }, () => room.publish("typing", {}, { volatile: true }));
    await Promise.all([...typing, ...Array.from({ length: 12 }, (_, n) => room.publish("n", n))]);
    await eventually(() => expect(heard).toEqual(Array.from({ length: 12 }, (_, n) => n)));
  });

  // A line that is slower than the pause: the next try begins before those behind it are known to be refused.
  test.each([0, 15])(
    "an engine that is away for moments changes no order on a line of %d ms, and nothing comes twice",
    async (lineMs) => {
      const random = chance(7);
      const world = await startWorld({}, { engine: refusingEngine(() => random() < 0.3) });
      world.proxy.slow(lineMs);
      const [heard, gaps]: [number[], unknown[]] = [[], []];
      const reader = world.directClient();
      for (const name of ["kept-one", "kept-two"]) {
        reader.channel(name).on("n", (n: number) => heard.push(n));
        reader.channel(name).onGap((gap) => gaps.push(gap));
      }
      await eventually(() => expect(reader.channel("kept-two").snapshot.state).toBe("attached"));
      // Its pause of a second is a short one, so that many moments are tried.
      const setTimer = (run: () => void, ms: number) => realEnvironment.setTimer(run, ms === 1_000 ? 10 : ms);
      const writer = createClientIn({ ...realEnvironment, setTimer }, { url: `ws://127.0.0.1:${world.proxy.port}` });
      atEnd(() => writer.close());
      const published = await Promise.all(
        Array.from({ length: 100 }, (_, n) => writer.channel(n % 2 === 0 ? "kept-one" : "kept-two").publish("n", n)),
      );
      await eventually(() => expect(heard).toHaveLength(100));
      for (const rest of [0, 1]) {
        const own = Array.from({ length: 50 }, (_, n) => 2 * n + rest);
        expect(heard.filter((n) => n % 2 === rest)).toEqual(own);
        expect(own.map((n) => published[n]?.position?.offset)).toEqual(own.map((_, at) => at + 1));
      }
      expect(gaps).toEqual([]);
    },
  );

  test("a message whose answer was lost is in its place all the same, and that is told", async () => {
    const world = await startWorld();
    const room = world.client().channel("kept-lost");
    const heard: unknown[] = [];
    const reader = world.directClient().channel("kept-lost");
    reader.on("n", (n: number) => heard.push(n));
    room.hold();
    await eventually(() => expect([room, reader].map((it) => it.snapshot.state)).toEqual(["attached", "attached"]));
    world.proxy.swallow("answers");
    const published = room.publish("n", 1);
    await eventually(() => expect(heard).toEqual([1]));
    await world.publish("kept-lost", "n", 2);
    world.proxy.mend();
    expect((await published).position?.offset).toBe(1);
    await eventually(() => expect(heard).toEqual([1, 2]));
  });

  test("what the server refuses is rejected with its code, and the rest goes on", async () => {
    const world = await startWorld({ channels: [{ match: "open", clientPublish: "any" }] });
    const client = world.client();
    await expect(client.channel("closed").publish("n", 1)).rejects.toMatchObject({
      code: "publish_forbidden",
      channel: "closed",
      retryable: false,
    });
    expect(await client.channel("open").publish("n", 1)).toEqual({});
    await expect(client.channel("bad name").publish("n", 1)).rejects.toMatchObject({ code: "channel_invalid" });
    expect(client.channel("bad name").snapshot.state).toBe("refused");
  });

  test("a call to nobody is refused", async () => {
    const world = await startWorld();
    await expect(world.client().call("vote", { option: 1 })).rejects.toMatchObject({ code: "unknown_command" });
  });
});

/** Connected, with a channel that is attached. */
async function attachedIn(world: FakeWorld, options = {}, welcome = {}) {
  const client = world.client(options);
  const room = client.channel("room");
  room.hold();
  await settled();
  world.socket.welcome(welcome);
  world.socket.subscribed();
  return { client, room };
}

async function reconnect(world: FakeWorld): Promise<void> {
  await world.pass(1_000);
  world.socket.welcome();
  world.socket.subscribed();
}

describe("a message", () => {
  test("whose answer was lost is sent again with its key", async () => {
    const world = new FakeWorld();
    const { room } = await attachedIn(world);
    const published = room.publish("n", 1);
    const { data } = world.socket.last("publish");
    world.socket.end();
    await reconnect(world);
    expect(world.socket.last("publish").data).toEqual(data as Record<string, unknown>);
    expect(data?.idempotencyKey).toMatch(/^.{16,128}$/);
    world.socket.answer("publish", "published", { position: { epoch: "e", offset: 7 } });
    expect(await published).toEqual({ position: { epoch: "e", offset: 7 } });
  });

  test("carries the key that it was given", async () => {
    const world = new FakeWorld();
    const { room } = await attachedIn(world);
    void room.publish("n", 1, { key: "mine" }).catch(() => {});
    expect(world.socket.last("publish").data).toEqual({ channel: "room", event: "n", data: 1, idempotencyKey: "mine" });
  });

  test("is as it was when it was published", async () => {
    const world = new FakeWorld();
    const { client } = await attachedIn(world);
    const data = { text: "before" };
    void client
      .channel("other")
      .publish("n", data)
      .catch(() => {});
    data.text = "after";
    world.socket.subscribed();
    expect(world.socket.last("publish").data).toMatchObject({ data: { text: "before" } });
  });

  test("waits 240 s and no longer; whether it may have been published is said", async () => {
    const world = new FakeWorld();
    const { client, room } = await attachedIn(world);
    const sent = rejection(room.publish("n", 1));
    world.socket.end();
    const waiting = rejection(client.channel("other").publish("n", 2));
    await world.pass(239_000);
    expect(client.snapshot.queued).toBe(2);
    await world.pass(1_000);
    expect(await sent).toMatchObject({ code: "queue_expired", maybeExecuted: true });
    expect(await waiting).toMatchObject({ code: "queue_expired" });
    expect(await waiting).not.toHaveProperty("maybeExecuted");
    expect(client.snapshot.queued).toBe(0);
  });

  test("that is more than the bytes that may wait is refused", async () => {
    const world = new FakeWorld();
    const { client } = await attachedIn(world, { queue: { bytes: 1_000 } });
    void client
      .channel("other")
      .publish("n", "x".repeat(500))
      .catch(() => {});
    await expect(client.channel("other").publish("n", "ü".repeat(250))).rejects.toMatchObject({ code: "queue_full" });
  });

  test("that cannot be JSON, or is larger than a frame may be, is refused", async () => {
    const world = new FakeWorld();
    const { room } = await attachedIn(world, {}, { maxFrameBytes: 1_000 });
    await expect(room.publish("n", 1n)).rejects.toMatchObject({ code: "data_invalid" });
    await expect(room.publish("n", "x".repeat(1_000))).rejects.toMatchObject({ code: "data_too_large" });
    expect(world.socket.of("publish")).toHaveLength(0);
  });

  test("that ended the connection by its size is rejected, and the others are sent again", async () => {
    const world = new FakeWorld();
    const { room } = await attachedIn(world);
    const large = room.publish("n", "x".repeat(1_000));
    const small = room.publish("n", "x");
    world.socket.end(1009);
    await expect(large).rejects.toMatchObject({ code: "data_too_large" });
    await reconnect(world);
    expect(world.socket.of("publish")).toHaveLength(1);
    world.socket.answer("publish", "published");
    expect(await small).toEqual({});
  });

  test("that is aborted is not sent", async () => {
    const world = new FakeWorld();
    const { client } = await attachedIn(world);
    const abort = new AbortController();
    const published = client.channel("other").publish("n", 1, { signal: abort.signal });
    abort.abort();
    await expect(published).rejects.toMatchObject({ code: "aborted", cause: { name: "AbortError" } });
    world.socket.subscribed();
    expect(world.socket.of("publish")).toHaveLength(0);
    expect(client.snapshot.queued).toBe(0);
  });

  test("waits when the rate is exceeded, for as long as the server says, and so do those behind it", async () => {
    const world = new FakeWorld();
    const { room } = await attachedIn(world);
    const both = [room.publish("n", 1), room.publish("n", 2)];
    const [first, second] = world.socket.of("publish");
    for (const frame of [first, second])
      world.socket.receive({ event: "error", id: frame?.id, code: "rate_limited", message: "…", retryAfterMs: 300 });
    await world.pass(299);
    expect(world.socket.of("publish")).toHaveLength(2);
    await world.pass(1);
    const again = world.socket.of("publish").slice(2);
    expect(again.map(({ data }) => data?.data)).toEqual([1, 2]);
    // Each time the second waits for the first, so that they cannot change places.
    const after = [first, second, ...again].map((frame) => frame?.data?.afterKey);
    expect(after).toEqual([undefined, first?.data?.idempotencyKey, undefined, first?.data?.idempotencyKey]);
    for (const { id } of again) world.socket.receive({ event: "published", id, channel: "room" });
    expect(await Promise.all(both)).toEqual([{}, {}]);
  });

  test("is one of at most 8 that are unanswered", async () => {
    const world = new FakeWorld();
    const { room } = await attachedIn(world);
    for (let n = 0; n < 20; n++) void room.publish("n", n).catch(() => {});
    expect(world.socket.of("publish")).toHaveLength(8);
    const [first] = world.socket.of("publish");
    world.socket.receive({ event: "published", id: first?.id, channel: "room" });
    expect(world.socket.of("publish")).toHaveLength(9);
  });

  test("that is volatile is sent at once without a key, or not at all", async () => {
    const world = new FakeWorld();
    const { client, room } = await attachedIn(world);
    void room.publish("typing", 1, { volatile: true }).catch(() => {});
    expect(world.socket.last("publish").data).toEqual({ channel: "room", event: "typing", data: 1 });
    const elsewhere = client.channel("other").publish("typing", 1, { volatile: true });
    await expect(elsewhere).rejects.toMatchObject({ code: "not_connected" });
    world.socket.end();
    await expect(room.publish("typing", 1, { volatile: true })).rejects.toMatchObject({ code: "not_connected" });
    expect(client.snapshot.queued).toBe(0);
  });

  test("does not wait behind another channel's", async () => {
    const world = new FakeWorld();
    const { client, room } = await attachedIn(world);
    void client
      .channel("slow")
      .publish("n", 1)
      .catch(() => {});
    void room.publish("n", 2).catch(() => {});
    expect(world.socket.of("publish").map(({ data }) => data?.channel)).toEqual(["room"]);
  });

  test("of a user who signs out is not sent as somebody else's", async () => {
    const world = new FakeWorld();
    const { client } = await attachedIn(world);
    const published = client.channel("other").publish("n", 1);
    const signedOut = client.signOut();
    await expect(published).rejects.toMatchObject({ code: "closed" });
    await settled();
    world.socket.welcome();
    await signedOut;
  });
});

describe("a call", () => {
  test("waits for the connection, and is answered", async () => {
    const world = new FakeWorld();
    const client = world.client();
    const answered = client.call("vote", { option: 1 });
    await settled();
    world.socket.welcome();
    await settled();
    expect(world.socket.last("vote").data).toEqual({ option: 1 });
    world.socket.answer("vote", "result", { data: { votes: 3 } });
    expect(await answered).toEqual({ votes: 3 });
  });

  test("is not repeated when the connection is lost, and it is said that it may have been executed", async () => {
    const world = new FakeWorld();
    const { client } = await attachedIn(world);
    const answered = client.call("vote", {});
    await settled();
    world.socket.end();
    await expect(answered).rejects.toMatchObject({ code: "connection_lost", maybeExecuted: true });
    await reconnect(world);
    expect(world.socket.of("vote")).toHaveLength(0);
  });

  test("ends by its time, by its signal, and without a trace", async () => {
    const world = new FakeWorld();
    const { client } = await attachedIn(world);
    const late = rejection(client.call("vote", {}, { timeoutMs: 500 }));
    const abort = new AbortController();
    const aborted = client.call("vote", {}, { signal: abort.signal });
    const unconnected = world.client({ connect: "manual" });
    const offline = rejection(unconnected.call("vote", {}, { timeoutMs: 400 }));
    await settled();
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: "aborted" });
    await world.pass(500);
    expect(await late).toMatchObject({ code: "timeout", maybeExecuted: true });
    expect(await offline).toMatchObject({ code: "timeout" });
  });

  test("is not answered by a pushed object with its id", async () => {
    const world = new FakeWorld();
    const { client } = await attachedIn(world);
    const answered = client.call("vote", {});
    await settled();
    const { id } = world.socket.last("vote");
    world.socket.receive(
      { event: "result", id, data: "pushed", pushed: true },
      { event: "other", id, data: "pushed" },
      { id },
    );
    world.socket.answer("vote", "result", { data: "true" });
    expect(await answered).toBe("true");
  });
});
