/** Subscription counts: each change while there are few, at most one in five seconds while there are many. */

import { expect, test } from "bun:test";
import { AWAY, type Bench, bench, type FakeClient, fakeApp, lateBench, settled } from "../support/fakes.ts";

const COUNTING = fakeApp({ subscriptionCounts: true });

function told(client: FakeClient): readonly unknown[] {
  return client.seen.filter(({ type }) => type === "count").map(({ count }) => count);
}

async function join(made: Bench, channel: string, many: number): Promise<FakeClient[]> {
  const joined: FakeClient[] = [];
  for (let n = 0; n < many; n++) {
    const client = made.open();
    client.subscribe(channel);
    await settled();
    joined.push(client);
  }
  return joined;
}

test("up to a hundred subscribers hear of every change at once", async () => {
  const made = await bench({ app: COUNTING });
  const clients = await join(made, "room", 100);
  const [first] = clients;
  if (!first) throw new Error("nobody joined");
  expect(told(first)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
  clients.at(-1)?.vanish();
  await settled();
  expect(told(first).at(-1)).toBe(99);
});

test("above a hundred at most one number in five seconds, and the last one always", async () => {
  const made = await bench({ app: COUNTING });
  const clients = await join(made, "room", 101);
  const [first] = clients;
  if (!first) throw new Error("nobody joined");
  expect(told(first).at(-1)).toBe(101);
  await join(made, "room", 20);
  made.clock.pass(4_999);
  made.hub.sweep();
  await settled();
  expect(told(first).at(-1)).toBe(101);
  made.clock.pass(1);
  made.hub.sweep();
  await settled();
  expect(told(first).at(-1)).toBe(121);
  for (const client of clients.slice(50)) client.vanish();
  await settled();
  expect(told(first).at(-1)).toBe(121);
  made.clock.pass(5_000);
  made.hub.sweep();
  await settled();
  expect(told(first).at(-1)).toBe(70);
  expect(told(first)).toHaveLength(101 + 2);
  clients[1]?.vanish();
  await settled();
  expect(told(first).at(-1)).toBe(69);
});

test("a quiet pause is followed by a number told at once", async () => {
  const made = await bench({ app: COUNTING });
  const [first] = await join(made, "room", 101);
  if (!first) throw new Error("nobody joined");
  made.clock.pass(5_000);
  made.hub.sweep();
  await settled();
  expect(told(first)).toHaveLength(101);
  await join(made, "room", 1);
  expect(told(first).at(-1)).toBe(102);
});

test("changes during a slow count are told by one more, which is the last", async () => {
  const late = await lateBench({ app: COUNTING });
  const [first] = await join(late, "room", 1);
  if (!first) throw new Error("nobody joined");
  late.engine.hold("summary");
  await join(late, "room", 50);
  expect(late.engine.held("summary")).toBe(1);
  await late.engine.release("summary");
  await settled();
  expect(told(first).at(-1)).toBe(51);
  expect(told(first).length).toBeLessThanOrEqual(3);
});

test.each(["summary", "tally"] as const)(
  "a %s that fails is reported, and the number told when the engine answers",
  async (what) => {
    const late = await lateBench({ app: COUNTING });
    const [first] = await join(late, "room", 1);
    if (!first) throw new Error("nobody joined");
    late.engine.hold(what);
    const [second] = await join(late, "room", 1);
    await late.engine.fail(what, AWAY, what === "tally");
    expect(late.events.filter((event) => event.type === "failed" && event.error === AWAY)).toHaveLength(1);
    expect(told(first).at(-1)).toBe(1);
    late.hub.sweep();
    await settled();
    if (what === "summary") expect(told(first).at(-1)).toBe(2);
    second?.vanish();
    await settled();
    expect(told(first).at(-1)).toBe(1);
  },
);

test("a number that the engine refuses to carry is told again, until one is carried, and then no more", async () => {
  const late = await lateBench({ app: COUNTING });
  const [first] = await join(late, "room", 1);
  if (!first) throw new Error("nobody joined");
  late.engine.hold("publish");
  await join(late, "room", 1);
  for (let n = 0; n < 3; n++) {
    await late.engine.fail("publish", AWAY);
    expect(told(first)).toEqual([1]);
    late.engine.hold("publish");
    late.hub.sweep();
    await settled();
    expect(late.engine.held("publish")).toBe(1);
  }
  await late.engine.release("publish");
  late.hub.sweep();
  await settled();
  expect(told(first)).toEqual([1, 2]);
});

test("a number that was overtaken by an older one of another node is told again, and a right one is not", async () => {
  const late = await lateBench({ app: COUNTING });
  const [first] = await join(late, "room", 2);
  if (!first) throw new Error("nobody joined");
  late.engine.host?.receive({ type: "count", app: late.app.id, channel: "room", count: 1 });
  for (let n = 0; n < 3; n++) {
    late.clock.pass(1_000);
    late.hub.sweep();
    await settled();
  }
  expect(told(first)).toEqual([1, 2, 1, 2]);
});

test("while the engine is away nobody asks it for numbers, and when it is back each channel is told once", async () => {
  const late = await lateBench({ app: COUNTING });
  const clients = [...(await join(late, "one", 3)), ...(await join(late, "two", 3))];
  const [one, , , two] = clients;
  if (!one || !two) throw new Error("nobody joined");
  late.engine.health = () => ({ reachable: false, why: "It is away.", sinceMs: 1 });
  const before = [told(one).length, told(two).length];
  const asked = late.engine.calls.length;
  for (const client of [clients[1], clients[2], clients[4]]) client?.vanish();
  late.hub.sweep();
  await settled();
  expect(late.engine.calls.slice(asked).filter((call) => !call.startsWith("tally"))).toEqual([]);
  late.engine.health = () => ({ reachable: true });
  late.hub.sweep();
  await settled();
  expect(told(one).slice(before[0])).toEqual([1]);
  expect(told(two).slice(before[1])).toEqual([2]);
});

test("presence channels, and apps that do not ask for it, have no counts", async () => {
  const counting = await bench({ app: COUNTING });
  const member = counting.open();
  member.subscribe("presence-x", "1");
  const plain = await bench();
  const client = plain.open();
  client.subscribe("room");
  await settled();
  expect(told(member)).toEqual([]);
  expect(told(client)).toEqual([]);
});
