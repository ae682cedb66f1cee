/** Channels: who holds them, how they are subscribed, and what is refused. */

import { describe, expect, test } from "bun:test";
import { batchAuthorizerIn } from "../../packages/client/src/batch-authorizer.ts";
import {
  type Authorize,
  type AuthorizeMany,
  type Channel,
  type Client,
  FanfareError,
  updatePresence,
} from "../../packages/client/src/index.ts";
import { FakeWorld, settled } from "./fake-world.ts";

async function connectedIn(world: FakeWorld, options = {}): Promise<Client> {
  const client = world.client(options);
  client.connect();
  await settled();
  world.socket.welcome();
  await settled();
  return client;
}

const names = (world: FakeWorld) => world.socket.sent.map(({ event, data }) => `${event} ${data?.channel}`);

describe("a channel", () => {
  test("is the same object each time, and subscribed once for all who hold it", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    // Without a declaration, all channels are of one type.
    const room: Channel = client.channel("room");
    expect(client.channel("room")).toBe(room);
    client.channel("room").on("a", () => {});
    client.channel("room").onAny(() => {});
    client.channel("room").hold();
    expect(names(world)).toEqual(["subscribe room"]);
  });

  test("is left when the last has gone for 500 ms, and not if one comes back", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    const room = client.channel("room");
    const first = room.hold();
    world.socket.subscribed();
    first();
    first();
    await world.pass(400);
    const second = room.hold();
    await world.pass(1_000);
    expect(room.snapshot.state).toBe("attached");
    expect(names(world)).toEqual(["subscribe room"]);
    second();
    await world.pass(500);
    expect(room.snapshot.state).toBe("detached");
    expect(names(world)).toEqual(["subscribe room", "unsubscribe room"]);
  });

  test("that is held, left and held again in one tick is subscribed once", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    const room = client.channel("room");
    room.hold()();
    room.hold();
    await world.pass(10_000);
    expect(names(world)).toEqual(["subscribe room"]);
  });

  test("that is left and wanted again before the server has answered hears only what belongs to the last time", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world, { lingerMs: 0 });
    const room = client.channel("room");
    const heard: unknown[] = [];
    room.hold()();
    await world.pass(0);
    room.on("n", (n) => heard.push(n));
    expect(names(world)).toEqual(["subscribe room", "unsubscribe room", "subscribe room"]);
    const [first, second] = world.socket.of("subscribe");
    const answer = (id: number | undefined) =>
      world.socket.receive({ event: "subscribed", channel: "room", id }, { event: "n", channel: "room", data: id });
    answer(first?.id);
    expect(room.snapshot.state).toBe("attaching");
    world.socket.receive({ event: "unsubscribed", channel: "room" });
    answer(second?.id);
    expect(room.snapshot.state).toBe("attached");
    expect(heard).toEqual([second?.id]);
  });

  test("and its signal ends a listener, and so does `using`", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    const room = client.channel("room");
    const abort = new AbortController();
    const heard: string[] = [];
    room.on("n", () => heard.push("signal"), { signal: abort.signal });
    {
      using _ = room.on("n", () => heard.push("using"));
      world.socket.subscribed();
      world.socket.receive({ event: "n", channel: "room", data: 1 });
    }
    abort.abort();
    world.socket.receive({ event: "n", channel: "room", data: 2 });
    expect(heard).toEqual(["signal", "using"]);
    room.on("n", () => heard.push("never"), { signal: abort.signal });
    await world.pass(500);
    expect(room.snapshot.state).toBe("detached");
  });

  test("that is not in use is forgotten by a page that visits thousands, and one that the application still has stays itself", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    const visit = async (name: string) => {
      const channel = client.channel(name);
      const stop = channel.on("n", () => {}, { keep: 10 });
      world.socket.subscribed();
      if (name.startsWith("presence-")) await Promise.all([updatePresence(channel, 1), settled().then(said)]);
      stop();
      await world.pass(500);
      return new WeakRef(channel);
    };
    const said = () => world.socket.answer("presence", "presence");
    const gaps: unknown[] = [];
    client.channel("listened").onGap((gap) => gaps.push(gap));
    client.channel("watched", { watch: true });
    const held = client.channel("held");
    await visit("held");
    const visited: WeakRef<Channel>[] = [];
    for (let n = 0; n < 2_000; n++) visited.push(await visit(n % 2 === 0 ? `room-${n}` : `presence-${n}`));
    await settled();
    Bun.gc(true);
    // The last ones are looked through when more come.
    expect(visited.filter((it) => it.deref()).length).toBeLessThan(200);
    expect(client.channel("held")).toBe(held);
    held.on("n", () => {});
    expect(world.socket.last("subscribe").data).toEqual({ channel: "held" });
    client.channel("watched").hold();
    expect(world.socket.last("subscribe").data).toEqual({ channel: "watched", presence: "watch" });
    client.channel("listened").hold();
    world.socket.subscribed();
    world.socket.receive({ event: "gap", channel: "listened" });
    expect(gaps).toEqual([{ reason: "server" }]);
  });

  test("has at most 64 commands under way with others", async () => {
    const world = new FakeWorld();
    const client = world.client();
    for (let n = 0; n < 100; n++) client.channel(`room-${n}`).hold();
    await settled();
    world.socket.welcome();
    expect(world.socket.of("subscribe")).toHaveLength(64);
    world.socket.receive({ event: "subscribed", channel: "room-0", id: world.socket.of("subscribe")[0]?.id });
    expect(world.socket.of("subscribe")).toHaveLength(65);
  });

  test("delivers to all listeners, whatever one of them throws", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    const reported: unknown[] = [];
    const before = globalThis.reportError;
    globalThis.reportError = (error) => reported.push(error);
    const heard: unknown[] = [];
    client.channel("room").on("n", () => {
      throw new Error("a listener's");
    });
    client.channel("room").on("n", (n) => heard.push(n));
    world.socket.subscribed();
    world.socket.receive({ event: "n", channel: "room", data: 1 });
    globalThis.reportError = before;
    expect(heard).toEqual([1]);
    expect(reported).toEqual([new Error("a listener's")]);
  });

  test("gives the last events to those who look late, in one change for many", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    const room = client.channel("room", { keep: 3 });
    let changes = 0;
    room.hold();
    world.socket.subscribed();
    await settled();
    room.subscribe(() => changes++);
    for (let n = 0; n < 1_000; n++) world.socket.receive({ event: "n", channel: "room", data: n });
    expect(room.recent).toEqual([]);
    await world.pass(16);
    expect(room.recent.map(({ data }) => data as unknown)).toEqual([997, 998, 999]);
    expect(changes).toBe(1);
  });

  test("delivers bare objects and events with names of the protocol as what they are", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    const heard: unknown[] = [];
    client.channel("room").onAny(({ event, data, meta }) => heard.push([event, data, meta.user]));
    world.socket.subscribed();
    world.socket.receive(
      { metric: "cpu", value: 42, channel: "room" },
      { event: "subscribed", channel: "room", data: 1, pushed: true, user: "bob" },
      { event: "gap", channel: "room", data: 2, pushed: true },
    );
    world.socket.text("no JSON");
    world.socket.text("7");
    expect(heard).toEqual([
      ["", { metric: "cpu", value: 42 }, undefined],
      ["subscribed", 1, "bob"],
      ["gap", 2, undefined],
    ]);
  });
});

describe("a reply that was buffered while the page was suspended", () => {
  test("shows no publication twice", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    const room = client.channel("room");
    const heard: unknown[] = [];
    room.on("n", (n) => heard.push(n));
    const at = (offset: number) => ({ position: { epoch: "e", offset } });
    world.socket.subscribed(at(1));
    const old = world.socket;
    old.receive({ event: "n", channel: "room", data: 2, ...at(2) });
    await world.sleep(600_000);
    await world.pass(5_000);
    await world.pass(1_000);
    world.socket.welcome();
    expect(world.socket.last("subscribe").data).toMatchObject(at(2));
    expect(world.socket.last("subscribe").data?.previousIds).toHaveLength(1);
    world.socket.subscribed({ ...at(2), recovered: true });
    world.socket.receive({ event: "n", channel: "room", data: 3, ...at(3) });
    // The old socket gets its own at last, and the new one repeats itself.
    old.receive({ event: "n", channel: "room", data: 3, ...at(3) });
    world.socket.receive(
      { event: "n", channel: "room", data: 3, ...at(3) },
      { event: "n", channel: "room", data: 4, ...at(4) },
    );
    expect(heard).toEqual([2, 3, 4]);
  });
});

describe("a refusal", () => {
  test("that may pass is tried again after a pause, or when the server says", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    const room = client.channel("room");
    room.hold();
    world.socket.answer("subscribe", "error", { code: "channel_full", message: "…" });
    expect(room.snapshot).toMatchObject({ state: "attaching", error: { code: "channel_full", retryable: true } });
    await world.pass(1_000);
    expect(world.socket.of("subscribe")).toHaveLength(2);
    world.socket.answer("subscribe", "error", { code: "rate_limited", message: "…", retryAfterMs: 70 });
    await world.pass(70);
    world.socket.subscribed();
    expect(room.snapshot).toEqual({ state: "attached" });
  });

  test("that cannot pass stays, until somebody new holds it, it is tried by hand, or the user is another", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    const room = client.channel("room");
    room.hold();
    const refuse = () => world.socket.answer("subscribe", "error", { code: "unauthorized", message: "…" });
    refuse();
    const message = room.publish("n", 1);
    refuse();
    await expect(message).rejects.toMatchObject({ code: "unauthorized" });
    expect(room.snapshot).toMatchObject({ state: "refused", error: { code: "unauthorized" } });
    await world.pass(20_000);
    expect(world.socket.of("subscribe")).toHaveLength(2);
    room.retry();
    refuse();
    const signedIn = client.authenticate({ token: "t" });
    await settled();
    world.socket.answer("authenticate", "authenticated", { data: { user: { id: "ada" } } });
    expect(await signedIn).toEqual({ id: "ada" });
    expect(client.snapshot.user).toEqual({ id: "ada" });
    expect(world.socket.of("subscribe")).toHaveLength(4);
  });
});

describe("a gap that the server reports", () => {
  test("is told; in a presence channel the list is asked for again", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    const told: string[] = [];
    for (const name of ["kept", "presence-room"]) {
      client.channel(name).onGap(({ reason }) => told.push(`${name} ${reason}`));
      client.channel(name).hold();
    }
    const [kept, presence] = world.socket.of("subscribe");
    const position = { epoch: "e", offset: 1 };
    world.socket.receive(
      { event: "subscribed", channel: "kept", id: kept?.id, position },
      { event: "subscribed", channel: "presence-room", id: presence?.id, data: { members: [{ id: "ada" }] }, position },
    );
    world.socket.receive({ event: "gap", channel: "kept" }, { event: "gap", channel: "presence-room" });
    expect(told).toEqual(["kept server", "presence-room server"]);
    await world.pass(1_000);
    expect(names(world).slice(2)).toEqual(["unsubscribe presence-room", "subscribe presence-room"]);
    expect(client.channel("presence-room").members).toEqual([{ id: "ada" }]);
  });
});

describe("permission", () => {
  const grant: AuthorizeMany = (channels, id) =>
    Object.fromEntries(channels.map((name) => [name, { auth: `${id}:${name}` }]));

  test("for many channels is one call, for each connection anew", async () => {
    const world = new FakeWorld();
    const calls: string[][] = [];
    const authorize: AuthorizeMany = (channels, id, signal) => {
      calls.push([...channels]);
      return grant(channels, id, signal);
    };
    const client = world.client({ authorize: batchAuthorizerIn(world, authorize) });
    for (const name of ["private-a", "presence-b", "public"]) client.channel(name).hold();
    await settled();
    world.socket.welcome({ id: "1.1" });
    expect(names(world)).toEqual(["subscribe public"]);
    await world.pass(10);
    expect(calls).toEqual([["private-a", "presence-b"]]);
    expect(world.socket.last("subscribe").data).toMatchObject({ channel: "presence-b", auth: "1.1:presence-b" });
    world.socket.end();
    await world.pass(1_000);
    world.socket.welcome({ id: "1.2" });
    await world.pass(10);
    expect(calls).toHaveLength(2);
    expect(world.socket.last("subscribe").data).toMatchObject({ auth: "1.2:presence-b" });
  });

  test("is asked for at most 100 channels at a time", async () => {
    const world = new FakeWorld();
    const sizes: number[] = [];
    const authorize: AuthorizeMany = (channels, id, signal) => {
      sizes.push(channels.length);
      return grant(channels, id, signal);
    };
    const client = await connectedIn(world, { authorize: batchAuthorizerIn(world, authorize) });
    for (let n = 0; n < 250; n++) client.channel(`private-${n}`).hold();
    await world.pass(10);
    expect(sizes).toEqual([100, 100, 50]);
  });

  test("that fails is asked for three times, then after the channel's own pauses", async () => {
    const world = new FakeWorld();
    let calls = 0;
    const authorize: AuthorizeMany = () => {
      calls++;
      throw new Error("the back end is down");
    };
    const client = await connectedIn(world, { authorize: batchAuthorizerIn(world, authorize) });
    const room = client.channel("private-a");
    room.hold();
    await world.pass(10 + 1_000 + 2_000);
    expect(calls).toBe(3);
    expect(room.snapshot).toMatchObject({
      state: "attaching",
      error: { code: "authorization_failed", retryable: true },
    });
    await world.pass(1_000 + 10);
    expect(calls).toBe(4);
  });

  test("that is denied refuses the channel with the back end's words, and only that", async () => {
    const world = new FakeWorld();
    const authorize: AuthorizeMany = () => ({
      "private-a": { error: { code: "not_yours", message: "This is not yours." } },
      "private-b": { auth: "b" },
    });
    const client = await connectedIn(world, { authorize: batchAuthorizerIn(world, authorize) });
    for (const name of ["private-a", "private-b", "private-c"]) client.channel(name).hold();
    await world.pass(10);
    const errors = ["private-a", "private-c"].map((name) => client.channel(name).snapshot.error);
    expect(errors.map((error) => [error?.code, error?.message])).toEqual([
      ["not_yours", "This is not yours."],
      ["authorization_failed", "There is no permission for private-c."],
    ]);
    expect(errors[0]).toBeInstanceOf(FanfareError);
    expect(names(world)).toEqual(["subscribe private-b"]);
  });

  test("of a function of the application's own is asked for channel by channel, and again unless it says no", async () => {
    const world = new FakeWorld();
    const asked: string[] = [];
    const authorize: Authorize = (channel, id) => {
      asked.push(channel);
      if (channel === "private-no") throw new FanfareError("not_yours", "This is not yours.");
      if (asked.length < 4) throw new Error("the back end is down");
      return { auth: id };
    };
    const client = await connectedIn(world, { authorize });
    for (const name of ["private-no", "private-a", "public"]) client.channel(name).hold();
    await world.pass(10_000);
    expect(asked).toEqual(["private-no", "private-a", "private-a", "private-a"]);
    expect(client.channel("private-no").snapshot).toMatchObject({ state: "refused", error: { code: "not_yours" } });
    expect(names(world)).toEqual(["subscribe public", "subscribe private-a"]);
  });

  test("is asked for also where only the server knows that it is needed", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world, { authorize: batchAuthorizerIn(world, grant) });
    client.channel("closed").hold();
    world.socket.answer("subscribe", "error", { code: "unauthorized", message: "…" });
    await world.pass(10);
    expect(world.socket.last("subscribe").data).toMatchObject({ channel: "closed", auth: expect.any(String) });
  });
});
