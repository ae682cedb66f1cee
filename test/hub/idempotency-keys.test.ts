/** A publication with a key: made once, whoever asks again, and made again only when it was not made. */

import { expect, test } from "bun:test";
import { AWAY, type Bench, bench, fakeApp, type LateBench, lateBench, settled } from "../support/fakes.ts";

function publish({ hub, app }: LateBench, data: string, key: string) {
  return Promise.resolve(hub.publish(app, { type: "event", app: app.id, channel: "room", event: "e", data }, key));
}

async function withReader() {
  const late = await lateBench();
  const reader = late.open();
  reader.subscribe("room");
  await settled();
  const heard = () => reader.seen.flatMap(({ type, data }) => (type === "event" ? [data] : []));
  return { late, heard };
}

test("a second one waits for the first, and both are told what became of it (scenario 25)", async () => {
  const { late, heard } = await withReader();
  late.engine.hold("publish");
  const both = [publish(late, "1", "k"), publish(late, "1 again", "k")];
  const outcome = Promise.allSettled(both);
  await settled();
  expect(late.engine.held("publish")).toBe(1);
  await late.engine.fail("publish", AWAY);
  expect((await outcome).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(heard()).toEqual([]);
  await Promise.all([publish(late, "2", "k"), publish(late, "2 again", "k")]);
  await settled();
  expect(heard()).toEqual(["2"]);
});

test("after five minutes the key is new", async () => {
  const { late, heard } = await withReader();
  await publish(late, "1", "k");
  late.clock.pass(299_000);
  await publish(late, "2", "k");
  late.clock.pass(2_000);
  await publish(late, "3", "k");
  await settled();
  expect(heard()).toEqual(["1", "3"]);
});

test("that was answered 503 and made all the same is answered as made, and observers are told of one (scenario 25)", async () => {
  const { late, heard } = await withReader();
  late.engine.hold("publish");
  const first = publish(late, "1", "k").catch((error: unknown) => error);
  await late.engine.fail("publish", AWAY, true);
  expect(await first).toBe(AWAY);
  expect(await publish(late, "1 again", "k")).toBeUndefined();
  await publish(late, "2", "another");
  await settled();
  expect(heard()).toEqual(["1", "2"]);
  const told = late.events.flatMap((event) => (event.type === "published" ? event.publication.data : []));
  expect(told).toEqual(["2"]);
});

test("whoever repeats it where it was made is answered though the engine is away, and no guard hears of it again", async () => {
  let guarded = 0;
  const late = await lateBench({ more: { guards: [{ publication: () => void guarded++ }] } });
  await publish(late, "1", "k");
  late.engine.hold("publish");
  expect(await publish(late, "1 again", "k")).toBeUndefined();
  expect([late.engine.held("publish"), guarded]).toEqual([0, 1]);
});

test("what another node made is not remembered for longer than there", async () => {
  const first = await lateBench();
  const second = await bench({ engine: () => first.engine });
  const pass = (ms: number) => [first, second].forEach(({ clock }) => void clock.pass(ms));
  // The engine tells the hub that was started last.
  const reader = second.open();
  reader.subscribe("room");
  await settled();
  const say = (at: Bench, data: string) =>
    Promise.resolve(at.hub.publish(at.app, { type: "event", app: at.app.id, channel: "room", event: "e", data }, "k"));
  await say(first, "1");
  pass(290_000);
  await say(second, "1 again");
  pass(11_000);
  await say(second, "2");
  await settled();
  expect(reader.seen.flatMap(({ type, data }) => (type === "event" ? [data] : []))).toEqual(["1", "2"]);
});

test("an engine that has lost its keys publishes again, and nobody who heard the first is told", async () => {
  const keep = fakeApp({ channels: [{ match: "room", history: { size: 10, ttlS: 60 } }] });
  for (const app of [fakeApp(), keep]) {
    const late = await lateBench({ app });
    const { broker } = late.engine;
    const { publishOnce } = broker;
    let key = "";
    broker.publishOnce = (publication, once, policy) => {
      key = once.key;
      return publishOnce(publication, once, policy);
    };
    const reader = late.open();
    reader.subscribe("room");
    await settled();
    await publish(late, "1", "k");
    await settled();
    const other = { type: "event", app: app.id, channel: "room", event: "e", data: "1 again" } as const;
    const policy = app === keep ? { size: 10, ttlMs: 60_000 } : undefined;
    await publishOnce({ ...other, key }, { key: "another", ttlMs: 1 }, policy);
    await publish(late, "2", "k2");
    await settled();
    expect(reader.seen.flatMap(({ type, data }) => (type === "event" ? [data] : []))).toEqual(["1", "2"]);
  }
});

test("keys of two channels, of two clients and of the back end are not each other's", async () => {
  const late = await lateBench();
  const { hub, app } = late;
  const reader = late.open();
  for (const channel of ["room", "hall"]) reader.subscribe(channel);
  await settled();
  const from = (user?: string) => ({ from: { connection: "9.9", ...(user !== undefined && { user }) } });
  const said = [
    { channel: "room", data: "1" },
    { channel: "hall", data: "2" },
    { channel: "room", data: "3", ...from("ada") },
    { channel: "room", data: "4", ...from("bob") },
    { channel: "room", data: "5", ...from() },
  ];
  for (const each of [...said, ...said])
    await hub.publish(app, { type: "event", app: app.id, event: "e", ...each }, "k");
  await settled();
  expect(reader.seen.flatMap(({ type, data }) => (type === "event" ? [data] : []))).toEqual(["1", "2", "3", "4", "5"]);
});
