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

test("a count that fails is reported, and the next change is counted again", async () => {
  const late = await lateBench({ app: COUNTING });
  const [first] = await join(late, "room", 1);
  if (!first) throw new Error("nobody joined");
  late.engine.hold("summary");
  await join(late, "room", 1);
  await late.engine.fail("summary", AWAY);
  expect(late.events.filter((event) => event.type === "failed" && event.error === AWAY)).toHaveLength(1);
  await join(late, "room", 1);
  expect(told(first).at(-1)).toBe(3);
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
