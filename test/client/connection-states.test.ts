/** The connection's states, each row of their table, with a clock of the test's own. */

import { describe, expect, test } from "bun:test";
import { type Client, createLive } from "../../packages/client/src/index.ts";
import { FakeWorld, settled } from "./fake-world.ts";

/** A connected client. */
async function connectedIn(world: FakeWorld, client: Client = world.client()): Promise<Client> {
  client.connect();
  await settled();
  world.socket.welcome();
  await settled();
  return client;
}

describe("a client", () => {
  test("does nothing until something is wanted of it", async () => {
    const world = new FakeWorld();
    const client = world.client();
    const room = client.channel("room");
    client.subscribe(() => {});
    room.subscribe(() => {});
    createLive(room, { load: () => ({ state: 0 }), apply: (state) => state });
    await world.pass(60_000);
    expect(client.snapshot.state).toBe("idle");
    expect(world.sockets).toHaveLength(0);
    expect(world.timers).toBe(0);
  });

  test("connects with the first listener, and is connected with the welcome", async () => {
    const world = new FakeWorld();
    const client = world.client();
    client.channel("room").on("message", () => {});
    await settled();
    expect(client.snapshot.state).toBe("connecting");
    world.socket.open();
    await settled();
    expect(client.snapshot.state).toBe("connecting");
    world.socket.welcome({ id: "7.7", user: { id: "ada" } });
    expect(client.snapshot).toEqual({
      state: "connected",
      id: "7.7",
      user: { id: "ada" },
      url: "ws://server",
      transport: "fake",
      attempt: 0,
      queued: 0,
    });
  });

  test("waits for connect() where that is left to the application", async () => {
    const world = new FakeWorld();
    const client = world.client({ connect: "manual" });
    client.channel("room").on("message", () => {});
    const published = client.channel("room").publish("message", 1);
    await settled();
    expect(world.sockets).toHaveLength(0);
    client.connect();
    await settled();
    world.socket.welcome();
    world.socket.subscribed();
    world.socket.answer("publish", "published");
    expect(await published).toEqual({});
  });

  test("fails at once where there is no transport", async () => {
    const world = new FakeWorld();
    const transport = { ...world.transport, isSupported: () => false };
    const client = world.client({ transports: [transport] });
    const connected = client.connected();
    expect(client.snapshot).toMatchObject({ state: "failed", error: { code: "unsupported" } });
    await expect(connected).rejects.toMatchObject({ code: "unsupported" });
  });
});

describe("a connection that ends", () => {
  test("is dialed again after 1, 2, 4, 8, 16, 30 and 30 seconds", async () => {
    const world = new FakeWorld();
    const client = world.client();
    client.connect();
    await settled();
    const pauses: number[] = [];
    for (let attempt = 1; attempt <= 7; attempt++) {
      world.socket.end();
      expect(client.snapshot).toMatchObject({ state: "connecting", attempt, error: { code: "connection_lost" } });
      pauses.push((client.snapshot.retryAt ?? 0) - world.now());
      await world.pass(pauses.at(-1) ?? 0);
      expect(world.sockets).toHaveLength(attempt + 1);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  test.each([
    [0, 500],
    [1, 1_500],
  ])("is dialed again after a pause that chance stretches: %d", async (chance, pauseMs) => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    world.chance = chance;
    world.socket.end();
    expect((client.snapshot.retryAt ?? 0) - world.now()).toBe(pauseMs);
  });

  test("counts its attempts anew only after one that stood for 5 s", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    await world.pass(4_000);
    world.socket.end();
    expect(client.snapshot).toMatchObject({ state: "reconnecting", attempt: 1 });
    await world.pass(1_000);
    world.socket.welcome();
    expect(client.snapshot).toMatchObject({ state: "connected", attempt: 0 });
    await world.pass(4_000);
    world.socket.end();
    expect(client.snapshot.attempt).toBe(2);
    await world.pass(2_000);
    world.socket.welcome();
    await world.pass(6_000);
    world.socket.end();
    expect(client.snapshot.attempt).toBe(1);
  });

  test("comes back at once when the server says so, the first time", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    await world.pass(6_000);
    world.socket.receive({ event: "closing", code: "shutdown", message: "…", reconnect: "now" });
    expect(world.socket.closedWith).toBe(1000);
    expect(client.snapshot).toMatchObject({ state: "reconnecting", error: { code: "shutdown" } });
    expect((client.snapshot.retryAt ?? 0) - world.now()).toBe(500);
    await world.pass(500);
    world.socket.receive({ event: "closing", code: "shutdown", message: "…", reconnect: "now" });
    expect((client.snapshot.retryAt ?? 0) - world.now()).toBe(2_000);
  });

  test("comes back when the server says, and later by up to 10 s in a hidden tab", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    await world.pass(6_000);
    world.isPageHidden = true;
    world.socket.receive({ event: "closing", code: "shutdown", message: "…", reconnect: "now", afterMs: 300 });
    expect((client.snapshot.retryAt ?? 0) - world.now()).toBe(300 + 5_000);
  });

  test.each([
    [4000, "failed"],
    [4100, "reconnecting"],
    [4200, "reconnecting"],
    [1009, "reconnecting"],
    [1000, "reconnecting"],
  ] as const)("without a word, with %d, leaves it %s", async (code, state) => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    world.socket.end(code);
    expect(client.snapshot.state).toBe(state);
  });

  test("for good is failed until connect(), and whoever waits is told", async () => {
    const world = new FakeWorld();
    const client = world.client();
    const connected = client.connected();
    await settled();
    world.socket.receive({ event: "closing", code: "app_unknown", message: "There is no app.", reconnect: "never" });
    await expect(connected).rejects.toMatchObject({ code: "app_unknown", message: "There is no app." });
    client.channel("room").on("message", () => {});
    await world.pass(120_000);
    expect(world.sockets).toHaveLength(1);
    expect(world.timers).toBe(0);
    client.connect();
    await settled();
    world.socket.welcome();
    expect(client.snapshot.state).toBe("connected");
    expect(client.snapshot.error).toBeUndefined();
    expect(world.socket.of("subscribe")).toHaveLength(1);
  });
});

describe("an attempt", () => {
  test.each([
    ["the address", { url: () => new Promise<string>(() => {}) }],
    ["the token", { token: () => new Promise<string>(() => {}) }],
    ["the connection", {}],
  ])("gives %s 10 s", async (_what, options) => {
    const world = new FakeWorld();
    const client = world.client(options);
    client.connect();
    await world.pass(9_999);
    expect(client.snapshot).toMatchObject({ state: "connecting", attempt: 0 });
    await world.pass(1);
    expect(client.snapshot).toMatchObject({ state: "connecting", attempt: 1 });
    expect(client.snapshot.error?.retryable).toBe(true);
  });

  test("that opens and never answers is given up, and late frames of it are nobody's", async () => {
    const world = new FakeWorld();
    const client = world.client();
    client.connect();
    await settled();
    const [dead] = world.sockets;
    dead?.open();
    await world.pass(10_000);
    expect(dead?.closedWith).toBe(1000);
    await world.pass(1_000);
    dead?.welcome({ id: "late" });
    dead?.end(4000);
    expect(client.snapshot.state).toBe("connecting");
    world.socket.welcome({ id: "new" });
    expect(client.snapshot.id).toBe("new");
  });

  test("by a transport that never answers makes way for the next transport at once", async () => {
    const world = new FakeWorld();
    const names: string[] = [];
    const named = (name: string) => ({
      ...world.transport,
      name,
      open: (request: Parameters<typeof world.transport.open>[0]) => {
        names.push(name);
        return world.transport.open(request);
      },
    });
    const client = world.client({ transports: [named("one"), named("other")] });
    client.connect();
    await settled();
    world.socket.open();
    await world.pass(10_000);
    expect(names).toEqual(["one", "other"]);
    world.socket.welcome();
    await world.pass(6_000);
    world.socket.end();
    await world.pass(1_000);
    expect(names).toEqual(["one", "other", "other"]);
  });

  test("goes to the next address when one fails, and back when it may work again", async () => {
    const world = new FakeWorld();
    const client = world.client({ url: ["ws://a", "https://b/path", "ws://c?x=1"] });
    client.connect();
    await settled();
    for (let attempt = 0; attempt < 3; attempt++) {
      world.socket.end();
      await world.pass(4_000);
    }
    expect(world.sockets.map(({ url }) => url)).toEqual(["ws://a", "wss://b/path", "ws://c?x=1", "ws://a"]);
    world.socket.welcome();
    expect(client.snapshot.url).toBe("ws://a");
  });

  test("carries the app in its address", async () => {
    const world = new FakeWorld();
    world.client({ url: "ws://a?x=1", app: "k&y" }).connect();
    await settled();
    expect(world.socket.url).toBe("ws://a?x=1&app=k%26y");
  });
});

describe("silence", () => {
  test("of 30 s is answered by a ping, and 10 s more end the connection", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    await world.pass(29_999);
    expect(world.socket.of("ping")).toHaveLength(0);
    await world.pass(1);
    expect(world.socket.of("ping")).toHaveLength(1);
    await world.pass(200);
    world.socket.answer("ping", "pong");
    expect(client.snapshot.rttMs).toBe(200);
    await world.pass(30_000);
    expect(world.socket.of("ping")).toHaveLength(2);
    await world.pass(9_999);
    expect(client.snapshot.state).toBe("connected");
    await world.pass(1);
    expect(client.snapshot).toMatchObject({ state: "reconnecting", error: { code: "timeout" } });
  });

  test("is not silence as long as anything comes", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    for (let n = 0; n < 10; n++) {
      await world.pass(20_000);
      world.socket.receive({ event: "news", data: n });
    }
    expect(world.socket.of("ping")).toHaveLength(0);
    expect(client.snapshot.state).toBe("connected");
  });

  test("in a hidden tab is asked about as rarely as the server wants to hear", async () => {
    const world = new FakeWorld();
    world.isPageHidden = true;
    await connectedIn(world);
    await world.pass(119_999);
    expect(world.socket.of("ping")).toHaveLength(0);
    await world.pass(1);
    expect(world.socket.of("ping")).toHaveLength(1);
  });
});

describe("waking up", () => {
  test.each(["online", "offline", "show"] as const)("by %s asks with a short time to answer", async (event) => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    world.page(event);
    expect(world.socket.of("ping")).toHaveLength(1);
    await world.pass(5_000);
    expect(client.snapshot.state).toBe("reconnecting");
  });

  test("often does not put the end off", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    for (let n = 0; n < 5; n++) {
      client.wake();
      await world.pass(1_000);
    }
    expect(client.snapshot.state).toBe("reconnecting");
  });

  test("while it waits dials at once", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    world.socket.end();
    client.wake();
    await settled();
    expect(world.sockets).toHaveLength(2);
    client.wake();
    await world.pass(5_000);
    expect(world.sockets).toHaveLength(2);
  });

  test("from a sleep, which timers that are late show, asks with the short time", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    await world.sleep(3_600_000);
    expect(world.socket.of("ping")).toHaveLength(1);
    await world.pass(5_000);
    expect(client.snapshot.state).toBe("reconnecting");
  });

  test("never opens what was closed", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    client.close();
    for (const event of ["online", "show", "restore", "offline"] as const) world.page(event);
    client.wake();
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(1);
    expect(world.watchers).toBe(0);
    expect(client.snapshot.state).toBe("closed");
  });
});

describe("a page that is put away", () => {
  test("closes its socket, and is back with the page", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    world.page("suspend");
    expect(world.openSockets).toBe(0);
    expect(client.snapshot.state).toBe("reconnecting");
    await world.sleep(600_000);
    expect(world.sockets).toHaveLength(1);
    world.page("restore");
    await settled();
    world.socket.welcome();
    expect(client.snapshot.state).toBe("connected");
  });
});

describe("close()", () => {
  test("leaves no socket, no timer and no listener of the page, whatever was under way", async () => {
    const stages: ((world: FakeWorld, client: Client) => Promise<unknown>)[] = [
      async () => {},
      async (world) => world.socket.open(),
      async (world) => world.socket.welcome(),
      async (world) => world.socket.end(),
      async (world, client) => {
        world.socket.welcome();
        client.wake();
      },
      async (world, client) => {
        client.channel("private-room", { keep: 5 }).on("message", () => {});
        world.socket.welcome();
        await world.pass(20);
      },
    ];
    for (const stage of stages) {
      const world = new FakeWorld();
      const client = world.client({ authorize: () => new Promise(() => {}) });
      client.connect();
      const published = client.channel("room").publish("message", 1);
      await settled();
      await stage(world, client);
      client.close();
      await expect(published).rejects.toMatchObject({ code: "closed" });
      expect(client.snapshot.state).toBe("closed");
      expect([world.openSockets, world.timers, world.watchers]).toEqual([0, 0, 0]);
    }
  });

  test("and connect() may be called in a listener of the state", async () => {
    const world = new FakeWorld();
    const client = world.client();
    let turns = 0;
    client.subscribe(() => {
      if (client.snapshot.state === "connected" && turns++ < 3) {
        client.close();
        client.connect();
      }
    });
    client.connect();
    for (let n = 0; n < 4; n++) {
      await settled();
      world.socket.welcome();
    }
    await settled();
    expect(client.snapshot.state).toBe("connected");
    expect(world.openSockets).toBe(1);
    client.close();
    expect(world.timers).toBe(0);
  });

  test("may be called in a listener of an event", async () => {
    const world = new FakeWorld();
    const client = await connectedIn(world);
    client.channel("room").on("message", () => client.close());
    await settled();
    world.socket.subscribed();
    world.socket.receive(
      { event: "message", channel: "room", data: 1 },
      { event: "message", channel: "room", data: 2 },
    );
    await settled();
    expect(client.snapshot.state).toBe("closed");
    expect(client.channel("room").snapshot.state).toBe("detached");
    expect([world.openSockets, world.timers]).toEqual([0, 0]);
  });
});
