/** Whatever happens, in whatever order: the client keeps its promises. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { batchAuthorizerIn } from "../../packages/client/src/batch-authorizer.ts";
import { scaled } from "../support/soak.ts";
import { FakeWorld, settled } from "./fake-world.ts";

const CHANNELS = ["a", "b", "private-c"];
const LINGER_MS = 500;

const step = fc.oneof(
  fc.record({ type: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 12_000 }) }),
  fc.record({ type: fc.constant("sleep" as const), ms: fc.integer({ min: 60_000, max: 600_000 }) }),
  fc.record({ type: fc.constantFrom("welcome" as const, "answer" as const, "open" as const, "late" as const) }),
  fc.record({ type: fc.constant("end" as const), code: fc.constantFrom(1006, 1009, 4100, 4200) }),
  fc.record({ type: fc.constant("event" as const), channel: fc.constantFrom(...CHANNELS) }),
  fc.record({
    type: fc.constantFrom("hold" as const, "release" as const, "publish" as const, "rewind" as const),
    channel: fc.constantFrom(...CHANNELS),
  }),
  fc.record({ type: fc.constantFrom("call" as const, "connect" as const, "close" as const, "wake" as const) }),
  fc.record({
    type: fc.constantFrom(
      "online" as const,
      "offline" as const,
      "show" as const,
      "suspend" as const,
      "restore" as const,
    ),
  }),
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** Answers every command that waits, some by an error. */
function answerAll(world: FakeWorld, answered: Set<number>, refuse: boolean): void {
  const { socket } = world;
  for (const { event, id, data } of [...socket.sent]) {
    if (id === undefined || answered.has(id)) continue;
    answered.add(id);
    const channel = data?.channel;
    const answer =
      { subscribe: "subscribed", publish: "published", ping: "pong", history: "history" }[event] ?? "result";
    if (refuse && id % 5 === 0) socket.receive({ event: "error", id, channel, code: "rate_limited", message: "…" });
    else if (answer === "history")
      socket.receive({ event: answer, id, channel, data: { events: [], own: [], complete: true } });
    else
      socket.receive({
        event: answer,
        id,
        channel,
        ...(event === "subscribe" && data?.position ? { recovered: true } : {}),
      });
  }
}

async function play(steps: readonly Step[]): Promise<void> {
  const world = new FakeWorld();
  const client = world.client({
    authorize: batchAuthorizerIn(world, (channels) =>
      Object.fromEntries(channels.map((name) => [name, { auth: "x" }])),
    ),
  });
  const held = new Map<string, (() => void)[]>(CHANNELS.map((name) => [name, []]));
  const promises: Promise<unknown>[] = [];
  let settledCount = 0;
  const track = (promise: Promise<unknown>) =>
    promises.push(
      promise.then(
        () => settledCount++,
        () => settledCount++,
      ),
    );
  let answered = new Set<number>();
  let answeredOf: object | undefined;
  for (const it of steps) {
    const socket = world.sockets.at(-1);
    if (answeredOf !== socket) answered = new Set();
    answeredOf = socket;
    const isAlive = socket !== undefined && !socket.isOver;
    switch (it.type) {
      case "pass":
        await world.pass(it.ms);
        break;
      case "sleep":
        await world.sleep(it.ms);
        break;
      case "welcome":
        if (isAlive) socket.welcome();
        break;
      case "open":
        if (isAlive) socket.open();
        break;
      case "answer":
        if (isAlive) answerAll(world, answered, true);
        break;
      case "late":
        world.sockets.at(-2)?.receive({ event: "closing", code: "x", message: "", reconnect: "never" });
        break;
      case "end":
        if (isAlive) socket.end(it.code);
        break;
      case "event":
        if (isAlive) socket.receive({ event: "n", channel: it.channel, data: 1 });
        break;
      case "hold":
        held.get(it.channel)?.push(client.channel(it.channel).on("n", () => {}));
        break;
      case "rewind":
        held.get(it.channel)?.push(client.channel(it.channel).on("n", () => {}, { rewind: true }));
        break;
      case "release":
        held.get(it.channel)?.pop()?.();
        break;
      case "publish":
        track(client.channel(it.channel).publish("n", 1));
        break;
      case "call":
        track(client.call("x", 1));
        break;
      case "connect":
        client.connect();
        break;
      case "close":
        client.close();
        break;
      case "wake":
        client.wake();
        break;
      default:
        world.page(it.type);
    }
    await settled();
    expect(world.openSockets).toBeLessThanOrEqual(1);
  }
  // Left alone with a server that answers, it comes to rest in the right state.
  client.connect();
  for (let n = 0; n < 60 && !(client.snapshot.state === "connected" && world.openSockets === 1 && n > 20); n++) {
    const socket = world.sockets.at(-1);
    if (socket && !socket.isOver && client.snapshot.state !== "connected") socket.welcome();
    await world.pass(1_000);
    client.wake();
    await settled();
    if (answeredOf !== world.sockets.at(-1)) answered = new Set();
    answeredOf = world.sockets.at(-1);
    answerAll(world, answered, false);
  }
  for (let n = 0; n < 20; n++) {
    await world.pass(LINGER_MS);
    answerAll(world, answered, false);
  }
  expect(client.snapshot.state).toBe("connected");
  for (const [name, stops] of held)
    expect([name, client.channel(name).snapshot.state]).toEqual([name, stops.length > 0 ? "attached" : "detached"]);
  client.close();
  await settled();
  expect(settledCount).toBe(promises.length);
  expect([world.openSockets, world.timers, world.watchers]).toEqual([0, 0, 0]);
}

test("one socket at most, subscribed while held, every promise settled, and no timer left", async () => {
  const runs = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), play);
  await fc.assert(runs, { numRuns: scaled(3_000, 300) });
}, 3_600_000);
