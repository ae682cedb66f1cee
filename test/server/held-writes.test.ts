/** When a publication is written, and when it waits for the next: with a clock in the test's hand, and the turns and timers of the runtime. */

import { beforeEach, describe, expect, test } from "bun:test";
import { HeldWrites } from "../../packages/server/src/server/websocket/held-writes.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock, FakeSocket, FakeTopics } from "../support/fakes.ts";

const MANY = 100;

describe("held writes", () => {
  let clock: FakeClock;
  let topics: FakeTopics;
  let reader: FakeSocket;
  let held: HeldWrites;

  beforeEach(() => {
    clock = new FakeClock();
    topics = new FakeTopics();
    reader = new FakeSocket(topics);
    reader.subscribe("a");
    held = new HeldWrites(topics, clock, 10);
  });

  /** Until the window is one in which the topic waits. */
  async function makeBusy(topic = "a"): Promise<void> {
    held.publish(topic, "busy", MANY);
    await nextTurn();
    reader.frames.length = 0;
  }

  test("a lone message never waits, however many read it", async () => {
    held.publish("a", "1", MANY);
    expect(reader.frames).toEqual(["1"]);
    clock.pass(10);
    held.publish("a", "2", MANY);
    expect(reader.frames).toEqual(["1", "2"]);
  });

  test("what is published in one turn does not wait: the runtime joins it", () => {
    for (const frame of ["1", "2", "3"]) held.publish("a", frame, MANY);
    expect(reader.frames).toEqual(["1", "2", "3"]);
  });

  test("nothing waits where there are few writes", async () => {
    for (let n = 0; n < 10; n++) {
      held.publish("a", String(n), 2);
      await nextTurn();
    }
    expect(reader.frames).toHaveLength(10);
  });

  test("a channel that was written to in a busy window waits for the window's end, and keeps its order", async () => {
    await makeBusy();
    held.publish("a", "1", MANY);
    held.publish("a", "2", MANY);
    expect(reader.frames).toEqual([]);
    clock.pass(10);
    held.publish("a", "3", MANY);
    expect(reader.frames).toEqual(["1", "2", "3"]);
  });

  test("after a window that has held much, the next holds from its second message on, without any writes to be counted first", async () => {
    await makeBusy();
    held.publish("a", "1", MANY);
    clock.pass(10);
    held.publish("a", "2", 1);
    expect(reader.frames).toEqual(["1", "2"]);
    await nextTurn();
    held.publish("a", "3", 1);
    expect(reader.frames).toEqual(["1", "2"]);
    clock.pass(10);
    held.publish("a", "4", 1);
    expect(reader.frames).toEqual(["1", "2", "3", "4"]);
  });

  test("after a window that has held little, or some time ago, nothing waits", async () => {
    await makeBusy();
    held.publish("a", "1", 20);
    clock.pass(10);
    for (const frame of ["2", "3"]) held.publish("a", frame, 1);
    expect(reader.frames).toEqual(["1", "2", "3"]);
    await makeBusy();
    held.publish("a", "4", MANY);
    clock.pass(20);
    for (const frame of ["5", "6"]) held.publish("a", frame, 1);
    expect(reader.frames).toEqual(["4", "5", "6"]);
  });

  test("what waits in a window that holds from its beginning is written by a timer, where nothing follows", async () => {
    await makeBusy();
    held.publish("a", "1", MANY);
    // Set after the window's own timer, and so due right after it.
    await Bun.sleep(10);
    expect(reader.frames).toEqual(["1"]);
    held.publish("a", "2", 1);
    expect(reader.frames).toEqual(["1"]);
    await eventually(() => expect(reader.frames).toEqual(["1", "2"]));
  });

  test("a channel that was not written to in the busy window does not wait", async () => {
    await makeBusy("b");
    held.publish("a", "1", MANY);
    expect(reader.frames).toEqual(["1"]);
  });

  test("where messages keep coming, the next one ends the wait earlier", async () => {
    await makeBusy();
    held.publish("a", "1", MANY);
    clock.pass(5);
    held.publish("a", "2", MANY);
    expect(reader.frames).toEqual(["1", "2"]);
  });

  test("where nothing follows, a timer ends the wait", async () => {
    await makeBusy();
    held.publish("a", "1", MANY);
    await eventually(() => expect(reader.frames).toEqual(["1"]));
  });

  test("many messages, and large ones, do not wait for the end", async () => {
    await makeBusy();
    for (let n = 0; n < 32; n++) held.publish("a", String(n), MANY);
    expect(reader.frames).toHaveLength(32);
    held.publish("a", "x".repeat(20_000), MANY);
    expect(reader.frames).toHaveLength(33);
  });

  test("flushing writes what waits in that channel", async () => {
    await makeBusy();
    held.publish("a", "1", MANY);
    held.flush("b");
    expect(reader.frames).toEqual([]);
    held.flush("a");
    expect(reader.frames).toEqual(["1"]);
  });

  test("flushing for a socket writes what waits for it, and leaves the rest", async () => {
    const other = new FakeSocket(topics);
    other.subscribe("b");
    held.publish("b", "busy", MANY);
    await makeBusy();
    held.publish("a", "1", MANY);
    held.publish("b", "2", MANY);
    held.flushFor(reader);
    expect([reader.frames, other.frames]).toEqual([["1"], ["busy"]]);
    held.flushFor(other);
    expect(other.frames).toEqual(["busy", "2"]);
  });

  test("flushing for a socket among very many channels writes everything", async () => {
    const names = Array.from({ length: 40 }, (_, n) => `topic-${n}`);
    for (const name of names) held.publish(name, "busy", MANY);
    await makeBusy();
    for (const name of names) held.publish(name, "1", MANY);
    held.publish("a", "1", MANY);
    held.flushFor(reader);
    expect(reader.frames).toEqual(["1"]);
  });

  test("switched off, it writes what waits, and everything else at once", async () => {
    await makeBusy();
    held.publish("a", "1", MANY);
    held.holdMs = 0;
    held.publish("a", "2", MANY);
    await nextTurn();
    held.publish("a", "3", MANY);
    expect(reader.frames).toEqual(["1", "2", "3"]);
  });
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
