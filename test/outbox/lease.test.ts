/** Which of two nodes reads an outbox, where one of them stands still at a bad moment. */

import { expect, test } from "bun:test";
import { Lease } from "../../packages/server/src/outbox/lease.ts";
import { FakeClock } from "../support/fakes.ts";

/** One place with its holders, as an engine counts them: who holds it is given it again. */
class Place {
  readonly holders = new Set<string>();
  /** What an answer waits for. */
  before = async (): Promise<void> => {};

  async acquire(_quota: string, holder: string, limit: number): Promise<boolean> {
    const isHolder = this.holders.has(holder) || this.holders.size < limit;
    if (isHolder) this.holders.add(holder);
    await this.before();
    return isHolder;
  }

  async release(_quota: string, holder: string): Promise<void> {
    this.holders.delete(holder);
  }
}

function twoNodes() {
  const [place, clock] = [new Place(), new FakeClock()];
  const [one, other] = ["one", "other"].map((holder) => new Lease({ ledger: place, clock, source: "s", holder }));
  if (!one || !other) throw new Error("no two nodes");
  return { place, clock, one, other };
}

test("one of two holds it, until that one gives it back", async () => {
  const { clock, one, other } = twoNodes();
  expect([await one.hold(), await other.hold()]).toEqual([true, false]);
  clock.pass(1_000);
  expect([await one.hold(), await other.hold()]).toEqual([true, false]);
  await one.release();
  clock.pass(1_000);
  expect([await other.hold(), await one.hold()]).toEqual([true, false]);
});

test("an answer of before the node stood still is not believed", async () => {
  const { place, clock, one, other } = twoNodes();
  expect(await one.hold()).toBe(true);
  clock.pass(1_000);
  // It is frozen with the answer in its hands; the engine takes it for dead, and another comes.
  place.before = async () => {
    place.before = async () => {};
    place.holders.clear();
    clock.pass(10_000);
    expect(await other.hold()).toBe(true);
  };
  expect(await one.hold()).toBe(false);
  clock.pass(1_000);
  expect([await one.hold(), await other.hold()]).toEqual([false, true]);
});

test("what the engine writes again of before the node stood still does not make it a second reader", async () => {
  const { place, clock, one, other } = twoNodes();
  expect(await one.hold()).toBe(true);
  place.holders.clear();
  clock.pass(1_000);
  expect(await other.hold()).toBe(true);
  clock.pass(10_000);
  // The node's engine finds that it was taken for dead, and puts back what it held, late.
  const release = place.release.bind(place);
  place.release = async (quota, holder) => {
    await release(quota, holder);
    place.holders.add("one");
  };
  expect(await one.hold()).toBe(false);
});
