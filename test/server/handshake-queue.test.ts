/** The queue in front of the door: a few at a time, in the order they came, and the event loop turns in between. */

import { describe, expect, test } from "bun:test";
import { HandshakeQueue } from "../../packages/server/src/server/websocket/handshake-queue.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** It looks at the clock when a turn begins and when it ends. */
function queueOf(turnMs: number): HandshakeQueue {
  let nowMs = 0;
  return new HandshakeQueue({
    monotonicMs: () => {
      nowMs += turnMs;
      return nowMs;
    },
  });
}

test("a few who come together go in at once, and again as soon as the event loop has turned", async () => {
  const queue = queueOf(1);
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 20; n++) expect(queue.waitForTurn()).toBeUndefined();
    await turn();
    await turn();
  }
});

describe.each([
  ["takes a millisecond", 1, 20],
  ["takes 10 ms, most of it for others", 10, 30],
  ["takes a second", 1_000, 60],
])("where a turn of the event loop %s", (_, turnMs, most) => {
  test(`at most ${most} of a crowd go in, in the order they came, and none overtakes another`, async () => {
    const queue = queueOf(turnMs);
    const entered: number[] = [];
    const come = (n: number) => {
      const waiting = queue.waitForTurn();
      if (waiting) void waiting.then(() => entered.push(n));
      else entered.push(n);
    };
    for (let n = 0; n < 500; n++) come(n);
    const atTurns = [0, entered.length];
    expect(entered.length).toBe(20);
    while (entered.length < 510) {
      await turn();
      atTurns.push(entered.length);
      // Late, and behind all who wait.
      if (atTurns.length === 3) for (let n = 500; n < 510; n++) come(n);
    }
    expect(entered).toEqual(Array.from({ length: 510 }, (_, n) => n));
    expect(Math.max(...atTurns.slice(1).map((count, n) => count - (atTurns[n] ?? 0)))).toBe(most);
  });
});
