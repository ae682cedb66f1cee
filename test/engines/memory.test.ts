/** The memory engine, which answers at once; and the same engine behind a wire, to see that the suite presumes nothing. */

import { expect, test } from "bun:test";
import { MemoryBroker } from "../../packages/server/src/engines/memory/broker.ts";
import { memoryEngine } from "../../packages/server/src/engines/memory/engine.ts";
import { MemoryLedger } from "../../packages/server/src/engines/memory/ledger.ts";
import { MemoryRegistry } from "../../packages/server/src/engines/memory/registry.ts";
import { brokerContract, ledgerContract, registryContract } from "../../packages/server/testing/index.ts";
import { FakeClock, LateEngine } from "../support/fakes.ts";
import { runner } from "../support/runner.ts";

const memory = () => {
  const clock = new FakeClock();
  clock.wall = Date.now();
  return { engine: memoryEngine(clock), pass: (ms: number) => clock.pass(ms) };
};

const late = () => {
  const clock = new FakeClock();
  clock.wall = Date.now();
  return { engine: new LateEngine(clock), pass: (ms: number) => clock.pass(ms) };
};

brokerContract(runner, "memory", memory);
registryContract(runner, "memory", memory);
ledgerContract(runner, "memory", memory);
brokerContract(runner, "memory, answering late", late);
registryContract(runner, "memory, answering late", late);

test("history that has expired is pruned, whether anybody asks for it or not", () => {
  const clock = new FakeClock();
  const broker = new MemoryBroker(clock);
  const publication = { type: "event", app: "app", event: "e", data: "x" } as const;
  for (let n = 0; n < 1_000; n++) {
    broker.publish({ ...publication, channel: `cache-${n}` }, { size: 1, ttlMs: n < 500 ? 1_000 : 60_000 });
  }
  expect(broker.historyCount).toBe(1_000);
  clock.pass(2_000);
  broker.prune();
  expect(broker.historyCount).toBe(500);
  clock.pass(120_000);
  broker.prune();
  expect(broker.historyCount).toBe(0);
});

test("a channel that is quiet goes on counting as long again as it kept anything, and while somebody is in it", () => {
  const clock = new FakeClock();
  const broker = new MemoryBroker(clock);
  const keep = { size: 10, ttlMs: 1_000 };
  const publish = (channel: string) =>
    broker.publish({ type: "event", app: "app", channel, event: "e", data: "x" }, keep)?.offset;
  broker.subscribe("app", "b");
  expect([publish("a"), publish("b")]).toEqual([1, 1]);
  clock.pass(1_900);
  broker.prune();
  expect([publish("a"), publish("b")]).toEqual([2, 2]);
  clock.pass(3_000);
  broker.prune();
  expect([publish("a"), publish("b")]).toEqual([1, 3]);
  broker.unsubscribe("app", "b");
  clock.pass(3_000);
  broker.prune();
  expect(broker.historyCount).toBe(0);
});

test("keys are forgotten when their time is over", () => {
  const clock = new FakeClock();
  const broker = new MemoryBroker(clock);
  const publication = { type: "event", app: "app", channel: "room", event: "e", data: "x" } as const;
  for (let n = 0; n < 1_000; n++) broker.publishOnce(publication, { key: `k-${n}`, ttlMs: n < 500 ? 1_000 : 60_000 });
  clock.pass(2_000);
  broker.prune();
  expect(broker.keyCount).toBe(500);
  clock.pass(60_000);
  broker.prune();
  expect(broker.keyCount).toBe(0);
});

test("a registry that everybody has left remembers nothing", () => {
  const registry = new MemoryRegistry(new FakeClock(), () => {});
  const row = (channel: string) => ({ app: "app", channel, connection: "c", member: { id: "1", info: null } });
  for (let n = 0; n < 1_000; n++) {
    registry.setSubscriberCount("app", `room-${n}`, 1);
    registry.join(row(`presence-${n}`), 1);
    registry.setSubscriberCount("app", `presence-${n}`, 1);
  }
  expect(() => registry.join(row("presence-full"), 0)).toThrow("0 members");
  registry.leave(row("presence-unknown"));
  registry.setSubscriberCount("app", "unknown", 0);
  expect(registry.members("app", "unknown")).toEqual([]);
  expect(registry.channelCount).toBe(2_000);
  for (let n = 0; n < 1_000; n++) {
    registry.setSubscriberCount("app", `room-${n}`, 0);
    registry.leave(row(`presence-${n}`));
    registry.setSubscriberCount("app", `presence-${n}`, 0);
  }
  expect(registry.channelCount).toBe(0);
});

test("a ledger that is not asked any more remembers nothing", () => {
  const clock = new FakeClock();
  const ledger = new MemoryLedger(clock);
  for (let n = 0; n < 1_000; n++) {
    ledger.acquire(`app-${n}`, "a", 1);
    ledger.takeToken(`calls-${n}`, 10);
    ledger.setIfAbsent(`key-${n}`, 5_000);
  }
  expect(ledger.entries).toBe(3_000);
  clock.pass(2_000);
  ledger.prune();
  expect(ledger.entries).toBe(2_000);
  clock.pass(4_000);
  ledger.prune();
  for (let n = 0; n < 1_000; n++) ledger.release(`app-${n}`, "a");
  expect(ledger.entries).toBe(0);
});
