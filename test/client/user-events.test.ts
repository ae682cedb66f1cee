/** Events for the user, the watchlist, and what is kept over a reload. */

import { describe, expect, test } from "bun:test";
import { type Position, type PositionStore, sessionPositions } from "../../packages/client/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeWorld, settled } from "./fake-world.ts";
import { startWorld } from "./server-world.ts";

describe("events without a channel", () => {
  test("reach the listeners of their name, and what may be lost is told", async () => {
    const world = new FakeWorld();
    const client = world.client();
    const heard: unknown[] = [];
    client.onUser("paid", (data, meta) => heard.push([data, meta]));
    client.onUserGap(({ reason }) => heard.push(reason));
    await settled();
    world.socket.welcome();
    world.socket.receive({ event: "paid", data: { sum: 7 } }, { event: "other", data: 1 }, { event: "gap" });
    expect(heard).toEqual([[{ sum: 7 }, { event: "paid", replayed: false }], "server"]);
    world.socket.end();
    await world.pass(1_000);
    world.socket.welcome();
    expect(heard.at(-1)).toBe("no-history");
  });

  test("say who of the watchlist is online; after a reconnect only the differences are told", async () => {
    const world = new FakeWorld();
    const client = world.client();
    const changes: unknown[] = [];
    client.onWatchlist((change) => changes.push(change));
    await settled();
    world.socket.welcome();
    world.socket.receive({ event: "watchlist", data: { online: ["ada", "bob"], offline: ["eve"] } });
    world.socket.receive({ event: "watchlist", data: { online: [], offline: ["bob"] } });
    world.socket.end();
    await world.pass(1_000);
    world.socket.welcome();
    world.socket.receive({ event: "watchlist", data: { online: ["ada", "eve"], offline: ["bob"] } });
    expect(changes).toEqual([
      { online: ["ada", "bob"], offline: [] },
      { online: [], offline: ["bob"] },
      { online: ["eve"], offline: [] },
    ]);
    expect([...client.online]).toEqual(["ada", "eve"]);
  });
});

test("what was published to a client that was closed, or has failed, is rejected at once", async () => {
  const world = new FakeWorld();
  const client = world.client();
  client.close();
  await expect(client.channel("room").publish("n", 1)).rejects.toMatchObject({ code: "closed" });
  await expect(client.call("vote", 1)).rejects.toMatchObject({ code: "closed" });
  client.connect();
  await settled();
  world.socket.receive({ event: "closing", code: "app_disabled", message: "…", reconnect: "never" });
  await expect(client.channel("room").publish("n", 1)).rejects.toMatchObject({ code: "app_disabled" });
  expect(world.timers).toBe(0);
});

describe("positions over a reload", () => {
  test("let a new page hear what the old one missed", async () => {
    const world = await startWorld();
    const positions = sessionPositions();
    const old = world.client({ positions });
    old.channel("kept-reload").on("n", () => {});
    await eventually(() => expect(old.channel("kept-reload").snapshot.state).toBe("attached"));
    await world.publish("kept-reload", "n", 1);
    await eventually(() => expect(old.channel("kept-reload").position?.offset).toBe(1));
    // The page is gone without a word.
    world.proxy.cut();
    await world.publish("kept-reload", "n", 2);
    world.proxy.mend();
    const heard: unknown[] = [];
    const page = world.client({ positions });
    page.channel("kept-reload").on("n", (n) => heard.push(n));
    await eventually(() => expect(heard).toEqual([2]));
  });

  test.each([
    ["fails", () => Promise.reject(new Error("no"))],
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["never answers", () => new Promise<never>(() => {})],
  ])("are none where the store %s", async (_what, get) => {
    const world = new FakeWorld();
    const positions: PositionStore = { get, set: get, delete: get };
    const client = world.client({ positions });
    const room = client.channel("room");
    room.hold();
    await settled();
    world.socket.welcome();
    await world.pass(1_000);
    world.socket.subscribed({ position: { epoch: "e", offset: 1 } satisfies Position });
    expect(room.snapshot.state).toBe("attached");
    client.close();
    expect(world.timers).toBe(0);
  });
});
