/** Who asks for more than its share: it waits and is answered, the others go first, and who never catches up is cut. */

import { expect, test } from "bun:test";
import { receivePing } from "../../packages/server/src/hub/execute.ts";
import type { HubOptions } from "../../packages/server/src/hub/options.ts";
import { type Bench, bench, type FakeClient, fakeApp, type LateBench, lateBench, settled } from "../support/fakes.ts";

const LIMITS = { waitingCommands: 1_000_000, waitingBytes: 1_000_000_000, activityTimeoutS: 30, pongTimeoutS: 30 };
/** More than anybody's share at once. */
const MANY = 5_000;

/** A bench whose turns of the event loop are taken one by one, and where a command takes as many milliseconds as it says. */
async function slowBench(): Promise<{ made: Bench; turn: () => void }> {
  let due: (() => void)[] = [];
  const more: Partial<HubOptions> = {
    scheduleTurn: (_, run) => void due.push(run),
    deciders: { handleCall: (_, __, ms) => made.clock.pass(Number(ms)) },
  };
  const app = fakeApp({ limits: { clientEventsPerSecond: Number.POSITIVE_INFINITY } });
  const made = await bench({ limits: LIMITS, app, more });
  const turn = () => {
    made.clock.pass(1);
    const runs = due;
    due = [];
    for (const run of runs) run();
  };
  return { made, turn };
}

function flood(client: FakeClient, frames: number): void {
  for (let n = 0; n < frames; n++) client.send({ type: "ping", ref: n });
}

const pongs = (client: FakeClient) => client.seen.map(({ ref }) => ref);
const inOrder = (count: number) => Array.from({ length: count }, (_, n) => n);

test("what comes at once is answered in order, and nothing is refused", async () => {
  const { hub, open } = await bench({ limits: LIMITS });
  const client = open();
  flood(client, MANY);
  expect(client.seen.length).toBeLessThan(MANY);
  await settled();
  expect(pongs(client)).toEqual(inOrder(MANY));
  hub.sweep();
  expect(client.socket.closedWith).toBeUndefined();
});

test("while much waits nothing is read, and it is read again when nothing waits", async () => {
  const { made, turn } = await slowBench();
  const client = made.open();
  flood(client, MANY);
  expect(client.socket.isPaused).toBe(true);
  for (let turns = 0; client.socket.isPaused && turns < 10; turns++) turn();
  expect(pongs(client)).toEqual(inOrder(MANY));
  expect(client.socket.isPaused).toBe(false);
  client.send({ type: "ping", ref: MANY });
  turn();
  expect(pongs(client).at(-1)).toBe(MANY);
});

test("those who are behind have a slice each, and whoever is not behind does not wait", async () => {
  const { made, turn } = await slowBench();
  const [greedy, other, modest] = [made.open(), made.open(), made.open()];
  for (const client of [greedy, other]) {
    for (let n = 0; n < 400; n++) client.send({ type: "call", event: "work", data: 1, ref: n });
  }
  await settled();
  const before = greedy.seen.length;
  turn();
  await settled();
  modest.send({ type: "ping" });
  expect(modest.types).toEqual(["pong"]);
  expect(greedy.seen.length - before).toBeLessThan(20);
  for (let turns = 0; turns < 20; turns++) {
    turn();
    await settled();
  }
  expect(Math.abs(greedy.seen.length - other.seen.length)).toBeLessThan(20);
  expect(other.seen.length).toBeLessThan(400);
});

test("a few commands that take long are more than a share, too", async () => {
  const { made } = await slowBench();
  const client = made.open();
  for (let n = 0; n < 10; n++) {
    client.send({ type: "call", event: "work", data: 50 });
    await settled();
  }
  expect(client.connection.frameQueue?.size).toBeGreaterThan(5);
});

/** Turns of the loop, in each of which the client has sent as much again as was done. */
async function keepBusy({ made, turn }: Awaited<ReturnType<typeof slowBench>>, clients: FakeClient[], forMs: number) {
  const endMs = made.clock.monotonicMs() + forMs;
  while (made.clock.monotonicMs() < endMs && clients.some(({ connection }) => !connection.closed)) {
    for (const client of clients) {
      while (!client.connection.closed && (client.connection.frameQueue?.size ?? 0) < 2_000) {
        client.send({ type: "call", event: "work", data: 3 });
        await null;
      }
    }
    turn();
    await settled();
  }
}

test("who has not caught up after 30 seconds is cut, and told why", async () => {
  const slow = await slowBench();
  const client = slow.made.open();
  await keepBusy(slow, [client], 25_000);
  expect(client.connection.closed).toBe(false);
  await keepBusy(slow, [client], 20_000);
  expect(client.socket.closedWith?.reason).toBe("flooded");
  expect(client.connection.disconnectReason?.message).toBe("The client sent more than its share for 30 seconds.");
}, 60_000);

test("where everybody is behind at a time, nobody is cut for it", async () => {
  const slow = await slowBench();
  const clients = Array.from({ length: 40 }, () => slow.made.open());
  await keepBusy(slow, clients, 45_000);
  expect(clients.filter(({ connection }) => connection.closed)).toEqual([]);
}, 60_000);

test("who waits for the engine is not behind, however long that takes", async () => {
  const late = await lateBench({ limits: LIMITS });
  const client = late.open();
  for (let n = 0; n < 3; n++) await waitForEngine(late, client, n);
  expect(client.connection.closed).toBe(false);
  expect(client.types.filter((type) => type === "pong")).toHaveLength(3_000);
});

async function waitForEngine(late: LateBench, client: FakeClient, n: number): Promise<void> {
  late.engine.hold("subscribe");
  client.subscribe(`room-${n}`);
  flood(client, 1_000);
  await settled();
  late.clock.pass(20_000);
  await late.engine.release("subscribe");
  await settled();
}

test("so many bytes may wait, and one frame more is a flood", async () => {
  const late = await lateBench({ limits: { waitingBytes: 1_000 } });
  const client = late.open();
  late.engine.hold("subscribe");
  client.subscribe("room");
  for (let n = 0; n < 100 && !client.connection.closed; n++) client.send({ type: "ping" });
  expect(client.connection.disconnectReason?.message).toBe(
    "More than 1000 bytes of commands were waiting for an answer (limits.waitingBytes).",
  );
  expect(client.socket.closedWith?.reason).toBe("flooded");
});

test("what waits of a connection that is gone is not carried out, and its end can be seen", async () => {
  const { made, turn } = await slowBench();
  const client = made.open();
  flood(client, MANY);
  const { length } = client.seen;
  client.vanish();
  expect(client.socket.isPaused).toBe(false);
  for (let turns = 0; turns < 5; turns++) turn();
  expect(client.seen).toHaveLength(length);
});

test("pings of the WebSocket that come by the thousand are paid for by a rest", async () => {
  const { made, turn } = await slowBench();
  const client = made.open();
  for (let n = 0; n < 10_000; n++) {
    if (n % 100 === 0) made.clock.pass(1);
    receivePing(made.hub, client.connection);
  }
  expect(client.socket.isPaused).toBe(true);
  const startMs = made.clock.monotonicMs();
  while (client.socket.isPaused) turn();
  expect(made.clock.monotonicMs() - startMs).toBeGreaterThan(500);
  expect(client.connection.closed).toBe(false);
});

test("while nothing is read from it a client is as silent as any other", async () => {
  const { made } = await slowBench();
  const client = made.open();
  flood(client, MANY);
  expect(client.socket.isPaused).toBe(true);
  made.clock.pass(31_000);
  made.hub.sweep();
  made.clock.pass(31_000);
  made.hub.sweep();
  expect(client.connection.disconnectReason?.code).toBe("pong_missing");
});
