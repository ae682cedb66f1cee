/** Who comes and goes while a newcomer of a presence channel waits for the engine: the list it gets leaves out nobody. */

import { expect, test } from "bun:test";
import { type FakeClient, lateBench, settled } from "../support/fakes.ts";

const CHANNEL = "presence-cache-x";

function listOf(client: FakeClient): readonly string[] {
  const answer = client.seen.find(({ type }) => type === "subscribed");
  return ((answer?.members ?? []) as { id: string }[]).map(({ id }) => id).sort();
}

async function joined(late: Awaited<ReturnType<typeof lateBench>>, user: string): Promise<FakeClient> {
  const client = late.open();
  client.subscribe(CHANNEL, user);
  await settled();
  return client;
}

test("whoever comes after the engine has answered is in the list, and told to nobody twice", async () => {
  const late = await lateBench();
  await joined(late, "early");
  late.engine.hold("history");
  const newcomer = await joined(late, "newcomer");
  const other = await joined(late, "other");
  await late.engine.release("history");
  expect(listOf(newcomer)).toEqual(["early", "newcomer", "other"]);
  expect(listOf(other)).toEqual(["early", "newcomer", "other"]);
  expect(newcomer.types.filter((type) => type === "joined")).toEqual([]);
});

test("whoever goes after the engine has answered is not in the list", async () => {
  const late = await lateBench();
  const early = await joined(late, "early");
  late.engine.hold("history");
  const newcomer = await joined(late, "newcomer");
  early.vanish();
  await settled();
  await late.engine.release("history");
  expect(listOf(newcomer)).toEqual(["newcomer"]);
});

test("a user whose other connection goes in that moment is still in its own list", async () => {
  const late = await lateBench();
  const first = await joined(late, "same");
  late.engine.hold("receive", "join");
  first.vanish();
  await settled();
  const second = late.open();
  second.subscribe(CHANNEL, "same");
  await settled();
  await late.engine.release("receive");
  await late.engine.release("join");
  expect(listOf(second)).toEqual(["same"]);
});
