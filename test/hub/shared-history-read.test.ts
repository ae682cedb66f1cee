/** Many that come back to one channel at once: the engine is asked once, and each of them still gets exactly what it missed. */

import { expect, test } from "bun:test";
import type { Position, Resume } from "../../packages/server/src/domain/message.ts";
import { AWAY, type FakeClient, fakeApp, type LateBench, lateBench, settled } from "../support/fakes.ts";

const ROOM = "room";

function start(): Promise<LateBench> {
  return lateBench({ app: fakeApp({ channels: [{ match: ROOM, history: { size: 1_000, ttlS: 60 } }] }) });
}

async function publish({ hub, app }: LateBench, ...data: readonly number[]): Promise<void> {
  for (const each of data) {
    await hub.publish(app, { type: "event", app: app.id, channel: ROOM, event: "e", data: `${each}` });
  }
  await settled();
}

async function come(late: LateBench, count: number, resume?: Resume): Promise<FakeClient[]> {
  const clients = Array.from({ length: count }, () => late.open());
  for (const client of clients) client.send({ type: "subscribe", channel: ROOM, ...(resume && { resume }) });
  await settled();
  return clients;
}

/** Where the channel stands when nothing was said in it. */
async function beginning({ engine, app }: LateBench): Promise<Position> {
  return (await engine.inner.broker.history(app.id, ROOM, { limit: 1, direction: "newest" })).position;
}

function heard(client: FakeClient): readonly number[] {
  return client.seen.filter(({ type }) => type === "event").map(({ data }) => Number(data));
}

function reads({ engine }: LateBench): number {
  return engine.calls.filter((call) => call === "history").length;
}

/** Answers are made when they are asked for, and arrive when they are let go. */
function holdAnswers({ engine }: LateBench): () => Promise<void> {
  const { broker } = engine.inner;
  const read = broker.history;
  const gate = Promise.withResolvers<void>();
  broker.history = async (...query) => {
    const page = await read.apply(broker, query);
    await gate.promise;
    return page;
  };
  return async () => {
    broker.history = read;
    gate.resolve();
    await settled();
  };
}

test("a thousand that resume at one position cost one read, as do a thousand that never were there", async () => {
  const late = await start();
  const [stays] = await come(late, 1);
  const since = await beginning(late);
  await publish(late, 1, 2, 3);
  const before = reads(late);
  const back = await come(late, 1_000, since);
  expect(reads(late) - before).toBe(1);
  for (const client of back) {
    expect(client.seen[0]).toMatchObject({ recovered: true, position: since });
    expect(heard(client)).toEqual([1, 2, 3]);
  }
  const fresh = await come(late, 1_000);
  expect(reads(late) - before).toBe(2);
  await publish(late, 4);
  expect(fresh.map(heard)).toEqual(fresh.map(() => [4]));
  expect(stays && heard(stays)).toEqual([1, 2, 3, 4]);
});

test("who was away for longer is not handed the answer of who was not", async () => {
  const late = await start();
  const since = await beginning(late);
  await come(late, 1);
  await publish(late, 1, 2, 3);
  const release = holdAnswers(late);
  const [[long], [short], [all]] = await Promise.all([
    come(late, 1, since),
    come(late, 1, { ...since, offset: 2 }),
    come(late, 1, "kept"),
  ]);
  await release();
  expect([long, short, all].map((client) => client && heard(client))).toEqual([[1, 2, 3], [3], [1, 2, 3]]);
});

test.each([
  ["somebody is in the channel", 1],
  ["nobody is in the channel", 0],
])("an answer that is older than a publication is shared without a hole where %s", async (_, others) => {
  const late = await start();
  const since = await beginning(late);
  await come(late, others);
  await publish(late, 1, 2);
  const before = reads(late);
  const release = holdAnswers(late);
  const first = await come(late, 2, since);
  await publish(late, 3, 4);
  const second = await come(late, 2, since);
  await publish(late, 5);
  const third = await come(late, 2, since);
  await release();
  await publish(late, 6);
  for (const client of [...first, ...second, ...third]) {
    expect(client.seen[0]).toMatchObject({ recovered: true, position: since });
    expect(heard(client)).toEqual([1, 2, 3, 4, 5, 6]);
  }
  expect(reads(late) - before).toBe(1);
});

test("an answer that was asked for before something may have been lost is not shared with who comes after it", async () => {
  const late = await start();
  const since = await beginning(late);
  await publish(late, 1);
  const before = reads(late);
  const release = holdAnswers(late);
  const first = await come(late, 1, since);
  late.engine.hold("receive");
  await publish(late, 2);
  late.engine.lose("receive");
  await late.engine.release("receive");
  late.engine.host?.interrupted();
  const second = await come(late, 1, since);
  expect(reads(late) - before).toBe(2);
  await release();
  await publish(late, 3);
  for (const client of [...first, ...second]) expect(heard(client)).toEqual([1, 2, 3]);
});

test("what was read is not kept for those who come later, and one that failed refuses only those who shared it", async () => {
  const late = await start();
  const since = await beginning(late);
  await come(late, 1);
  await publish(late, 1);
  late.engine.hold("history");
  const refused = await come(late, 3, since);
  expect(late.engine.held("history")).toBe(1);
  await late.engine.fail("history", AWAY);
  for (const client of refused) expect(client.seen).toMatchObject([{ type: "refused", error: AWAY.code }]);
  const before = reads(late);
  expect((await come(late, 3, since)).map(heard)).toEqual([[1], [1], [1]]);
  expect((await come(late, 3, since)).map(heard)).toEqual([[1], [1], [1]]);
  expect(reads(late) - before).toBe(2);
});

test("pages that follow the first are shared, too", async () => {
  const late = await start();
  const since = await beginning(late);
  await come(late, 1);
  const all = Array.from({ length: 450 }, (_, n) => n + 1);
  await publish(late, ...all);
  const before = reads(late);
  const back = await come(late, 20, since);
  expect(reads(late) - before).toBe(3);
  for (const client of back) expect(heard(client)).toEqual(all);
});
