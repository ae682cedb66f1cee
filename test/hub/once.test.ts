/** A publication with a key: made once, whoever asks again, and made again only when it was not made. */

import { expect, test } from "bun:test";
import { AWAY, type LateBench, lateBench, settled } from "../support/fakes.ts";

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

test("another node's, that is under way, is refused for now, and taken when that node has died over it", async () => {
  const { late, heard } = await withReader();
  const name = JSON.stringify([late.app.id, "room", "back end", "k"]);
  expect(await late.engine.ledger.once(`publishing ${name}`, 15_000)).toBe(true);
  await expect(publish(late, "1", "k")).rejects.toThrow("under way on another node");
  late.clock.pass(16_000);
  await publish(late, "2", "k");
  await settled();
  expect(heard()).toEqual(["2"]);
});

test("another node's, that is made, is answered as made", async () => {
  const { late, heard } = await withReader();
  const name = JSON.stringify([late.app.id, "room", "back end", "k"]);
  await late.engine.ledger.once(`publishing ${name}`, 15_000);
  await late.engine.ledger.once(`published ${name}`, 300_000);
  expect(await publish(late, "1", "k")).toBeUndefined();
  await settled();
  expect(heard()).toEqual([]);
});

test("that was made and could not be written down is answered as made, and the fault is told", async () => {
  const { late, heard } = await withReader();
  const { once } = late.engine.ledger;
  let asked = 0;
  late.engine.ledger.once = (...note) => (++asked === 1 ? once.apply(late.engine.ledger, note) : Promise.reject(AWAY));
  await publish(late, "1", "k");
  await settled();
  expect(heard()).toEqual(["1"]);
  expect(late.events.filter(({ type }) => type === "failed")).toMatchObject([{ error: AWAY }]);
});

test("is refused when nobody can say whether it was made, and nothing is published", async () => {
  const { late, heard } = await withReader();
  late.engine.ledger.once = () => Promise.reject(AWAY);
  await expect(publish(late, "1", "k")).rejects.toThrow(AWAY.message);
  expect(heard()).toEqual([]);
});
